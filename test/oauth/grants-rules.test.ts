import assert from 'node:assert/strict';
import { createHash } from 'node:crypto';
import { test } from 'node:test';
import { authenticate } from '../../src/oauth/index.ts';
import { createServer, issuer, type Json, outcome, redirectUri, type Server, verifier } from './server.ts';

type Tokens = { access_token: string; refresh_token: string; scope: string; expires_in: number };

const resource = `${issuer}/_mcp`;

async function isLive(server: Server, token: string): Promise<boolean> {
  return (await authenticate(server.deps, `Bearer ${token}`, 'mcp')).ok;
}

test('a token answer has these members, in this shape, and no other', async () => {
  await using server = await createServer();
  const { client_id } = await server.register();
  const once = await server.register({ grant_types: ['authorization_code'] });
  const { key } = await server.addKey();
  const shapeOf = async (response: Response) => {
    const body = (await response.json()) as Json;
    return [response.status, { ...body, access_token: typeof body.access_token }];
  };
  const scope = 'stats:read';
  const plain = { access_token: 'string', token_type: 'Bearer', expires_in: 3600, scope };
  const alone = await server.exchange(once.client_id, await server.getCode(once.client_id, key, { scope }));
  assert.deepEqual(await shapeOf(alone), [200, plain]);
  const tokens = await server.getTokens(client_id, key, { scope });
  const next = await server.refresh(client_id, tokens.refresh_token);
  const { refresh_token } = (await next.clone().json()) as Tokens;
  assert.match(refresh_token, /^mcp_rt_/);
  assert.deepEqual(await shapeOf(next), [200, { ...plain, refresh_token }]);
});

test('what is stored of a pair: scopes, resource and end, the refresh token always with all of the grant', async () => {
  await using server = await createServer();
  const { client_id } = await server.register();
  const { key } = await server.addKey();
  const scope = 'platforms:read stats:read';
  const tokens = await server.getTokens(client_id, key, { scope });
  await server.query('delete from oauth_tokens where kind = $1', ['access']);
  await server.refresh(client_id, tokens.refresh_token, { scope: 'stats:read', resource });
  const rows = await server.query(
    `select kind, scopes, resource, extract(epoch from expires_at - created_at)::int as lives from oauth_tokens
     where rotated_at is null order by kind`,
  );
  assert.deepEqual(rows, [
    { kind: 'access', scopes: ['stats:read'], resource, lives: 3600 },
    { kind: 'refresh', scopes: ['platforms:read', 'stats:read'], resource: null, lives: 30 * 24 * 3600 },
  ]);
});

test('a client that names a resource once is of the MCP profile from then on, and no other', async () => {
  await using server = await createServer();
  const [plain, asking, refreshing] = [
    await server.register({ client_name: 'a' }),
    await server.register({ client_name: 'b' }),
    await server.register({ client_name: 'c' }),
  ];
  const { key } = await server.addKey();
  const isProfile = async (id: string) =>
    (await server.query('select mcp_profile from oauth_clients where id = $1', [id]))[0]?.mcp_profile;
  const tokens = await server.getTokens(plain.client_id, key);
  await server.refresh(plain.client_id, tokens.refresh_token);
  await server.getCode(asking.client_id, key, { resource });
  const later = await server.getTokens(refreshing.client_id, key);
  assert.equal(await isProfile(refreshing.client_id), false);
  await server.refresh(refreshing.client_id, later.refresh_token, { resource });
  assert.deepEqual(
    [await isProfile(plain.client_id), await isProfile(asking.client_id), await isProfile(refreshing.client_id)],
    [false, true, true],
  );
});

test('verifiers of 43 to 128 unreserved characters, compared by their hash', async () => {
  await using server = await createServer();
  const { client_id } = await server.register();
  const { key } = await server.addKey();
  const exchange = async (code_verifier: string) => {
    const code_challenge = createHash('sha256').update(code_verifier).digest('base64url');
    const code = await server.getCode(client_id, key, { code_challenge });
    return (await outcome(await server.exchange(client_id, code, { code_verifier }))).join(' ');
  };
  for (const good of [verifier, 'v'.repeat(128), `${'A-._~9'.repeat(8)}`]) assert.equal(await exchange(good), '200 ok');
  for (const bad of [
    'v'.repeat(42),
    'v'.repeat(129),
    `${verifier}!`,
    `!${verifier}`,
    `${verifier}\n`,
    `${verifier}é`,
  ]) {
    assert.equal(await exchange(bad), '400 invalid_request', bad);
  }
});

