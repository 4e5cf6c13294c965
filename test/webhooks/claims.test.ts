import assert from 'node:assert/strict';
import { test } from 'node:test';
import { createApp } from '../../src/app.ts';
import { newId } from '../../src/domain/ids.ts';
import {
  claimDeliveries,
  endDelivered,
  endFailed,
  msUntilNextDelivery,
  renewDelivery,
} from '../../src/store/delivery-jobs.ts';
import { takeOverLeases } from '../../src/store/publish-jobs.ts';
import { sweepExpired } from '../../src/store/sweep.ts';
import { insertWorkspace } from '../../src/store/workspaces.ts';
import { ended, eventually, startRig } from '../engine/rig.ts';
import type { Harness } from '../harness.ts';
import {
  advance,
  assertSigned,
  deliveriesOf,
  openLoopback,
  secretOf,
  startReceiver,
  startSender,
  untilDelivery,
} from './receiver.ts';

function claim({ app }: Harness, limit = 10) {
  const { db, now, random } = app.deps;
  return claimDeliveries(db, limit, newId(now(), random));
}

const taken = { httpStatus: 204, durationMs: 1 };
const notTaken = {
  error: 'timeout',
  httpStatus: null,
  durationMs: 1,
  retryInMs: 5000,
  isLast: { always: false, overtaken: false },
} as const;

test('a worker whose lease was taken writes nothing', async () => {
  await using sender = await startSender({ work: false });
  const { pharlo, db } = sender;
  await sender.cancelled();
  const [frozen] = await claim(pharlo);
  assert.ok(frozen);
  assert.deepEqual(await claim(pharlo), [], 'a claimed delivery is not claimed again');
  assert.equal(await renewDelivery(db, frozen), true);
  await pharlo.advance(15_001);
  assert.equal(await renewDelivery(db, frozen), false);
  const [taker] = await claim(pharlo);
  assert.equal(taker?.id, frozen.id);
  assert.equal(taker.attempts, 2, 'a claim that never came back counts as a try');
  await endDelivered(db, frozen, taken);
  await endFailed(db, frozen, { ...notTaken, isLast: { always: true, overtaken: true } });
  const [seen] = await deliveriesOf(pharlo);
  assert.deepEqual([seen?.status, seen?.httpStatusCode, seen?.nextAttemptAt], ['pending', undefined, undefined]);
  await endDelivered(db, taker, taken);
  assert.equal((await deliveriesOf(pharlo))[0]?.status, 'delivered');
  assert.deepEqual(await claim(pharlo), []);
});

test('a process that was killed while sending: its successor sends the same message again, once', async () => {
  await using sender = await startSender({ work: false });
  const { pharlo, receiver } = sender;
  await sender.cancelled();
  const [killed] = await claim(pharlo);
  await takeOverLeases(sender.db);
  const engine = await pharlo.app.work();
  try {
    const done = await untilDelivery(pharlo, '', ({ status }) => status === 'delivered');
    assert.equal(done.attempts, 2);
  } finally {
    await engine.stop();
  }
  assert.deepEqual(
    receiver.received.map(({ headers }) => headers['webhook-id']),
    [killed?.id],
  );
});

test('a delivery whose senders all died is given up unsent', async () => {
  await using sender = await startSender({ work: false });
  const { pharlo, receiver } = sender;
  await sender.cancelled();
  for (let deaths = 1; deaths <= 7; deaths++) {
    assert.equal((await claim(pharlo)).length, 1);
    await pharlo.advance(15_001);
  }
  const engine = await pharlo.app.work();
  try {
    const over = await untilDelivery(pharlo, '', ({ status }) => status !== 'pending');
    assert.deepEqual([over.status, over.lastError], ['failed', 'interrupted']);
    assert.deepEqual(receiver.received, []);
  } finally {
    await engine.stop();
  }
});

test('a newer delivery is not claimed, nor waited for, while an earlier one is pending', async () => {
  await using receiver = await startReceiver();
  await using rig = await startRig({ environment: openLoopback, work: false });
  const { pharlo } = rig;
  const { db } = pharlo.app.deps;
  const { id } = await rig.create({ callbackUrl: receiver.url });
  const engine = await rig.work();
  receiver.answer = () => 'hang up';
  await rig.until(id, ended);
  await untilDelivery(pharlo, '?status=pending', ({ sequence }) => sequence === 4);
  await eventually(async () => (await deliveriesOf(pharlo)).at(-1)?.lastError !== undefined);
  await engine.stop();
  assert.deepEqual(await claim(pharlo), []);
  const waitMs = (await msUntilNextDelivery(db)) ?? 0;
  assert.ok(waitMs > 1000 && waitMs < 6000, `${waitMs} ms`);
  for (const sequence of [1, 2, 3, 4]) {
    if (sequence === 1) await pharlo.advance(6000);
    const rows = await claim(pharlo);
    assert.deepEqual(
      rows.map((row) => row.sequence),
      [sequence],
    );
    for (const row of rows) await endDelivered(db, row, taken);
  }
  assert.equal(await msUntilNextDelivery(db), undefined);
});

