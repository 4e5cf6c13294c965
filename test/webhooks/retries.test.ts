import assert from 'node:assert/strict';
import { test } from 'node:test';
import { deliverKind } from '../../src/jobs/deliver-webhook.ts';
import { startEngine } from '../../src/jobs/engine.ts';
import { ended, eventually, startRig } from '../engine/rig.ts';
import {
  advance,
  type Delivery,
  deliveriesOf,
  openLoopback,
  startReceiver,
  startSender,
  untilDelivery,
} from './receiver.ts';

const second = 1000;
const minute = 60 * second;
const hour = 60 * minute;

const triedAt = ({ lastAttemptAt }: Delivery) => Date.parse(lastAttemptAt ?? '');
const nextAt = ({ nextAttemptAt }: Delivery) => Date.parse(nextAttemptAt ?? '');
/** Tried that often, and not being tried just now. */
const isWaiting = (tries: number) => (one: Delivery) =>
  one.status === 'pending' && one.attempts === tries && one.nextAttemptAt !== undefined;

/** The next try is `wait` ms after the end of the last one, give or take a tenth and what a busy machine adds. */
function assertAbout(wait: number, tried: Delivery): void {
  const gap = nextAt(tried) - triedAt(tried) - (tried.durationMs ?? 0);
  assert.ok(gap >= 0.9 * wait && gap <= 1.1 * wait + 4 * second, `${gap} ms instead of ${wait}`);
}

test('a receiver that fails is asked again after 5 s, 30 s, 2 min, 10 min, 1 h and 6 h, and then no more', async () => {
  await using sender = await startSender();
  const { pharlo, receiver } = sender;
  receiver.answer = () => ({ status: 500, body: 'secret words of the receiver' });
  await sender.cancelled();
  let allowedAt = 0;
  for (const [index, wait] of [5 * second, 30 * second, 2 * minute, 10 * minute, hour, 6 * hour].entries()) {
    const tried = await untilDelivery(pharlo, '', isWaiting(index + 1));
    assert.deepEqual([tried.lastError, tried.httpStatusCode], ['http_status', 500]);
    assert.ok(triedAt(tried) >= allowedAt, 'not before its time');
    assertAbout(wait, tried);
    allowedAt = nextAt(tried);
    const waitMs = allowedAt - triedAt(tried);
    await advance(pharlo, Math.ceil(waitMs / 2));
    await deliveriesOf(pharlo);
    await advance(pharlo, Math.ceil(waitMs / 2));
  }
  const over = await untilDelivery(pharlo, '', ({ status }) => status === 'failed');
  assert.deepEqual([over.attempts, over.lastError, over.nextAttemptAt], [7, 'http_status', undefined]);
  await advance(pharlo, 24 * hour);
  const { received } = receiver;
  assert.equal(received.length, 7);
  assert.equal(new Set(received.map(({ headers }) => headers['webhook-id'])).size, 1);
  assert.equal(new Set(received.map(({ text }) => text)).size, 1);
  const stamps = received.map(({ headers }) => Number(headers['webhook-timestamp']));
  assert.ok(
    stamps.every((stamp, index) => index === 0 || stamp > (stamps[index - 1] ?? 0)),
    'each try has its time',
  );
  const rows = await sender.db.query<{ row: string }>({ text: 'select d::text as row from deliveries d', values: [] });
  assert.doesNotMatch(JSON.stringify(rows) + pharlo.logs.join(), /secret words/);
});

test('a later 2xx ends it, and the error is gone', async () => {
  await using sender = await startSender();
  const { pharlo, receiver } = sender;
  receiver.answer = () => (receiver.received.length === 1 ? 'hang up' : { status: 200, body: 'thanks' });
  await sender.cancelled();
  const once = await untilDelivery(pharlo, '', ({ lastError }) => lastError !== undefined);
  assert.equal(once.lastError, 'connection_failed');
  assert.equal(once.httpStatusCode, undefined);
  await advance(pharlo, 6 * second);
  const done = await untilDelivery(pharlo, '', ({ status }) => status === 'delivered');
  assert.deepEqual([done.attempts, done.httpStatusCode, done.lastError], [2, 200, undefined]);
});

for (const status of [301, 302, 307, 308, 304]) {
  test(`a redirect is a failure and is not followed: ${status}`, async () => {
    await using sender = await startSender();
    const { pharlo, receiver } = sender;
    receiver.answer = () => ({ status, headers: { location: `${receiver.url}/elsewhere` } });
    await sender.cancelled();
    const tried = await untilDelivery(pharlo, '', ({ lastError }) => lastError !== undefined);
    assert.deepEqual([tried.lastError, tried.httpStatusCode], ['redirect', status]);
    assert.deepEqual(
      receiver.received.map(({ path }) => path),
      ['/hook'],
    );
  });
}

