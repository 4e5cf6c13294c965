import assert from 'node:assert/strict';
import { test } from 'node:test';
import { scopes } from '../../src/domain/access.ts';
import { newId } from '../../src/domain/ids.ts';
import { authenticate, challenge, scopeChallenge } from '../../src/oauth/index.ts';
import { revokeKey } from '../../src/store/api-keys.ts';
import { revokeGrant } from '../../src/store/oauth-grants.ts';
import { createServer, issuer } from './server.ts';

test('a token tells who is calling: granted scopes within the key’s, its organization, key and grant', async () => {
  await using server = await createServer();
  const { client_id } = await server.register();
  const organizationId = newId(server.deps.now(), server.deps.random);
  await server.query(`insert into organizations (id, workspace_id, name, slug) values ($1, $2, 'O', 'o')`, [
    organizationId,
    server.workspaceId,
  ]);
  const { id: keyId, key } = await server.addKey({ scopes: ['stats:read', 'platforms:read'], organizationId });
  const { access_token } = await server.getTokens(client_id, key, { scope: 'stats:read assignments:write' });
  const answer = await authenticate(server.deps, `Bearer ${access_token}`, 'mcp');
  const [grant] = await server.query('select id from oauth_grants');
  assert.ok(answer.ok);
  assert.deepEqual(answer.caller, {
    via: 'mcp',
    workspaceId: server.workspaceId,
    organizationId,
    keyId,
    grantId: grant?.id,
    scopes: new Set(['stats:read']),
  });
  assert.ok(Math.abs((answer.expiresAt ?? 0) - server.deps.now() - 3_600_000) < 10_000);
  await server.query(`update api_keys set scopes = '{platforms:read}'`);
  const narrowed = await authenticate(server.deps, `Bearer ${access_token}`, 'mcp');
  assert.deepEqual(narrowed.ok && [...narrowed.caller.scopes], []);
});

test('each door takes what belongs to it', async () => {
  await using server = await createServer();
  const { client_id } = await server.register();
  const { id: keyId, key } = await server.addKey();
  const open = await server.getTokens(client_id, key);
  const bound = await server.getTokens(client_id, key, { resource: `${issuer}/_mcp` });
  const code = await server.getCode(client_id, key);
  const via = async (secret: string, door: 'mcp' | 'rest') => {
    const answer = await authenticate(server.deps, `Bearer ${secret}`, door);
    return answer.ok && answer.caller.via;
  };
  assert.deepEqual([await via(open.access_token, 'mcp'), await via(open.access_token, 'rest')], ['mcp', 'rest']);
  assert.deepEqual([await via(bound.access_token, 'mcp'), await via(bound.access_token, 'rest')], ['mcp', false]);
  assert.deepEqual([await via(key, 'mcp'), await via(key, 'rest')], [false, 'rest']);
  for (const secret of [open.refresh_token, code]) {
    assert.deepEqual([await via(secret, 'mcp'), await via(secret, 'rest')], [false, false]);
  }
  await server.query(`update oauth_tokens set kind = case kind when 'access' then 'refresh' else 'access' end`);
  assert.deepEqual(
    [await via(open.access_token, 'mcp'), await via(key, 'rest')],
    [false, 'rest'],
    'the kind is checked',
  );
  await server.query(`update oauth_tokens set kind = case kind when 'access' then 'refresh' else 'access' end`);
  const byKey = await authenticate(server.deps, `Bearer ${key}`, 'rest');
  assert.deepEqual(byKey, {
    ok: true,
    caller: { via: 'rest', workspaceId: server.workspaceId, keyId, scopes: new Set(scopes) },
  });
  await server.query(`update oauth_tokens set resource = 'https://other.example/_mcp' where resource is not null`);
  assert.equal(await via(bound.access_token, 'mcp'), false, 'a token for another resource');
});

