import assert from 'node:assert/strict';
import { test } from 'node:test';
import { createServer, issuer, type Json, redirectUri, type Server } from './server.ts';

// RFC 6749 §5.2: a refusal names its code and says in one ASCII sentence what is wrong, the parameter included.

type Refusal = [status: number, error: string, says: RegExp];

async function assertRefused(response: Response, [status, error, says]: Refusal): Promise<void> {
  const body = (await response.json()) as Json;
  const about = JSON.stringify(body);
  assert.deepEqual([response.status, body.error], [status, error], about);
  assert.deepEqual(Object.keys(body), ['error', 'error_description'], about);
  assert.match(String(body.error_description), /^[A-Za-z][\x20-\x7e]+\.$/, about);
  assert.match(String(body.error_description), says, about);
  assert.match(response.headers.get('content-type') ?? '', /^application\/json/);
  assert.deepEqual([response.headers.get('cache-control'), response.headers.get('pragma')], ['no-store', 'no-cache']);
}

type Client = { id: string; secret: string };

async function register(server: Server, method: string, more: Json = {}): Promise<Client> {
  const client = await server.register({ token_endpoint_auth_method: method, ...more });
  return { id: client.client_id, secret: String(client.client_secret ?? '') };
}

const basic = (id: string, secret: string) => ({ authorization: `Basic ${btoa(`${id}:${secret}`)}` });

test('the token endpoint names the grant type, parameter or scope it refuses', async () => {
  await using server = await createServer();
  const { client_id } = await server.register();
  const once = await server.register({ grant_types: ['authorization_code'] });
  const { key } = await server.addKey();
  const bound = await server.getTokens(client_id, key, { resource: `${issuer}/_mcp`, scope: 'stats:read' });
  const code = await server.getCode(client_id, key);
  const cases: [Promise<Response>, Refusal][] = [
    [server.token({ client_id }), [400, 'invalid_request', /grant_type is missing/]],
    [server.token({ client_id, grant_type: '' }), [400, 'invalid_request', /grant_type is missing/]],
    [
      server.token({ client_id, grant_type: 'password' }),
      [400, 'unsupported_grant_type', /authorization_code or refresh_token\.$/],
    ],
    [server.exchange(client_id, ''), [400, 'invalid_request', /^code is missing/]],
    [server.exchange(client_id, code, { redirect_uri: '' }), [400, 'invalid_request', /redirect_uri is missing/]],
    [server.exchange(client_id, code, { code_verifier: '' }), [400, 'invalid_request', /code_verifier is missing/]],
    [server.exchange(client_id, code, { code_verifier: 'v' }), [400, 'invalid_request', /code_verifier must be 43/]],
    [server.exchange(client_id, 'x'), [400, 'invalid_grant', /code is not valid/]],
    [server.refresh(client_id, ''), [400, 'invalid_request', /refresh_token is missing/]],
    [server.refresh(once.client_id, 'x'), [400, 'unauthorized_client', /refresh_token/]],
    [server.refresh(client_id, 'x'), [400, 'invalid_grant', /not known/]],
    [
      server.refresh(client_id, bound.refresh_token, { scope: 'webhooks:read' }),
      [400, 'invalid_scope', /scope must not exceed/],
    ],
    [
      server.refresh(client_id, 'x', { resource: 'https://other.example/' }),
      [400, 'invalid_target', /resource must be https:\/\/pharlo\.test\/_mcp\.$/],
    ],
  ];
  for (const [response, refusal] of cases) await assertRefused(await response, refusal);
  await server.query('update oauth_grants set revoked_at = pharlo_now()');
  const ended = await server.refresh(client_id, bound.refresh_token);
  await assertRefused(ended, [400, 'invalid_grant', /has ended.*Authorize again/]);
  assert.deepEqual(server.lines, [], 'a refusal is no failure of ours');
});

test('a grant for one resource gives no token for another', async () => {
  await using server = await createServer();
  const { client_id } = await server.register();
  const { key } = await server.addKey();
  const { refresh_token } = await server.getTokens(client_id, key, { resource: issuer });
  await server.query(`update oauth_grants set resource = 'https://before.example/_mcp'`);
  const response = await server.refresh(client_id, refresh_token, { resource: issuer });
  await assertRefused(response, [400, 'invalid_target', /not the one access was granted for/]);
});

