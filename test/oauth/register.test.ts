import assert from 'node:assert/strict';
import { test } from 'node:test';
import { createServer, type Json, outcome, redirectUri } from './server.ts';

const full = {
  redirect_uris: [redirectUri],
  client_name: 'My App',
  grant_types: ['authorization_code', 'refresh_token'],
  response_types: ['code'],
  token_endpoint_auth_method: 'none',
  scope: 'assignments:read mcp.read',
};

test('a registration is answered in full, without a secret and without null', async () => {
  await using server = await createServer();
  const response = await server.registerRaw(full);
  assert.equal(response.status, 201);
  assert.equal(response.headers.get('cache-control'), 'no-store');
  const { client_id, client_id_issued_at, ...rest } = (await response.json()) as Json;
  assert.match(String(client_id), /^mcp_client_[\w-]{22}$/);
  assert.ok(Number.isInteger(client_id_issued_at) && Math.abs(Number(client_id_issued_at) - Date.now() / 1000) < 60);
  assert.deepEqual(rest, full);
});

test('members in the wild: unknown ones, nulls and empty strings are tolerated and answered with defaults', async () => {
  await using server = await createServer();
  const response = await server.registerRaw({
    redirect_uris: [redirectUri],
    client_name: '',
    client_uri: '',
    logo_uri: null,
    scope: null,
    grant_types: null,
    token_endpoint_auth_method: '',
    application_type: 'web',
    contacts: 7,
    software_statement: 'x',
  });
  assert.equal(response.status, 201);
  const { client_id, client_id_issued_at, ...rest } = (await response.json()) as Json;
  assert.ok(client_id && client_id_issued_at);
  assert.deepEqual(rest, {
    client_name: 'MCP client',
    redirect_uris: [redirectUri],
    grant_types: ['authorization_code', 'refresh_token'],
    response_types: ['code'],
    token_endpoint_auth_method: 'none',
  });
});

test('unknown scopes, grant and response types are left out of the answer', async () => {
  await using server = await createServer();
  const client = await server.register({
    scope: 'offline_access stats:read',
    grant_types: ['authorization_code', 'urn:ietf:params:oauth:grant-type:device_code'],
    response_types: ['token'],
  });
  assert.equal(client.scope, 'stats:read');
  assert.deepEqual(client.grant_types, ['authorization_code']);
  assert.deepEqual(client.response_types, ['code']);
  assert.ok(!('scope' in (await server.register({ scope: 'offline_access' }))));
});

test('odd redirect URIs sink alone; with none left the registration is refused', async () => {
  await using server = await createServer();
  const odd = [
    'javascript:alert(1)',
    'http://app.example/cb',
    'https://u@app.example/',
    `${redirectUri}#x`,
    '\0',
    7,
    null,
  ];
  const client = await server.register({ redirect_uris: [...odd, redirectUri, redirectUri, 'http://localhost/cb'] });
  assert.deepEqual(client.redirect_uris, [redirectUri, 'http://localhost/cb']);
  for (const uri of odd) {
    assert.deepEqual(await outcome(await server.registerRaw({ redirect_uris: [uri] })), [400, 'invalid_redirect_uri']);
  }
  for (const redirect_uris of [undefined, null, [], 'https://app.example/cb', {}]) {
    assert.deepEqual(await outcome(await server.registerRaw({ redirect_uris })), [400, 'invalid_redirect_uri']);
  }
});

test('names that could deceive are refused', async () => {
  await using server = await createServer();
  const names = [
    'a\u202eb',
    'a\u2066b',
    'a\u200eb',
    'a\nb',
    'a\0b',
    'a\u2028b',
    'a\ud800b',
    'a\ufeffb',
    'a'.repeat(101),
    7,
    {},
  ];
  for (const client_name of names) {
    const response = await server.registerRaw({ redirect_uris: [redirectUri], client_name });
    assert.deepEqual(await outcome(response), [400, 'invalid_client_metadata'], JSON.stringify(client_name));
  }
  for (const client_name of ['مساعد', '👩‍💻 助手', 'a'.repeat(100)]) {
    assert.equal((await server.register({ client_name })).client_name, client_name);
  }
});

test('an unknown method is refused, naming those there are', async () => {
  await using server = await createServer();
  for (const method of ['private_key_jwt', 'tls_client_auth', '__proto__']) {
    const response = await server.registerRaw({ redirect_uris: [redirectUri], token_endpoint_auth_method: method });
    const body = (await response.json()) as Json;
    assert.deepEqual([response.status, body.error], [400, 'invalid_client_metadata']);
    assert.match(String(body.error_description), /\bnone, client_secret_post, client_secret_basic\b/);
  }
});

test('only JSON objects of at most 16 KB are read, by POST', async () => {
  await using server = await createServer();
  assert.equal((await server.registerRaw('x', { 'content-type': 'text/plain' })).status, 415);
  assert.equal((await server.registerRaw({ ...full, padding: 'x'.repeat(16 * 1024) })).status, 413);
  for (const body of ['', '{', '[]', 'null', '7', '"x"']) {
    const response = await server.registerRaw(body);
    assert.deepEqual(await outcome(response), [400, 'invalid_client_metadata'], body);
  }
  const get = await server.fetch('/oauth/mcp/register');
  assert.deepEqual([get.status, get.headers.get('allow')], [405, 'POST, OPTIONS']);
});

test('an identical registration gets the same client, also in parallel, and does not count', async () => {
  await using server = await createServer();
  const all = await Promise.all(Array.from({ length: 20 }, () => server.register(full)));
  assert.equal(new Set(all.map(({ client_id }) => client_id)).size, 1);
  assert.notEqual((await server.register({ ...full, scope: 'stats:read' })).client_id, all[0]?.client_id);
  assert.equal((await server.query('select count(*) as n from oauth_clients'))[0]?.n, 2);
});

test('300 registrations an hour and network; then 429 with Retry-After, for that network and new ones only', async () => {
  await using server = await createServer();
  const register = (n: number, network: string) =>
    server.registerRaw({ ...full, client_name: `App ${n}` }, { 'x-test-network': network });
  for (let n = 0; n < 300; n += 50) {
    const batch = await Promise.all(Array.from({ length: 50 }, (_, i) => register(n + i, '192.0.2.7')));
    assert.ok(batch.every(({ status }) => status === 201));
  }
  // On a slow machine a few more come back while the 300 are made.
  let more = 300;
  let refused = await register(more, '192.0.2.7');
  while (refused.status === 201 && more < 320) refused = await register(++more, '192.0.2.7');
  const wait = Number(refused.headers.get('retry-after'));
  assert.ok(wait >= 1 && wait <= 12);
  assert.deepEqual(await outcome(refused), [429, 'too_many_requests']);
  assert.equal((await register(1, '192.0.2.7')).status, 201, 'identical');
  assert.equal((await register(401, '192.0.2.8')).status, 201, 'another network');
  await server.advance(12);
  assert.equal((await register(402, '192.0.2.7')).status, 201, 'later');
});

test('a scheme the operator named works from registration to tokens', async () => {
  await using server = await createServer();
  const redirect_uri = 'appscheme://oauth/cb';
  const client = await server.register({ redirect_uris: [redirect_uri, 'otherapp://oauth/cb'] });
  assert.deepEqual(client.redirect_uris, [redirect_uri]);
  const { key } = await server.addKey();
  const code = await server.getCode(client.client_id, key, { redirect_uri });
  assert.equal((await server.exchange(client.client_id, code, { redirect_uri })).status, 200);
});
