import assert from 'node:assert/strict';
import { test } from 'node:test';
import { countRefusal, countStranger } from '../../src/store/audit.ts';
import { readLimit, returnToLimit, takeFromLimit } from '../../src/store/rate-limits.ts';
import { createServer, outcome } from './server.ts';

test('a limit lets a burst through, then one at a time, and forgets nothing in parallel', async () => {
  await using server = await createServer();
  const { db } = server.deps;
  const limit = { everySeconds: 60, burst: 5 };
  assert.equal(await readLimit(db, 'a', limit), 0);
  const waits = await Promise.all(Array.from({ length: 20 }, () => takeFromLimit(db, 'a', limit)));
  assert.equal(waits.filter((wait) => wait === 0).length, 5);
  assert.ok(waits.every((wait) => wait === 0 || (wait > 50 && wait <= 60)));
  assert.ok((await readLimit(db, 'a', limit)) > 50);
  assert.equal(await takeFromLimit(db, 'b', limit), 0, 'another subject');
  await returnToLimit(db, 'a', limit);
  assert.equal(await readLimit(db, 'a', limit), 0);
  assert.equal(await takeFromLimit(db, 'a', limit), 0);
  assert.ok((await takeFromLimit(db, 'a', limit)) > 50);
  await server.advance(60);
  assert.equal(await takeFromLimit(db, 'a', limit), 0);
  await server.advance(3600);
  const later = await Promise.all(Array.from({ length: 20 }, () => takeFromLimit(db, 'a', limit)));
  assert.equal(later.filter((wait) => wait === 0).length, 5, 'an idle subject saves up no more than the burst');
});

test('refused token requests are limited per client and network; nobody starves the users of a shared client', async () => {
  await using server = await createServer();
  const { client_id } = await server.register();
  const other = await server.register({ client_name: 'Other' });
  const { key } = await server.addKey();
  const tokens = await server.getTokens(client_id, key);
  const bad = (id: string, network: string) =>
    server.token({ grant_type: 'refresh_token', client_id: id, refresh_token: 'x' }, { 'x-test-network': network });
  // Ten a second come back: what is sent has to outrun that.
  const flood = await Promise.all(Array.from({ length: 400 }, () => bad(client_id, '192.0.2.66')));
  assert.ok(flood.filter(({ status }) => status === 400).length >= 200);
  const refused = flood.find(({ status }) => status === 429);
  assert.ok(refused, 'the flood is stopped');
  assert.ok(Number(refused.headers.get('retry-after')) >= 1);
  assert.equal(refused.headers.get('cache-control'), 'no-store');
  assert.deepEqual(await outcome(refused), [429, 'too_many_requests']);
  assert.equal((await bad(other.client_id, '192.0.2.66')).status, 400, 'another client');
  assert.equal((await server.refresh(client_id, tokens.refresh_token)).status, 200, 'another network');
  const lines = await server.query(
    `select network, client_id, outcome, sum(count)::int as n from audit_strangers
     where action = 'oauth.token_refused' group by 1, 2, 3 order by client_id = $1 desc, outcome`,
    [client_id],
  );
  const granted = flood.filter(({ status }) => status === 400).length;
  assert.deepEqual(lines, [
    { network: '192.0.2.66', client_id, outcome: 'invalid_grant', n: granted },
    { network: '192.0.2.66', client_id, outcome: 'too_many_requests', n: 400 - granted },
    { network: '192.0.2.66', client_id: other.client_id, outcome: 'invalid_grant', n: 1 },
  ]);
});

test('good refreshes count per grant and a refused one burns nothing', async () => {
  await using server = await createServer();
  const { client_id } = await server.register();
  const { key } = await server.addKey();
  let { refresh_token } = await server.getTokens(client_id, key);
  const { refresh_token: other } = await server.getTokens(client_id, key);
  const [grant] = await server.query('select grant_id from oauth_tokens where token_hash = sha256($1)', [
    Buffer.from(refresh_token),
  ]);
  await server.query(`insert into rate_limits (subject, empty_at) values ($1, pharlo_now() + interval '60 seconds')`, [
    `refresh:${grant?.grant_id}`,
  ]);
  const refused = await server.refresh(client_id, refresh_token);
  assert.deepEqual(await outcome(refused), [429, 'too_many_requests']);
  assert.equal((await server.refresh(client_id, other)).status, 200);
  await server.advance(2);
  const response = await server.refresh(client_id, refresh_token);
  assert.equal(response.status, 200);
  ({ refresh_token } = (await response.json()) as { refresh_token: string });
  assert.match(refresh_token, /^mcp_rt_/);
});

test('refusals are counted without waiting for the disk, registrations within their transaction', async () => {
  await using server = await createServer();
  const { db } = server.deps;
  const setting = { text: `select current_setting('synchronous_commit') as now`, values: [] };
  const entry = { action: 'oauth.token_refused', outcome: 'invalid_grant', network: '192.0.2.1' };
  await db.transaction(async (tx) => {
    const [before] = await tx.query(setting);
    await countStranger(tx, entry);
    assert.deepEqual(await tx.query(setting), [before]);
  });
  const asked: unknown[] = [];
  const watched = {
    ...db,
    query: <R>(statement: { text: string; values: unknown[] }) => {
      asked.push(statement.text);
      return db.query<R>(statement);
    },
  };
  await Promise.all(Array.from({ length: 20 }, () => countRefusal(watched, { ...entry, clientId: 'c' })));
  assert.ok(String(asked[0]).includes(`set_config('synchronous_commit', 'off', true)`));
  const rows = await server.query('select client_id, sum(count)::int as n from audit_strangers group by 1 order by 1');
  assert.deepEqual(rows, [
    { client_id: '', n: 1 },
    { client_id: 'c', n: 20 },
  ]);
});
