import assert from 'node:assert/strict';
import { test } from 'node:test';
import { codeChallenge, createServer, issuer, redirectUri } from './server.ts';

const loopback = 'http://localhost:4242/cb';

function answer(response: Response): URLSearchParams {
  assert.equal(response.status, 302);
  return new URL(response.headers.get('location') ?? '').searchParams;
}

test('a good request goes to the consent page and writes nothing', async () => {
  await using server = await createServer();
  const { client_id } = await server.register();
  const response = await server.authorize(client_id);
  assert.equal(response.status, 302);
  assert.match(response.headers.get('location') ?? '', /^\/oauth\/mcp\/consent\/[\w-]+$/);
  assert.equal(response.headers.get('cache-control'), 'no-store');
  assert.match(
    response.headers.get('set-cookie') ?? '',
    /^__Host-pharlo_consent=[\w-]{22}; Path=\/; HttpOnly; Secure; SameSite=Lax$/,
  );
  for (const table of [
    'oauth_grants',
    'oauth_codes',
    'rate_limits where subject not like $1',
    'audit',
    'audit_strangers where action not like $1',
  ]) {
    const values = table.includes('$1') ? ['%register%'] : [];
    assert.equal((await server.query(`select count(*) as n from ${table}`, values))[0]?.n, 0, table);
  }
});

test('the cookie is one per browser, and plain on local http', async () => {
  await using server = await createServer({ publicUrl: 'http://localhost:3000' });
  const { client_id } = await server.register();
  const first = (await server.authorize(client_id)).headers.get('set-cookie') ?? '';
  assert.match(first, /^pharlo_consent=[\w-]{22}; Path=\/; HttpOnly; SameSite=Lax$/);
  const cookie = first.split(';')[0] ?? '';
  assert.equal((await server.authorize(client_id, {}, { cookie })).headers.get('set-cookie'), first);
  const forged = await server.authorize(client_id, {}, { cookie: 'pharlo_consent=x' });
  assert.notEqual(forged.headers.get('set-cookie')?.split(';')[0], 'pharlo_consent=x');
});

test('unknown client or redirect URI: a page, never a Location', async () => {
  await using server = await createServer();
  const { client_id } = await server.register({ redirect_uris: [redirectUri, 'http://localhost/cb'] });
  const attempts: [string, Record<string, string | undefined>][] = [
    [`mcp_client_${'x'.repeat(22)}`, {}],
    ['', {}],
    ['a\0b', {}],
    ['<script>', {}],
    [client_id, { redirect_uri: undefined }],
    ...[`${redirectUri}/`, `${redirectUri}?x`, 'https://app.example.evil.com/cb', 'https://app.example:443/cb'].map(
      (redirect_uri): [string, Record<string, string>] => [client_id, { redirect_uri }],
    ),
    ...[
      'http://localhost.evil.com/cb',
      'http://localhost:1@evil.com/cb',
      'http://127.0.0.1/cb',
      'https://app.example:1/cb',
    ].map((redirect_uri): [string, Record<string, string>] => [client_id, { redirect_uri }]),
  ];
  for (const [id, changes] of attempts) {
    const response = await server.authorize(id, changes);
    assert.deepEqual([response.status, response.headers.get('location')], [400, null], JSON.stringify([id, changes]));
    assert.match(response.headers.get('content-type') ?? '', /^text\/html/);
    assert.match(response.headers.get('content-security-policy') ?? '', /frame-ancestors 'none'/);
    assert.equal(response.headers.get('x-frame-options'), 'DENY');
    assert.ok(!(await response.text()).includes('<script>'));
  }
  const query = new URLSearchParams({ client_id, redirect_uri: redirectUri, response_type: 'code' });
  for (const repeated of [`client_id=${client_id}`, `redirect_uri=${encodeURIComponent(redirectUri)}`]) {
    const response = await server.fetch(`/oauth/mcp/authorize?${query}&${repeated}`);
    assert.deepEqual([response.status, response.headers.get('location')], [400, null]);
  }
});