test('workspaces take turns, whoever was first with however many messages', async () => {
  await using sender = await startSender({ work: false });
  const { pharlo, db } = sender;
  const { now, random } = pharlo.app.deps;
  for (let index = 0; index < 9; index++) await sender.cancelled();
  const small = { id: newId(now(), random), organizationId: newId(now(), random), slug: 'small', name: 'Small' };
  await db.transaction((tx) => insertWorkspace(tx, { ...small, plan: 'unlimited' }));
  for (let index = 0; index < 2; index++) {
    await db.query({
      text: `insert into deliveries (workspace_id, url, event, sequence, body, due_at)
             values ($1, $2, 'test', 0, '{}', pharlo_now())`,
      values: [small.id, sender.receiver.url],
    });
  }
  const names = async (limit: number) =>
    (await claim(pharlo, limit)).map(({ workspaceId }) => (workspaceId === small.id ? 'small' : 'big')).sort();
  assert.deepEqual(await names(2), ['big', 'small']);
  assert.deepEqual(await names(2), ['big', 'small'], 'those in flight count');
  assert.deepEqual(await names(2), ['big', 'big'], 'nobody else waits');
});

test('64 transitions at once, two senders, one receiver: each message once', async () => {
  await using sender = await startSender({ work: false });
  const { pharlo, receiver } = sender;
  const { config, now } = pharlo.app.deps;
  await using second = await createApp(config, { now });
  const engines = [await pharlo.app.work(), await second.work()];
  try {
    const ids = await Promise.all(Array.from({ length: 64 }, () => sender.cancelled()));
    await eventually(async () => (await deliveriesOf(pharlo, '?status=pending')).length === 0);
    assert.deepEqual(receiver.received.map(({ body }) => body.assignmentId).sort(), ids.sort());
    assert.deepEqual(new Set(receiver.received.map(({ body }) => body.status)), new Set(['cancelled']));
    const secret = await secretOf(pharlo);
    for (const one of receiver.received) assertSigned(one, secret);
  } finally {
    await Promise.all(engines.map((engine) => engine.stop()));
  }
});

test('a shutdown waits for the answer, so that nothing is sent twice', async () => {
  await using sender = await startSender({ work: false });
  const { pharlo, receiver } = sender;
  const arrived = Promise.withResolvers<void>();
  const go = Promise.withResolvers<void>();
  receiver.answer = async () => {
    arrived.resolve();
    await go.promise;
    return { status: 200 };
  };
  await sender.cancelled();
  const engine = await pharlo.app.work();
  await arrived.promise;
  const stopped = engine.stop();
  go.resolve();
  await stopped;
  const [one] = await deliveriesOf(pharlo);
  assert.deepEqual([one?.status, one?.attempts], ['delivered', 1]);
});

test('ended deliveries are kept for 90 days', async () => {
  await using sender = await startSender({ work: false });
  const { pharlo, db } = sender;
  await sender.cancelled();
  await sender.cancelled();
  const [one] = await claim(pharlo, 1);
  assert.ok(one);
  await endDelivered(db, one, taken);
  await advance(pharlo, 89 * 24 * 3_600_000);
  await sweepExpired(db);
  assert.equal((await deliveriesOf(pharlo)).length, 2);
  await advance(pharlo, 2 * 24 * 3_600_000);
  await sweepExpired(db);
  const left = await deliveriesOf(pharlo);
  assert.deepEqual(
    left.map(({ status }) => status),
    ['pending'],
  );
});

test('ids that SQL makes are UUIDs of version 7, in the order of their statements', async () => {
  await using sender = await startSender({ work: false });
  const rows = await sender.db.query<{ id: string }>({
    text: `select pharlo_new_id()::text as id from generate_series(1, 3)`,
    values: [],
  });
  const later = await sender.db.query<{ id: string }>({ text: `select pharlo_new_id()::text as id`, values: [] });
  for (const { id } of [...rows, ...later])
    assert.match(id, /^[0-9a-f]{8}-[0-9a-f]{4}-7[0-9a-f]{3}-[89ab][0-9a-f]{3}-/);
  assert.ok(rows.every(({ id }) => id < (later[0]?.id ?? '')));
  const ms = Number.parseInt((later[0]?.id ?? '').replace('-', '').slice(0, 12), 16);
  assert.ok(Math.abs(ms - Date.now()) < 60_000);
});
