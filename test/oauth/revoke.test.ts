import assert from 'node:assert/strict';
import { test } from 'node:test';
import * as oauth from 'oauth4webapi';
import { authenticate } from '../../src/oauth/index.ts';
import { createServer, issuer, type Json, outcome, type Server } from './server.ts';

async function isLive(server: Server, token: string): Promise<boolean> {
  return (await authenticate(server.deps, `Bearer ${token}`, 'mcp')).ok;
}

test('a refresh token ends its grant, an access token only itself', async () => {
  await using server = await createServer();
  const { client_id } = await server.register();
  const { key } = await server.addKey();
  const [first, second] = [await server.getTokens(client_id, key), await server.getTokens(client_id, key)];
  const answer = await server.revoke(client_id, first.access_token);
  assert.deepEqual([answer.status, answer.headers.get('cache-control')], [200, 'no-store']);
  assert.equal(await isLive(server, first.access_token), false);
  const next = (await (await server.refresh(client_id, first.refresh_token)).json()) as typeof first;
  assert.ok(await isLive(server, next.access_token));
  assert.equal((await server.revoke(client_id, next.refresh_token)).status, 200);
  assert.equal(await isLive(server, next.access_token), false);
  assert.deepEqual(await outcome(await server.refresh(client_id, next.refresh_token)), [401, 'invalid_token']);
  assert.ok(await isLive(server, second.access_token), 'another grant');
  const entries = await server.query(
    `select action, target, client_id from audit where action = 'oauth.revoke' order by id`,
  );
  assert.deepEqual(entries, [
    { action: 'oauth.revoke', target: 'access_token', client_id },
    { action: 'oauth.revoke', target: 'refresh_token', client_id },
  ]);
});

test('a rotated refresh token still ends its grant', async () => {
  await using server = await createServer();
  const { client_id } = await server.register();
  const { key } = await server.addKey();
  const first = await server.getTokens(client_id, key, { resource: `${issuer}/_mcp` });
  const next = (await (await server.refresh(client_id, first.refresh_token)).json()) as typeof first;
  assert.equal((await server.revoke(client_id, first.refresh_token, { token_type_hint: 'access_token' })).status, 200);
  assert.equal(await isLive(server, next.access_token), false);
  assert.deepEqual(await outcome(await server.refresh(client_id, first.refresh_token)), [400, 'invalid_grant']);
});

test('unknown and foreign tokens are answered alike and nothing happens', async () => {
  await using server = await createServer();
  const { client_id } = await server.register();
  const other = await server.register({ client_name: 'Other' });
  const { key } = await server.addKey();
  const tokens = await server.getTokens(client_id, key);
  for (const token of [tokens.access_token, tokens.refresh_token, 'x', '\0', key]) {
    const answer = await server.revoke(other.client_id, token);
    assert.deepEqual([answer.status, await answer.text()], [200, '{}'], token);
  }
  assert.ok(await isLive(server, tokens.access_token));
  assert.equal((await server.refresh(client_id, tokens.refresh_token)).status, 200);
  assert.equal((await server.query(`select count(*) as n from audit where action = 'oauth.revoke'`))[0]?.n, 0);
});

for (const path of ['/oauth/mcp/revoke', '/oauth/mcp/introspect']) {
  test(`${path} asks who is calling and for a form`, async () => {
    await using server = await createServer();
    const { client_id } = await server.register();
    const secret = await server.register({ token_endpoint_auth_method: 'client_secret_post' });
    const { key } = await server.addKey();
    const code = await server.getCode(secret.client_id, key);
    const proof = { client_secret: String(secret.client_secret) };
    const given = (await (await server.exchange(secret.client_id, code, proof)).json()) as { access_token: string };
    const token = given.access_token;
    const unknown = `mcp_client_${'x'.repeat(22)}`;
    const cases: [number, string, Record<string, string> | [string, string][], Record<string, string>?][] = [
      [400, 'invalid_request', { token }],
      [400, 'invalid_request', { client_id }],
      [400, 'invalid_client', { client_id: unknown, token }],
      [401, 'invalid_client', { client_id: secret.client_id, token }],
      [401, 'invalid_client', { client_id: secret.client_id, client_secret: 'x', token }],
      [401, 'invalid_client', { token }, { authorization: `Basic ${btoa(`${secret.client_id}:x`)}` }],
      [400, 'invalid_request', [...Object.entries({ client_id, token }), ['token', token]]],
      [400, 'invalid_request', { client_id, token }, { 'content-type': 'application/json' }],
    ];
    for (const [status, error, form, headers] of cases) {
      assert.deepEqual(await outcome(await server.post(path, form, headers)), [status, error], JSON.stringify(form));
    }
    assert.equal((await server.fetch(`${path}?token=${token}&client_id=${client_id}`)).status, 405);
    assert.ok(await isLive(server, token));
  });
}

