import assert from 'node:assert/strict';
import { test } from 'node:test';
import { Webhook } from 'standardwebhooks';
import { ended, eventually, startRig } from '../engine/rig.ts';
import { assertSigned, deliveriesOf, openLoopback, secretOf, startReceiver, untilDelivery } from './receiver.ts';

test('every transition is told once, in order, signed in both ways, and is in the list', async () => {
  await using receiver = await startReceiver();
  await using rig = await startRig({ environment: openLoopback });
  const { id } = await rig.create({ callbackUrl: receiver.url, externalId: 'mine' });
  const done = await rig.until(id, ended);
  assert.equal(done.status, 'published', JSON.stringify(done.errors));
  await untilDelivery(
    rig.pharlo,
    '',
    ({ event, status }) => event === 'assignment.published' && status === 'delivered',
  );

  const { timeline } = done;
  assert.deepEqual(
    receiver.received.map(({ body }) => [body.sequence, body.status, body.timestamp]),
    timeline.slice(1).map(({ status, at }, index) => [index + 1, status, at]),
  );
  assert.deepEqual(timeline.length, 5);
  const secret = await secretOf(rig.pharlo);
  const ids = new Set<unknown>();
  for (const one of receiver.received) {
    const { headers, text, body, method } = one;
    assert.equal(method, 'POST');
    assert.equal(headers['content-type'], 'application/json');
    assert.equal(headers['user-agent'], 'Pharlo/1');
    assertSigned(one, secret);
    assert.deepEqual(new Webhook(secret).verify(text, headers as Record<string, string>), body);
    assert.throws(() => new Webhook(secret).verify(`${text} `, headers as Record<string, string>));
    ids.add(headers['webhook-id']);
    const { status, sequence, timestamp, platformPostId: _, platformUrl: __, ...rest } = body;
    assert.deepEqual(rest, {
      assignmentId: id,
      platform: 'youtube',
      connectionId: rig.connectionId,
      errors: [],
      externalId: 'mine',
    });
  }
  const last = receiver.received.at(-1)?.body;
  assert.deepEqual(Object.keys(last ?? {}), [
    'assignmentId',
    'status',
    'platform',
    'connectionId',
    'platformPostId',
    'platformUrl',
    'errors',
    'externalId',
    'sequence',
    'timestamp',
  ]);
  assert.equal(last?.platformPostId, done.platformPostId);
  assert.equal('platformPostId' in (receiver.received[0]?.body ?? {}), false, 'a field without value is absent');

  const listed = await deliveriesOf(rig.pharlo, `?assignmentId=${id}`);
  assert.deepEqual(
    listed.map(({ sequence, event, status, attempts, httpStatusCode }) => [
      sequence,
      event,
      status,
      attempts,
      httpStatusCode,
    ]),
    [
      [4, 'assignment.published', 'delivered', 1, 204],
      [3, 'assignment.processing', 'delivered', 1, 204],
      [2, 'assignment.uploaded', 'delivered', 1, 204],
      [1, 'assignment.uploading', 'delivered', 1, 204],
    ],
  );
  assert.deepEqual(new Set(listed.map(({ id }) => id)), ids);
  for (const one of listed) {
    assert.ok(one.lastAttemptAt && one.durationMs !== undefined);
    assert.deepEqual([one.nextAttemptAt, one.lastError], [undefined, undefined]);
  }
});

test('a failure is told with its errors, and so is the retry', async () => {
  await using receiver = await startReceiver();
  await using rig = await startRig({ environment: openLoopback });
  rig.platform.around = async (call, next) =>
    call.name.startsWith('POST /youtube/upload')
      ? new Response('{"error":{"errors":[{"reason":"invalidTitle"}]}}', { status: 400 })
      : next();
  const { id } = await rig.create({ callbackUrl: receiver.url });
  const failed = await rig.until(id, ended);
  assert.equal(failed.status, 'failed');
  await eventually(() => receiver.received.length === 2);
  const [, told] = receiver.received;
  assert.equal(told?.body.status, 'failed');
  assert.deepEqual(told?.body.errors, failed.errors);

  rig.platform.around = undefined;
  assert.equal((await rig.pharlo.rest('POST', `/assignments/${id}/retry`)).status, 200);
  await eventually(() => receiver.received.length === 7);
  assert.deepEqual(
    receiver.received.slice(2).map(({ body }) => [body.sequence, body.status, body.errors]),
    [
      [3, 'pending', []],
      [4, 'uploading', []],
      [5, 'uploaded', []],
      [6, 'processing', []],
      [7, 'published', []],
    ],
  );
});

test('who gave no URL is told nothing', async () => {
  await using rig = await startRig({ environment: openLoopback });
  const { id } = await rig.create();
  await rig.until(id, ended);
  assert.deepEqual(await deliveriesOf(rig.pharlo), []);
});

test('jobs cancelled with their channel are told as cancelled', async () => {
  await using receiver = await startReceiver();
  await using rig = await startRig({ environment: openLoopback });
  const scheduledAt = new Date(Date.now() + 3_600_000).toISOString();
  const { id } = await rig.create({ callbackUrl: receiver.url, scheduledAt });
  assert.equal((await rig.pharlo.rest('DELETE', `/connections/${rig.connectionId}`)).status, 204);
  await eventually(() => receiver.received.length === 1);
  const [told] = receiver.received;
  assert.deepEqual([told?.body.assignmentId, told?.body.status, told?.body.sequence], [id, 'cancelled', 1]);
});