test('a client is told how it has to prove who it is', async () => {
  await using server = await createServer();
  const open = await register(server, 'none');
  const post = await register(server, 'client_secret_post');
  const header = await register(server, 'client_secret_basic');
  const form = { grant_type: 'refresh_token', refresh_token: 'x' };
  const cases: [Record<string, string>, Record<string, string>, Refusal][] = [
    [{}, {}, [400, 'invalid_request', /client_id is missing/]],
    [{ client_id: post.id, client_secret: 's' }, basic(post.id, 's'), [400, 'invalid_request', /Only one way/]],
    [{ client_secret: 's', client_assertion: 'x' }, {}, [400, 'invalid_request', /Only one way/]],
    [{ client_assertion: 'x' }, basic(post.id, 's'), [400, 'invalid_request', /Only one way/]],
    [{ client_id: open.id, client_assertion: 'x' }, {}, [401, 'invalid_client', /assertions are not supported/]],
    [{ client_id: open.id, client_assertion_type: 'x' }, {}, [401, 'invalid_client', /assertions are not supported/]],
    [{}, { authorization: 'Basic' }, [401, 'invalid_client', /Authorization header cannot be read/]],
    [{ client_id: open.id }, basic(post.id, post.secret), [400, 'invalid_request', /client_id is not the one/]],
    [{ client_id: open.id, client_secret: 's' }, {}, [401, 'invalid_client', /client_id in the body and no secret\.$/]],
    [{}, basic(post.id, post.secret), [401, 'invalid_client', /: use client_secret_post\.$/]],
    [{ client_id: header.id }, {}, [401, 'invalid_client', /: use client_secret_basic\.$/]],
    [{ client_id: post.id, client_secret: 's' }, {}, [401, 'invalid_client', /secret is not the right one/]],
    [{}, basic(header.id, post.secret), [401, 'invalid_client', /secret is not the right one/]],
    [{ client_id: 'nobody' }, {}, [400, 'invalid_client', /not known\. Register again/]],
    [{ client_id: 'nobody', resource: issuer }, {}, [401, 'invalid_client', /not known\. Register again/]],
    [{}, basic('nobody', 's'), [401, 'invalid_client', /not known\. Register again/]],
  ];
  for (const [fields, headers, refusal] of cases) {
    const response = await server.token({ ...form, ...fields }, headers);
    const scheme = headers.authorization && refusal[0] === 401 ? 'Basic realm="Pharlo"' : null;
    assert.equal(response.headers.get('www-authenticate'), scheme, JSON.stringify([fields, headers]));
    await assertRefused(response, refusal);
  }
});

test('the Basic scheme is read in any case, and only as it is written', async () => {
  await using server = await createServer();
  const { id, secret } = await register(server, 'client_secret_basic');
  const send = (authorization: string) => server.post('/oauth/mcp/introspect', { token: 'x' }, { authorization });
  const encoded = (text: string) => Buffer.from(text).toString('base64');
  const good = encoded(`${id}:${secret}`);
  for (const scheme of ['Basic', 'basic', 'BASIC']) assert.equal((await send(`${scheme} ${good}`)).status, 200);
  assert.equal((await send(`Basic ${encoded(`${encodeURIComponent(id)}:${secret}`)}`)).status, 200, 'encoded');
  const both = { token: 'x', client_id: id };
  const named = await server.post('/oauth/mcp/introspect', both, { authorization: `Basic ${good}` });
  assert.equal(named.status, 200, 'the same id in the body as well');
  const bad = [
    `xBasic ${good}`,
    `Basic  ${good}`,
    `Basic ${good}!`,
    `Basic !${good}`,
    `Basic ${good},`,
    `Basic ${encoded(id)}`,
    `Basic ${encoded(`:${secret}`)}`,
    `Basic ${encoded(`:${id}:${secret}`)}`,
    `Basic ${encoded(`${id}:${secret}\n`)}`,
    `Basic ${encoded(`${id}:\n${secret}`)}`,
    `Basic ${encoded(`${id}:${secret}%`)}`,
    `Basic ${encoded(`${id}%:${secret}`)}`,
  ];
  for (const authorization of bad) {
    const response = await send(authorization);
    assert.equal(response.status, 401, authorization);
    assert.equal(((await response.json()) as Json).error, 'invalid_client');
  }
});

test('a plus sign in the Authorization header stands for a space, as in forms', async () => {
  await using server = await createServer();
  const { id } = await register(server, 'client_secret_basic');
  await server.query(`update oauth_clients set secret_hash = sha256('a b+c'::bytea) where id = $1`, [id]);
  const status = async (secret: string) =>
    (await server.post('/oauth/mcp/introspect', { token: 'x' }, basic(id, secret))).status;
  assert.deepEqual([await status('a+b%2Bc'), await status('a%20b%2Bc'), await status('a+b+c')], [200, 200, 401]);
});

