import assert from 'node:assert/strict';
import { test } from 'node:test';
import { makeKey } from '../../src/commands/keys.ts';
import { revokeKey } from '../../src/store/api-keys.ts';
import { connectChannel } from '../channel.ts';
import { begin, callMcp, callRest, register, token } from './client.ts';
import { callers, type Pair, rounds, startPair, tally } from './pair.ts';

const each = Array.from({ length: rounds }, (_, index) => index + 1);

async function create(pair: Pair, connectionId: string, more: object): Promise<string> {
  const response = await callRest(pair, pair.replicas[0], pair.pharlo.key, '/assignments', {
    method: 'POST',
    headers: { 'content-type': 'application/json' },
    body: JSON.stringify({
      connectionId,
      type: 'video',
      payload: { title: 'A title' },
      mediaUrl: `${pair.pharlo.sandboxUrl}/sample.mp4`,
      ...more,
    }),
  });
  assert.equal(response.status, 201);
  return String(((await response.json()) as { id: string }).id);
}

test('exactly one of 64 parallel cancels succeeds; charge and refund stand once', async () => {
  await using pair = await startPair();
  const connectionId = await connectChannel(pair.pharlo);
  const scheduledAt = new Date(pair.pharlo.app.deps.now() + 86_400_000).toISOString();
  for (const round of each) {
    const id = await create(pair, connectionId, { payload: { title: `Round ${round}` }, scheduledAt });
    const [{ last } = { last: 0 }] = await pair.pharlo.app.deps.db.query<{ last: number }>({
      text: 'select max(id) as last from ledger',
      values: [],
    });
    const method = 'DELETE';
    const answers = await pair.race((replica) =>
      callRest(pair, replica, pair.pharlo.key, `/assignments/${id}`, { method }),
    );
    assert.deepEqual(tally(answers), { 204: 1, 409: callers - 1 }, `round ${round}`);
    const rows = await pair.pharlo.app.deps.db.query<{ amount: number }>({
      text: 'select amount from ledger where id > $1 order by amount',
      values: [last],
    });
    assert.deepEqual(
      rows.map(({ amount }) => amount),
      [-200, 300],
      'the cancel and the refund',
    );
  }
});

test('exactly one of 64 parallel retries succeeds and is paid', async () => {
  await using pair = await startPair();
  const { db } = pair.pharlo.app.deps;
  const connectionId = await connectChannel(pair.pharlo);
  const scheduledAt = new Date(pair.pharlo.app.deps.now() + 86_400_000).toISOString();
  for (const round of each) {
    const id = await create(pair, connectionId, { payload: { title: `Round ${round}` }, scheduledAt });
    await db.query({ text: `update assignments set status = 'failed', due_at = null where id = $1`, values: [id] });
    const method = 'POST';
    const answers = await pair.race((replica) =>
      callRest(pair, replica, pair.pharlo.key, `/assignments/${id}/retry`, { method }),
    );
    assert.deepEqual(tally(answers), { 200: 1, 409: callers - 1 }, `round ${round}`);
    const text = `select count(*)::int as paid from ledger where assignment_id = $1 and operation = 'retry_assignment'`;
    assert.deepEqual(await db.query({ text, values: [id] }), [{ paid: 1 }]);
  }
});

test('64 parallel calls spend the last credits exactly once and never below zero', async () => {
  await using pair = await startPair({
    PHARLO_PLANS: JSON.stringify([{ slug: 'small', name: 'Small', monthlyCredits: 20 }]),
    PHARLO_DEFAULT_PLAN: 'small',
  });
  const { db } = pair.pharlo.app.deps;
  for (const round of each) {
    const left = round % 7;
    await db.query({ text: 'update workspaces set allocation_left = $1, topup_left = 100', values: [left * 100] });
    const before = await db.query<{ n: number }>({ text: 'select count(*) as n from ledger', values: [] });
    const answers = await pair.race((replica) => callRest(pair, replica, pair.pharlo.key, '/assignments'));
    const paid = left + 1;
    assert.deepEqual(tally(answers), { 200: paid, 402: callers - paid }, `round ${round}`);
    const balances = answers
      .filter(({ status }) => status === 200)
      .map((a) => Number(a.headers.get('x-credits-balance')));
    assert.deepEqual(
      balances.toSorted((a, b) => a - b),
      Array.from({ length: paid }, (_, index) => index),
    );
    const rows = await db.query<{ left: number; n: number }>({
      text: 'select allocation_left + topup_left as left, (select count(*) from ledger) as n from workspaces',
      values: [],
    });
    assert.deepEqual(rows, [{ left: 0, n: (before[0]?.n ?? 0) + paid }]);
  }
});