test('a receiver may ask for a longer wait, up to an hour', async () => {
  await using sender = await startSender();
  const { pharlo, receiver } = sender;
  const asked = [
    { status: 429, headers: { 'retry-after': '600' } },
    { status: 503, headers: { 'retry-after': '86400' } },
    { status: 500, headers: { 'retry-after': '86400' } },
  ];
  receiver.answer = () => asked[receiver.received.length - 1] ?? { status: 204 };
  await sender.cancelled();
  for (const [index, wait] of [10 * minute, hour, 2 * minute].entries()) {
    const tried = await untilDelivery(pharlo, '', isWaiting(index + 1));
    assertAbout(wait, tried);
    await advance(pharlo, nextAt(tried) - triedAt(tried));
  }
  await untilDelivery(pharlo, '', ({ status }) => status === 'delivered');
});

test('silence is a timeout', async () => {
  await using sender = await startSender({ work: false });
  const { pharlo, receiver } = sender;
  receiver.answer = () => 'silence';
  await sender.cancelled();
  const engine = startEngine(pharlo.app.deps, [deliverKind(pharlo.app.deps, 2, 40)]);
  try {
    const tried = await untilDelivery(pharlo, '', ({ lastError }) => lastError !== undefined);
    assert.deepEqual([tried.status, tried.lastError, tried.attempts], ['pending', 'timeout', 1]);
    assert.ok((tried.durationMs ?? 0) >= 39);
  } finally {
    await engine.stop();
  }
});

test('a name that leads to a private address is not called', async () => {
  await using sender = await startSender({
    world: { lookup: (_name, _options, done) => done(null, [{ address: '10.0.0.7', family: 4 }]) },
  });
  await sender.cancelled({ callbackUrl: 'https://inside.example/hook' });
  const tried = await untilDelivery(sender.pharlo, '', ({ lastError }) => lastError !== undefined);
  assert.equal(tried.lastError, 'blocked_address');
});

test('a delivery that fails holds the newer ones back for three tries, and they come in order', async () => {
  await using receiver = await startReceiver();
  await using rig = await startRig({ environment: openLoopback });
  receiver.answer = ({ body }) => ({ status: body.sequence === 1 ? 500 : 204 });
  const { id } = await rig.create({ callbackUrl: receiver.url });
  await rig.until(id, ended);
  const sequences = () => receiver.received.map(({ body }) => body.sequence);
  const first = async (tries: number) => {
    const one = (await deliveriesOf(rig.pharlo)).find(({ sequence }) => sequence === 1);
    return one !== undefined && isWaiting(tries)(one);
  };
  await eventually(() => first(1));
  assert.deepEqual(sequences(), [1]);
  await advance(rig.pharlo, 6 * second);
  await eventually(() => first(2));
  assert.deepEqual(sequences(), [1, 1]);
  await advance(rig.pharlo, 34 * second);
  await eventually(() => receiver.received.length === 6);
  assert.deepEqual(sequences(), [1, 1, 1, 2, 3, 4]);
  await untilDelivery(rig.pharlo, '', ({ sequence, status }) => sequence === 4 && status === 'delivered');
  const listed = await deliveriesOf(rig.pharlo);
  assert.deepEqual(
    listed.map(({ sequence, status, attempts }) => [sequence, status, attempts]),
    [
      [4, 'delivered', 1],
      [3, 'delivered', 1],
      [2, 'delivered', 1],
      [1, 'failed', 3],
    ],
  );
});

test('a delivery that had its three tries gives way as soon as a newer one comes', async () => {
  await using receiver = await startReceiver();
  await using rig = await startRig({ environment: openLoopback });
  rig.media.gate = 512 * 1024;
  receiver.answer = ({ body }) => ({ status: body.sequence === 1 ? 500 : 204 });
  const { id } = await rig.create({ callbackUrl: receiver.url });
  for (const [index, wait] of [6 * second, 34 * second].entries()) {
    await untilDelivery(rig.pharlo, '', isWaiting(index + 1));
    await advance(rig.pharlo, wait);
  }
  await untilDelivery(rig.pharlo, '', isWaiting(3));
  assert.equal((await rig.pharlo.rest('DELETE', `/assignments/${id}`)).status, 204);
  await eventually(() => receiver.received.length === 4);
  assert.deepEqual(
    receiver.received.map(({ body }) => body.status),
    ['uploading', 'uploading', 'uploading', 'cancelled'],
  );
  const [, old] = await deliveriesOf(rig.pharlo);
  assert.deepEqual([old?.status, old?.attempts, old?.lastError], ['failed', 3, 'http_status']);
  rig.media.open();
});