test('every other error is answered with error, description, state and one iss', async () => {
  await using server = await createServer();
  const { client_id } = await server.register({ redirect_uris: ['http://localhost/cb?keep=1'] });
  const redirect_uri = 'http://localhost:4242/cb?keep=1';
  const cases: [string, Record<string, string | undefined>][] = [
    ['invalid_request', { response_type: undefined }],
    ['unsupported_response_type', { response_type: 'token' }],
    ['unsupported_response_type', { response_type: 'code token' }],
    ['invalid_request', { response_mode: 'fragment' }],
    ['invalid_request', { response_mode: 'form_post' }],
    ['request_not_supported', { request: 'x' }],
    ['request_uri_not_supported', { request_uri: 'https://x.example' }],
    ['invalid_request', { code_challenge: undefined }],
    ['invalid_request', { code_challenge_method: undefined }],
    ['invalid_request', { code_challenge_method: 'plain' }],
    ['invalid_request', { code_challenge: codeChallenge.slice(1) }],
    ['invalid_request', { code_challenge: `${codeChallenge}x` }],
    ['invalid_request', { code_challenge: `${codeChallenge.slice(1)}+` }],
    ['invalid_scope', { scope: 'openid profile' }],
    ['invalid_target', { resource: 'https://other.example/_mcp' }],
    ['invalid_target', { resource: `${issuer}/_mcp#x` }],
  ];
  for (const [error, changes] of cases) {
    const response = await server.authorize(client_id, { redirect_uri, state: 'a&=%"<é 1', ...changes });
    const parameters = answer(response);
    assert.equal(parameters.get('error'), error, JSON.stringify(changes));
    assert.match(parameters.get('error_description') ?? '', /^[\x20-\x7e]+$/);
    assert.equal(parameters.get('state'), 'a&=%"<é 1');
    assert.deepEqual(parameters.getAll('iss'), [issuer]);
    assert.equal(parameters.get('keep'), '1');
    assert.equal(parameters.get('code'), null);
    assert.equal(response.headers.get('referrer-policy'), 'no-referrer');
  }
});

test('repeated parameters are refused, resource excepted', async () => {
  await using server = await createServer();
  const { client_id } = await server.register({ redirect_uris: ['http://localhost/cb'] });
  const good = { client_id, redirect_uri: loopback, response_type: 'code', code_challenge: codeChallenge };
  const query = new URLSearchParams({ ...good, code_challenge_method: 'S256', state: 's', scope: 'stats:read' });
  for (const name of ['response_type', 'code_challenge', 'code_challenge_method', 'scope', 'state', 'x']) {
    const twice = `${name}=${query.get(name) ?? 1}&${name}=${query.get(name) ?? 1}`;
    const rest = new URLSearchParams([...query].filter(([key]) => key !== name));
    const parameters = answer(await server.fetch(`/oauth/mcp/authorize?${rest}&${twice}`));
    assert.equal(parameters.get('error'), 'invalid_request', name);
    assert.equal(parameters.get('state'), name === 'state' ? null : 's');
  }
  const resource = encodeURIComponent(`${issuer}/_mcp`);
  const both = await server.fetch(`/oauth/mcp/authorize?${query}&resource=${resource}&resource=${resource}`);
  assert.match(both.headers.get('location') ?? '', /consent/);
});

test('an error goes to an unproven https address only through a page that names it', async () => {
  await using server = await createServer();
  const { client_id } = await server.register();
  const { key } = await server.addKey();
  const wrong = { response_type: 'token', state: '"><script>' };
  const response = await server.authorize(client_id, wrong);
  assert.deepEqual([response.status, response.headers.get('location')], [400, null]);
  const page = await response.text();
  assert.match(page, /unsupported_response_type/);
  assert.match(page, /app\.example/);
  assert.ok(!page.includes('"><script>'));
  const href = /href="([^"]+)"/.exec(page)?.[1]?.replaceAll('&amp;', '&') ?? '';
  const parameters = new URL(href).searchParams;
  assert.deepEqual(
    [parameters.get('error'), parameters.get('state'), parameters.get('iss')],
    ['unsupported_response_type', wrong.state, issuer],
  );
  await server.getCode(client_id, key);
  assert.equal((await server.authorize(client_id, wrong)).status, 400, 'a code alone proves nothing');
  await server.getTokens(client_id, key);
  assert.equal(answer(await server.authorize(client_id, wrong)).get('error'), 'unsupported_response_type');
  await server.query('update oauth_grants set revoked_at = pharlo_now()');
  assert.equal((await server.authorize(client_id, wrong)).status, 400, 'an ended grant proves nothing');
});

test('a state that is too long gets a page', async () => {
  await using server = await createServer();
  const { client_id } = await server.register({ redirect_uris: ['http://localhost/cb'] });
  const at = (state: string) => server.authorize(client_id, { redirect_uri: loopback, state });
  assert.equal((await at('s'.repeat(2000))).status, 302);
  assert.deepEqual([(await at('s'.repeat(2100))).status, (await at('\u0001'.repeat(400))).status], [400, 400]);
});

test('POST works as GET does', async () => {
  await using server = await createServer();
  const { client_id } = await server.register();
  const good = { client_id, redirect_uri: redirectUri, response_type: 'code', code_challenge: codeChallenge };
  const post = (body: string, type = 'application/x-www-form-urlencoded') =>
    server.fetch('/oauth/mcp/authorize', { method: 'POST', headers: { 'content-type': type }, body });
  const response = await post(`${new URLSearchParams({ ...good, code_challenge_method: 'S256' })}`);
  assert.match(response.headers.get('location') ?? '', /consent/);
  for (const [status, answered] of [
    [400, await post('{}', 'application/json')],
    [413, await post('x'.repeat(17_000))],
    [405, await server.fetch('/oauth/mcp/authorize', { method: 'PUT' })],
  ] as const) {
    assert.equal(answered.status, status);
    assert.match(answered.headers.get('content-type') ?? '', /^text\/html/);
  }
});