test('introspection tells a client of its own live tokens, and of nothing else', async () => {
  await using server = await createServer();
  const { client_id } = await server.register();
  const other = await server.register({ client_name: 'Other' });
  const { key } = await server.addKey({ scopes: ['stats:read', 'platforms:read'] });
  const bound = await server.getTokens(client_id, key, { resource: issuer, scope: 'stats:read' });
  const open = await server.getTokens(client_id, key, { scope: 'stats:read platforms:read' });
  const ask = async (token: string, id: string = client_id) =>
    (await (await server.introspect(id, token)).json()) as Json & { iat: number; exp: number };

  const { iat, exp, ...rest } = await ask(bound.access_token);
  assert.deepEqual(rest, {
    active: true,
    iss: issuer,
    sub: server.workspaceId,
    aud: `${issuer}/_mcp`,
    client_id,
    token_type: 'Bearer',
    scope: 'stats:read',
  });
  assert.equal(exp - iat, 3600);
  assert.deepEqual((await ask(open.access_token)).aud, [`${issuer}/_mcp`, `${issuer}/api/v1`]);
  const refresh = await ask(open.refresh_token);
  assert.deepEqual([refresh.active, refresh.token_type, refresh.exp - refresh.iat], [true, undefined, 30 * 24 * 3600]);

  for (const token of [bound.access_token, bound.refresh_token]) {
    assert.deepEqual(await ask(token, other.client_id), { active: false });
  }
  await server.query(`update api_keys set scopes = '{platforms:read}'`);
  assert.equal((await ask(open.access_token)).scope, 'platforms:read');
  assert.ok(!('scope' in (await ask(bound.access_token))));
  await server.refresh(client_id, bound.refresh_token);
  assert.deepEqual(await ask(bound.refresh_token), { active: false }, 'rotated');
  await server.revoke(client_id, open.refresh_token);
  for (const token of [open.access_token, open.refresh_token, key, 'x', '\0']) {
    assert.deepEqual(await ask(token), { active: false });
  }
  await server.advance(3601);
  assert.deepEqual(await ask(bound.access_token), { active: false }, 'expired');
});

test('a strict client introspects and revokes', async () => {
  await using server = await createServer();
  const { key } = await server.addKey();
  const via = { [oauth.customFetch]: (url: string, init: object) => server.fetch(url, init as RequestInit) };
  const discovery = await oauth.discoveryRequest(new URL(issuer), { algorithm: 'oauth2', ...via });
  const as = await oauth.processDiscoveryResponse(new URL(issuer), discovery);
  const { client_id, client_secret } = await server.register({ token_endpoint_auth_method: 'client_secret_basic' });
  const client = { client_id };
  const proof = oauth.ClientSecretBasic(String(client_secret));
  const code = await server.getCode(client_id, key);
  const form = {
    grant_type: 'authorization_code',
    code,
    redirect_uri: 'https://app.example/cb',
    code_verifier: 'v'.repeat(43),
  };
  const authorization = `Basic ${btoa(`${client_id}:${client_secret}`)}`;
  const { access_token } = (await (await server.token(form, { authorization })).json()) as { access_token: string };
  const ask = async () =>
    oauth.processIntrospectionResponse(
      as,
      client,
      await oauth.introspectionRequest(as, client, proof, access_token, via),
    );
  assert.equal((await ask()).active, true);
  await oauth.processRevocationResponse(await oauth.revocationRequest(as, client, proof, access_token, via));
  assert.equal((await ask()).active, false);
});