test('all three endpoints want a form: its type, its size, each parameter once, in UTF-8', async () => {
  await using server = await createServer();
  const { client_id } = await server.register();
  const type = 'application/x-www-form-urlencoded';
  for (const path of ['/oauth/mcp/token', '/oauth/mcp/revoke', '/oauth/mcp/introspect']) {
    const send = (body: string | Uint8Array<ArrayBuffer>, headers: Record<string, string> = {}) =>
      server.fetch(path, { method: 'POST', headers: { 'content-type': type, ...headers }, body });
    const form = `client_id=${client_id}`;
    const cases: [Promise<Response>, Refusal][] = [
      [send(form, { 'content-type': 'text/plain' }), [400, 'invalid_request', new RegExp(`${type}\\.$`)]],
      [send(`${form}&token=${'x'.repeat(16 * 1024)}`), [413, 'invalid_request', /must not exceed 16 KB/]],
      [send(form, { 'content-length': String(16 * 1024 + 1) }), [413, 'invalid_request', /must not exceed 16 KB/]],
      [send(`${form}&token=a&token=a`), [400, 'invalid_request', /more than once/]],
      [send(`${form}&${form}`), [400, 'invalid_request', /more than once/]],
      [send(new Uint8Array([0x61, 0x3d, 0xff])), [400, 'invalid_request', /not UTF-8/]],
      [
        server.fetch(path, { method: 'POST', headers: { 'content-type': type } }),
        [400, 'invalid_request', /client_id is missing/],
      ],
    ];
    for (const [response, refusal] of cases) await assertRefused(await response, refusal);
    for (const good of [` ${type.toUpperCase()} ; charset=utf-8`, `${type};x`]) {
      assert.doesNotMatch(await (await send(form, { 'content-type': good })).text(), /content type/, good);
    }
    const exact = `${form}&x=`;
    const full = exact + 'x'.repeat(16 * 1024 - exact.length);
    for (const headers of [{}, { 'content-length': String(full.length) }]) {
      assert.notEqual((await send(full, headers)).status, 413, 'exactly 16 KB');
    }
    const get = await server.fetch(path);
    assert.equal(get.headers.get('allow'), path.endsWith('introspect') ? 'POST' : 'POST, OPTIONS');
    await assertRefused(get, [405, 'invalid_request', /method is not allowed/]);
  }
  for (const call of [server.revoke, server.introspect]) {
    await assertRefused(await call(client_id, ''), [400, 'invalid_request', /token is missing/]);
  }
});

test('registration names the member that is wrong', async () => {
  await using server = await createServer();
  const wrong: Record<string, unknown> = {
    client_name: 7,
    grant_types: 'x',
    response_types: [7],
    token_endpoint_auth_method: 7,
    scope: [],
  };
  for (const [member, value] of Object.entries(wrong)) {
    const response = await server.registerRaw({ redirect_uris: [redirectUri], [member]: value });
    await assertRefused(response, [400, 'invalid_client_metadata', new RegExp(`^${member} must be a `)]);
  }
  const cases: [unknown, Refusal][] = [
    ['{', [400, 'invalid_client_metadata', /body is not JSON/]],
    ['7', [400, 'invalid_client_metadata', /must be a JSON object/]],
    [{}, [400, 'invalid_redirect_uri', /^redirect_uris must be a list of URIs/]],
    [{ redirect_uris: ['x'] }, [400, 'invalid_redirect_uri', /^redirect_uris must hold an https URI/]],
    [
      { redirect_uris: [redirectUri], token_endpoint_auth_method: 'x' },
      [400, 'invalid_client_metadata', /^token_endpoint_auth_method must be one of none, client_secret_post, client_s/],
    ],
  ];
  for (const [body, refusal] of cases) await assertRefused(await server.registerRaw(body), refusal);
  await assertRefused(await server.registerRaw('{}', { 'content-type': 'x' }), [
    415,
    'invalid_client_metadata',
    /application\/json\.$/,
  ]);
});

test('a failure of ours is 503 for clients and for people, with the time to wait and no word of the cause', async () => {
  await using server = await createServer();
  const { client_id } = await server.register();
  const at = await server.begin(client_id);
  const { db } = server.deps;
  const query = db.query;
  Object.assign(db, { query: () => Promise.reject(new Error('secret cause')) });
  try {
    const response = await server.refresh(client_id, 'x');
    assert.equal(response.headers.get('retry-after'), '5');
    await assertRefused(response, [503, 'temporarily_unavailable', /^Try again in a moment\.$/]);
    const page = await server.fetch(at.page, { headers: { cookie: at.cookie } });
    const text = await page.text();
    assert.deepEqual([page.status, page.headers.get('retry-after')], [503, '5']);
    assert.match(page.headers.get('content-type') ?? '', /^text\/html/);
    assert.match(text, /<h1>This did not work<\/h1><p>Try again in a moment\.<\/p>/);
    assert.ok(!text.includes('secret cause'));
  } finally {
    Object.assign(db, { query });
  }
  const failures = server.lines.map((line) => JSON.parse(line) as Json).filter(({ event }) => event === 'oauth_failed');
  assert.deepEqual(
    failures.map(({ route, method, status }) => ({ route, method, status })),
    [
      { route: '/oauth/mcp/token', method: 'POST', status: 503 },
      { route: '/oauth/mcp/consent/:id', method: 'GET', status: 503 },
    ],
  );
});
