import assert from 'node:assert/strict';
import { once } from 'node:events';
import { type IncomingMessage, request } from 'node:http';
import { text } from 'node:stream/consumers';
import { test } from 'node:test';
import { type Harness, type RestAnswer, startHarness } from '../harness.ts';
import { assertRefused, type Refusal, refusal } from '../refusals.ts';

/** A request with a Host header of its own and a path that no URL parser has touched. */
async function raw(
  pharlo: Harness,
  path: string,
  options: { method?: string; host?: string } = {},
): Promise<RestAnswer> {
  const { port, host } = new URL(pharlo.url);
  const headers = { host: options.host ?? host, authorization: `Bearer ${pharlo.key}` };
  const call = request({ host: '127.0.0.1', port, path, method: options.method ?? 'GET', headers });
  call.end();
  const [response] = (await once(call, 'response')) as [IncomingMessage];
  const body = await text(response);
  const isJson = response.headers['content-type']?.startsWith('application/json');
  const known = new Headers(
    Object.entries(response.headers).map(([name, value]): [string, string] => [name, `${value}`]),
  );
  return { status: response.statusCode ?? 0, headers: known, body: isJson ? JSON.parse(body) : { text: body } };
}

const id = '01900000-0000-7000-8000-000000000000';

test('hosts, paths, methods and queries that are not ours', async (t) => {
  await using pharlo = await startHarness();
  const port = new URL(pharlo.url).port;

  for (const host of [
    'evil.example',
    `evil.example:${port}`,
    'localhost',
    'localhost:1',
    `localhost.evil.example:${port}`,
  ]) {
    await t.test(`Host ${host.replace(port, 'port')} is answered 421 everywhere but health`, async () => {
      for (const path of [
        '/',
        '/_mcp',
        '/api/v1/assignments',
        '/api/doc.json',
        '/.well-known/oauth-authorization-server',
        '/x',
      ]) {
        await assertRefused(pharlo, { status: 421, code: 'foreign_host' }, () => raw(pharlo, path, { host }));
      }
      assert.equal((await raw(pharlo, '/api/v1/health', { host })).status, 200);
      assert.equal((await raw(pharlo, '/api/v1/ready', { host })).status, 200);
    });
  }

  await t.test('X-Forwarded-Host of somebody who is no trusted proxy changes nothing', async () => {
    const { status } = await pharlo.rest('GET', '/platforms', undefined, { 'x-forwarded-host': 'evil.example' });
    assert.equal(status, 200);
  });

  for (const path of [
    '/api/v1',
    '/api/v1/',
    '/api/v1/nothing',
    '/api/v2/assignments',
    '/api/v1/assignments/',
    '/nothing',
  ]) {
    await t.test(`${path} is not there`, () =>
      assertRefused(pharlo, { status: 404, code: 'not_found' }, () => raw(pharlo, path)),
    );
  }

  const methods: [string, string, string][] = [
    ['PUT', '/assignments', 'POST, GET'],
    ['DELETE', '/assignments', 'POST, GET'],
    ['POST', `/assignments/${id}`, 'GET, DELETE'],
    ['GET', `/connections/${id}/refresh-token`, 'POST'],
    ['POST', '/platforms', 'GET'],
  ];
  for (const [method, path, allowed] of methods) {
    await t.test(`${method} ${path}`, async () => {
      const refused = { status: 405, code: 'method_not_allowed' };
      const answer = await refusal(pharlo, refused, () => raw(pharlo, `/api/v1${path}`, { method }));
      const told = (answer.headers.get('allow') ?? '').split(', ');
      for (const one of allowed.split(', ')) assert.ok(told.includes(one), `${one} is not in Allow: ${told}`);
      assert.ok(!told.includes(method));
    });
  }

  const queries: [string, string][] = [
    ['limit=1&limit=2', 'limit'],
    ['__proto__=1', '__proto__'],
    ['constructor=1', 'constructor'],
    ['toString=1&toString=2', 'toString'],
    ['unknown=1', 'unknown'],
    ['limit=0', 'limit'],
    ['limit=101', 'limit'],
    ['limit=1.5', 'limit'],
    ['limit=1e2', 'limit'],
    ['limit=', 'limit'],
    ['limit=99999999999999999999', 'limit'],
    ['page=0', 'page'],
    ['page=-1', 'page'],
    ['page=1000001', 'page'],
    ['page=1&cursor=x', 'cursor'],
    ['cursor=', 'cursor'],
    ['cursor=garbage', 'cursor'],
    [`cursor=${Buffer.from(`-8640000000000000.${id}`).toString('base64url')}`, 'cursor'],
    [`cursor=${Buffer.from(`99999999999999999.${id}`).toString('base64url')}`, 'cursor'],
    [`cursor=${Buffer.from("1.' or 1=1").toString('base64url')}`, 'cursor'],
    ['status=done', 'status'],
    ['connectionId=7', 'connectionId'],
    ['organizationId=7', 'organizationId'],
    ['platform=%00', 'platform'],
    ['externalId=%00', 'externalId'],
    ['scheduledFrom=2027-01-01', 'scheduledFrom'],
    ['scheduledTo=2027-02-30T00:00:00Z', 'scheduledTo'],
  ];
  for (const [query, field] of queries) {
    await t.test(`?${query}`, () =>
      assertRefused(pharlo, { status: 400, code: 'validation_failed', field }, () =>
        raw(pharlo, `/api/v1/assignments?${query}`),
      ),
    );
  }

  await t.test('the ends of the calendar are times', async () => {
    for (const time of ['0001-01-01T00:00:00Z', '0000-01-01T00:00:00Z', '9999-12-31T23:59:59-23:59']) {
      const { status } = await raw(pharlo, `/api/v1/assignments?scheduledFrom=${encodeURIComponent(time)}`);
      assert.equal(status, 200, time);
    }
  });

  await t.test('percent-encoding that is none, in a query, is text', async () => {
    assert.equal((await raw(pharlo, '/api/v1/assignments?platform=%zz')).status, 200);
    assert.equal((await raw(pharlo, '/api/v1/assignments?platform=%ff%e0%a4')).status, 200);
  });

  const ids = [
    'x',
    '0',
    '%zz',
    '%00',
    '%ff',
    '%E0%A4%A',
    '..%2f..',
    "'",
    `${id}x`,
    id.slice(1),
    `%7B${id}%7D`,
    'a'.repeat(2000),
  ];
  for (const bad of ids) {
    await t.test(`id ${bad.slice(0, 40)}`, async () => {
      const refused = (field: string) => ({ status: 400, code: 'validation_failed', field });
      await assertRefused(pharlo, refused('assignmentId'), () => raw(pharlo, `/api/v1/assignments/${bad}`));
      const cancel = () => raw(pharlo, `/api/v1/assignments/${bad}`, { method: 'DELETE' });
      await assertRefused(pharlo, refused('assignmentId'), cancel);
      await assertRefused(pharlo, refused('connectionId'), () => raw(pharlo, `/api/v1/connections/${bad}`));
      await assertRefused(pharlo, refused('ticketId'), () => raw(pharlo, `/api/v1/oauth/tickets/${bad}`));
    });
  }

  await t.test('an organization header that is none', () =>
    assertRefused(pharlo, { status: 400, code: 'validation_failed', field: 'X-Organization-Id' }, () =>
      pharlo.rest('GET', '/assignments', undefined, { 'x-organization-id': "1' or 1=1" }),
    ),
  );

  const tickets: [string, Record<string, unknown>, Refusal][] = [
    ['a planned platform', { platform: 'tiktok' }, { status: 422, code: 'platform_planned' }],
    ['a platform nobody knows', { platform: 'myspace' }, { status: 400, code: 'validation_failed', field: 'platform' }],
    [
      'a platform named constructor',
      { platform: 'constructor' },
      { status: 400, code: 'validation_failed', field: 'platform' },
    ],
    ['a connection nobody has', { platform: 'youtube', connectionId: id }, { status: 404, code: 'not_found' }],
    ['an organization nobody has', { platform: 'youtube', organizationId: id }, { status: 404, code: 'not_found' }],
    ...[
      'http://evil.example/',
      'javascript:alert(1)',
      'https://u:p@app.example/',
      'https://app.example/#x',
      '/here',
      'https://app.example/\0',
    ].map((redirectUrl): [string, Record<string, unknown>, Refusal] => [
      `return to ${redirectUrl}`,
      { platform: 'youtube', redirectUrl },
      { status: 400, code: 'validation_failed', field: 'redirectUrl' },
    ]),
  ];
  for (const [name, body, expected] of tickets) {
    await t.test(`a ticket for ${name}`, () =>
      assertRefused(pharlo, expected, () => pharlo.rest('POST', '/oauth/tickets', body)),
    );
  }

  await t.test('capabilities of no platform', () =>
    assertRefused(pharlo, { status: 404, code: 'not_found' }, () =>
      raw(pharlo, '/api/v1/platforms/constructor/capabilities'),
    ),
  );

  for (const authorization of [
    '',
    'Bearer',
    'Bearer ds_live_wrong',
    `Bearer  ${pharlo.key}`,
    `Basic ${pharlo.key}`,
    pharlo.key,
  ]) {
    await t.test(`Authorization "${authorization.replace(pharlo.key, 'key')}"`, async () => {
      const answer = await refusal(pharlo, { status: 401, code: 'unauthenticated' }, () =>
        pharlo.rest('GET', '/assignments', undefined, { authorization }),
      );
      assert.equal(answer.headers.get('www-authenticate'), 'Bearer');
    });
  }
  assert.deepEqual(
    pharlo.logs.filter((line) => line.includes('"error"')),
    [],
    'bad input is no failure of ours',
  );
});
