import assert from 'node:assert/strict';
import { test } from 'node:test';
import { authenticate } from '../../src/oauth/index.ts';
import { revokeKey } from '../../src/store/api-keys.ts';
import { sweepExpired } from '../../src/store/sweep.ts';
import { createServer, issuer, type Json, outcome, type Server } from './server.ts';

type Tokens = { access_token: string; refresh_token: string; scope: string; expires_in: number };

const resource = `${issuer}/_mcp`;

async function isLive(server: Server, token: string): Promise<boolean> {
  return (await authenticate(server.deps, `Bearer ${token}`, 'mcp')).ok;
}

/** A client that named a resource, its key and its first tokens. */
async function start(server: Server) {
  const { client_id } = await server.register();
  const { id: keyId, key } = await server.addKey();
  const first = await server.getTokens(client_id, key, { resource, scope: 'stats:read platforms:read' });
  const refresh = async (token: string, changes: Record<string, string> = {}) =>
    (await (await server.refresh(client_id, token, changes)).json()) as Tokens & Json;
  return { client_id, keyId, key, first, refresh };
}

test('64 parallel refreshes of a client that named a resource: 64 answers, one pair', async () => {
  await using server = await createServer();
  const { client_id, first } = await start(server);
  const answers = await Promise.all(Array.from({ length: 64 }, () => server.refresh(client_id, first.refresh_token)));
  assert.deepEqual([...new Set(answers.map(({ status }) => status))], [200]);
  const pairs = (await Promise.all(answers.map((answer) => answer.json()))) as Tokens[];
  assert.equal(new Set(pairs.map((pair) => `${pair.access_token} ${pair.refresh_token} ${pair.scope}`)).size, 1);
  for (const answer of answers) assert.equal(answer.headers.get('cache-control'), 'no-store');
  assert.equal((await server.query(`select count(*) as n from oauth_tokens where kind = 'access'`))[0]?.n, 2);
  assert.ok(await isLive(server, pairs[0]?.access_token ?? ''));
  assert.equal((await server.refresh(client_id, pairs[0]?.refresh_token ?? '')).status, 200);
});

test('within 30 s the same pair, expires_in counted from its first issue; then the end of the grant', async () => {
  await using server = await createServer();
  const { client_id, first, refresh } = await start(server);
  const second = await refresh(first.refresh_token);
  assert.equal(second.expires_in, 3600);
  await server.advance(25);
  const again = await refresh(first.refresh_token);
  assert.deepEqual({ ...again, expires_in: 0 }, { ...second, expires_in: 0 });
  assert.ok(again.expires_in <= 3575 && again.expires_in > 3560, String(again.expires_in));
  await server.advance(6);
  assert.deepEqual(await outcome(await server.refresh(client_id, first.refresh_token)), [400, 'invalid_grant']);
  assert.equal(await isLive(server, second.access_token), false);
  assert.deepEqual(await outcome(await server.refresh(client_id, second.refresh_token)), [400, 'invalid_grant']);
});

test('another scope, resource or client, a used or a dead successor: invalid_grant, and the grant ends', async () => {
  await using server = await createServer();
  const { client_id, key, refresh } = await start(server);
  const other = await server.register({ client_name: 'Other' });
  await server.getTokens(other.client_id, key, { resource });
  const asked = { scope: 'stats:read platforms:read' };
  const cases: Record<string, (old: string, next: Tokens) => Promise<Response>> = {
    scope: (old) => server.refresh(client_id, old, { scope: 'stats:read' }),
    'wider scope': (old) => server.refresh(client_id, old, { scope: 'webhooks:read' }),
    client: (old) => server.refresh(other.client_id, old),
    used: async (old, next) => {
      await refresh(next.refresh_token);
      return server.refresh(client_id, old);
    },
    'dead access token': async (old, next) => {
      await server.query('update oauth_tokens set expires_at = pharlo_now() where token_hash = sha256($1)', [
        Buffer.from(next.access_token),
      ]);
      return server.refresh(client_id, old);
    },
  };
  for (const [name, repeat] of Object.entries(cases)) {
    const old = await server.getTokens(client_id, key, { resource, ...asked });
    const next = await refresh(old.refresh_token);
    assert.deepEqual(await outcome(await repeat(old.refresh_token, next)), [400, 'invalid_grant'], name);
    assert.equal(await isLive(server, next.access_token), false, name);
  }
  const open = await server.getTokens(client_id, key, asked);
  const narrowed = await refresh(open.refresh_token, { resource });
  assert.deepEqual((await refresh(open.refresh_token, { resource })).access_token, narrowed.access_token);
  assert.deepEqual(await outcome(await server.refresh(client_id, open.refresh_token)), [400, 'invalid_grant']);
  assert.equal(await isLive(server, narrowed.access_token), false, 'resource');
});

test('nothing is repeated once key or grant have ended', async () => {
  await using server = await createServer();
  const { client_id, keyId, first, refresh } = await start(server);
  await refresh(first.refresh_token);
  await revokeKey(server.deps.db, server.workspaceId, keyId);
  assert.deepEqual(await outcome(await server.refresh(client_id, first.refresh_token)), [400, 'invalid_grant']);
});

test('the sweep empties what is older than 30 s and nothing else', async () => {
  await using server = await createServer();
  const { first, refresh } = await start(server);
  const kept = async () =>
    (await server.query('select count(*) as n from oauth_tokens where successor is not null'))[0]?.n;
  await refresh(first.refresh_token);
  await sweepExpired(server.deps.db);
  assert.equal(await kept(), 1);
  await server.advance(31);
  await sweepExpired(server.deps.db);
  assert.equal(await kept(), 0);
});

test('a client that never named a resource keeps nothing to repeat', async () => {
  await using server = await createServer();
  const { client_id } = await server.register();
  const { key } = await server.addKey();
  const first = await server.getTokens(client_id, key);
  assert.equal((await server.refresh(client_id, first.refresh_token)).status, 200);
  assert.equal((await server.query('select count(*) as n from oauth_tokens where successor is not null'))[0]?.n, 0);
  assert.deepEqual(await outcome(await server.refresh(client_id, first.refresh_token)), [401, 'invalid_token']);
});