test('a code is for the address it was asked for, and that must still be one', async () => {
  await using server = await createServer();
  const { client_id } = await server.register({ redirect_uris: [redirectUri, `${redirectUri}2`] });
  const { key } = await server.addKey();
  const code = await server.getCode(client_id, key);
  for (const redirect_uri of [`${redirectUri}2`, 'x', 'javascript:alert(1)']) {
    assert.deepEqual(await outcome(await server.exchange(client_id, code, { redirect_uri })), [400, 'invalid_grant']);
  }
  assert.equal((await server.exchange(client_id, code)).status, 200);
});

test('a repeated refresh asks for the same scopes in any words, and is answered as before', async () => {
  await using server = await createServer();
  const { client_id } = await server.register();
  const { key } = await server.addKey();
  const scope = 'platforms:read stats:read';
  const first = await server.getTokens(client_id, key, { scope, resource });
  const second = (await (await server.refresh(client_id, first.refresh_token)).json()) as Tokens;
  for (const again of [{}, { scope: 'stats:read platforms:read' }, { resource }, { scope: '' }]) {
    const response = await server.refresh(client_id, first.refresh_token, again as Record<string, string>);
    const body = (await response.json()) as Tokens;
    assert.equal(body.access_token, second.access_token, JSON.stringify(again));
    assert.ok(body.expires_in <= 3600 && body.expires_in > 3500);
  }
  const [row] = await server.query('select successor from oauth_tokens where successor is not null');
  const kept = server.deps.vault.under(first.refresh_token).open('oauth successor', row?.successor as Uint8Array);
  assert.equal((JSON.parse(kept ?? '{}') as Tokens).access_token, second.access_token, 'sealed under the old token');
  assert.ok(await isLive(server, second.access_token));
});

test('a plain client racing itself loses nothing, whatever the words of its scope', async () => {
  await using server = await createServer();
  const { client_id } = await server.register();
  const { key } = await server.addKey();
  const scope = 'platforms:read stats:read';
  const racing = async (words: Record<string, string>) => {
    const first = await server.getTokens(client_id, key, { scope });
    const second = (await (await server.refresh(client_id, first.refresh_token)).json()) as Tokens;
    assert.deepEqual(await outcome(await server.refresh(client_id, first.refresh_token, words)), [
      401,
      'invalid_token',
    ]);
    return isLive(server, second.access_token);
  };
  assert.equal(await racing({}), true);
  assert.equal(await racing({ scope: ' ' }), true);
  assert.equal(await racing({ scope: ' stats:read platforms:read ' }), true);
  assert.equal(await racing({ scope: 'stats:read' }), false);
});

test('a client without refresh tokens registered for none can be given none, not even a stolen one', async () => {
  await using server = await createServer();
  const { client_id } = await server.register();
  const once = await server.register({ grant_types: ['authorization_code'] });
  const { key } = await server.addKey();
  const { refresh_token, access_token } = await server.getTokens(client_id, key);
  assert.deepEqual(await outcome(await server.refresh(once.client_id, refresh_token)), [400, 'unauthorized_client']);
  assert.ok(await isLive(server, access_token));
  assert.equal((await server.refresh(client_id, refresh_token)).status, 200);
});

test('introspection counts in whole seconds and tells what each kind of token is', async () => {
  await using server = await createServer();
  const { client_id } = await server.register();
  const { key } = await server.addKey();
  const { access_token, refresh_token } = await server.getTokens(client_id, key, { scope: 'stats:read' });
  const [access, refresh] = await server.query(
    `select floor(extract(epoch from created_at))::float8 as iat, floor(extract(epoch from expires_at))::float8 as exp
     from oauth_tokens order by kind`,
  );
  const tell = async (token: string) => (await (await server.introspect(client_id, token)).json()) as Json;
  const shared = {
    active: true,
    iss: issuer,
    sub: server.workspaceId,
    aud: [resource, `${issuer}/api/v1`],
    client_id,
    scope: 'stats:read',
  };
  assert.deepEqual(await tell(access_token), { ...shared, token_type: 'Bearer', ...access });
  assert.deepEqual(await tell(refresh_token), { ...shared, ...refresh });
});