test('exactly one space after Bearer and none inside', async () => {
  await using server = await createServer();
  const { client_id } = await server.register();
  const { key } = await server.addKey();
  const { access_token: token } = await server.getTokens(client_id, key);
  for (const header of [`Bearer ${token}`, `bearer ${token}`, `BEARER ${token}`]) {
    assert.ok((await authenticate(server.deps, header, 'mcp')).ok, header);
  }
  const presented = [
    `Bearer  ${token}`,
    `Bearer\t${token}`,
    `Bearer ${token} x`,
    `Bearer ${token.slice(0, 9)} ${token.slice(9)}`,
  ];
  for (const header of [...presented, `Bearer ${token}\n`, 'Bearer x', 'Bearer mcp_at_x', 'Bearer \0']) {
    assert.deepEqual(
      await authenticate(server.deps, header, 'mcp'),
      { ok: false, presented: true },
      JSON.stringify(header),
    );
  }
  for (const header of [null, '', 'Bearer', 'Bearer ', 'Basic eDp5', token, ` Bearer ${token}`]) {
    assert.deepEqual(await authenticate(server.deps, header, 'mcp'), { ok: false, presented: false }, String(header));
  }
});

test('a revocation holds from the next request on', async () => {
  await using server = await createServer();
  const { client_id } = await server.register();
  const { id, key } = await server.addKey();
  const [first, second] = [await server.getTokens(client_id, key), await server.getTokens(client_id, key)];
  const live = async (token: string, door: 'mcp' | 'rest' = 'mcp') =>
    (await authenticate(server.deps, `Bearer ${token}`, door)).ok;
  const [grant] = await server.query('select grant_id from oauth_tokens where token_hash = sha256($1)', [
    Buffer.from(first.access_token),
  ]);
  assert.ok(await live(first.access_token));
  assert.ok(await revokeGrant(server.deps.db, String(grant?.grant_id), 'test'));
  assert.deepEqual([await live(first.access_token), await live(second.access_token)], [false, true]);
  assert.equal(await revokeKey(server.deps.db, server.workspaceId, id), true);
  assert.equal(await revokeKey(server.deps.db, server.workspaceId, id), false);
  assert.deepEqual([await live(second.access_token), await live(key, 'rest')], [false, false]);
});

test('one statement per request; the last use is noted once a minute', async () => {
  await using server = await createServer();
  const { client_id } = await server.register();
  const { key } = await server.addKey();
  const { access_token } = await server.getTokens(client_id, key);
  const names: unknown[] = [];
  const { query } = server.deps.db;
  const counted: typeof server.deps = {
    ...server.deps,
    db: {
      ...server.deps.db,
      query: (statement) => {
        names.push(statement.name);
        return query(statement);
      },
    },
  };
  const use = () => authenticate(counted, `Bearer ${access_token}`, 'mcp');
  await use();
  assert.deepEqual(names.splice(0), ['oauth_tokens_find_access', 'oauth_grants_touch']);
  await use();
  assert.deepEqual(names.splice(0), ['oauth_tokens_find_access']);
  await server.advance(61);
  await use();
  assert.deepEqual(names.splice(0), ['oauth_tokens_find_access', 'oauth_grants_touch']);
  await authenticate(counted, `Bearer ${key}`, 'rest');
  assert.deepEqual(names.splice(0), ['api_keys_find_by_hash']);
});

test('challenges: an error only for a presented token, held and missing scopes in listing order, ASCII', async () => {
  await using server = await createServer();
  const metadata = `resource_metadata="${issuer}/.well-known/oauth-protected-resource/_mcp"`;
  const bare = challenge(server.deps, false);
  assert.equal(bare, `Bearer scope="${scopes.join(' ')}", ${metadata}`);
  const told = challenge(server.deps, true);
  assert.match(told, /^Bearer error="invalid_token", error_description="[^"]+", scope="/);
  assert.ok(told.endsWith(metadata));
  const wanted = scopeChallenge(server.deps, new Set(['stats:read'] as const), ['assignments:write']);
  assert.match(wanted, /^Bearer error="insufficient_scope"/);
  assert.match(wanted, / scope="assignments:write stats:read", /);
  assert.ok(wanted.endsWith(metadata));
  for (const text of [bare, told, wanted]) assert.match(text, /^[\x20-\x7e]+$/);
});