test('64 parallel creates with one idempotency key make one assignment, paid once', async () => {
  await using pair = await startPair();
  const connectionId = await connectChannel(pair.pharlo);
  const scheduledAt = new Date(pair.pharlo.app.deps.now() + 86_400_000).toISOString();
  for (const round of each) {
    const body = JSON.stringify({
      connectionId,
      type: 'video',
      payload: { title: `Round ${round}` },
      mediaUrl: `${pair.pharlo.sandboxUrl}/sample.mp4`,
      scheduledAt,
      idempotencyKey: `round-${round}`,
    });
    const init = { method: 'POST', headers: { 'content-type': 'application/json' }, body };
    const answers = await pair.race((replica) => callRest(pair, replica, pair.pharlo.key, '/assignments', init));
    assert.deepEqual(tally(answers), { 201: callers }, `round ${round}`);
    const ids = await Promise.all(answers.map(async (answer) => ((await answer.json()) as { id: string }).id));
    assert.equal(new Set(ids).size, 1);
    const replayed = answers.filter(({ headers }) => headers.get('idempotent-replayed') === 'true');
    assert.equal(replayed.length, callers - 1);
    assert.ok(replayed.every(({ headers }) => headers.get('x-credits-used') === '0'));
  }
});

test('a key revoked on one replica is refused by the other at the next request, and so are its tokens', async () => {
  await using pair = await startPair();
  const { pharlo, replicas } = pair;
  const [first, second] = replicas;
  const { id, key } = await makeKey(first.deps, { workspaceId: pharlo.workspaceId, name: 'Shared' });
  const clientId = await register(pair, first);
  const consent = await begin(pair, first, clientId);
  const decided = await consent.decide(second, key);
  const { body } = await token(pair, first, {
    grant_type: 'authorization_code',
    client_id: clientId,
    code: new URL(decided.headers.get('location') ?? '').searchParams.get('code') ?? '',
    redirect_uri: 'https://app.example/cb',
    code_verifier: consent.verifier,
  });
  const access = String(body.access_token);
  assert.equal((await callRest(pair, second, key, '/assignments')).status, 200);
  assert.equal((await callMcp(pair, second, access)).status, 200);
  assert.ok(await revokeKey(first.deps.db, pharlo.workspaceId, id));
  assert.equal((await callRest(pair, second, key, '/assignments')).status, 401);
  assert.equal((await callMcp(pair, second, access)).status, 401);
  assert.equal((await callRest(pair, second, access, '/assignments')).status, 401);
});

test('wrong keys at the consent page are counted across replicas, per request and per network', async () => {
  await using pair = await startPair();
  const { pharlo, replicas } = pair;
  const [first, second] = replicas;
  const clientId = await register(pair, first);
  const network = '192.0.2.7';
  const wrong = `ds_live_${'x'.repeat(43)}`;
  for (let page = 0; page < 3; page++) {
    const consent = await begin(pair, first, clientId);
    for (let attempt = 0; attempt < 10; attempt++) {
      const replica = attempt % 2 === 0 ? first : second;
      assert.equal((await consent.decide(replica, wrong, network)).status, 400, `try ${page}.${attempt}`);
    }
    for (const replica of replicas) {
      assert.equal((await consent.decide(replica, pharlo.key, '192.0.2.8')).status, 429, 'ten keys per page');
    }
  }
  const consent = await begin(pair, second, clientId);
  for (const replica of replicas) {
    const refused = await consent.decide(replica, wrong, network);
    assert.equal(refused.status, 429, 'thirty wrong keys per network');
    assert.ok(Number(refused.headers.get('retry-after')) >= 1);
  }
  assert.equal((await consent.decide(first, pharlo.key, '192.0.2.9')).status, 302, 'another network');
});
