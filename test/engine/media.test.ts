import assert from 'node:assert/strict';
import { test } from 'node:test';
import { videoOf } from './media-server.ts';
import { ended, startRig, waitsFor } from './rig.ts';

const MiB = 1024 * 1024;

for (const ranges of ['honest', 'ignored', 'wrong'] as const) {
  test(`media that breaks off is read on from where the platform stands, ranges ${ranges}`, async () => {
    await using rig = await startRig({ mediaBytes: 20 * MiB });
    rig.media.ranges = ranges;
    rig.media.breakAt = 12 * MiB;
    const { id } = await rig.create();
    const waiting = await rig.until(id, waitsFor('media_unreachable'));
    assert.equal(waiting.status, 'uploading');
    await rig.advance(2000);
    const done = await rig.until(id, ended);
    assert.equal(done.status, 'published', JSON.stringify(done.errors));
    assert.deepEqual(
      (await rig.videos()).map(({ sha256 }) => sha256),
      [rig.media.sha256],
    );
    if (ranges === 'honest')
      assert.ok(
        rig.media.starts.some((start) => start >= 8 * MiB),
        String(rig.media.starts),
      );
  });
}

test('media that is gone when its time comes fails the job for good, and it costs nothing', async () => {
  await using rig = await startRig({ work: false });
  const { id } = await rig.create();
  rig.media.status = 404;
  await rig.work();
  const done = await rig.until(id, ended);
  assert.deepEqual([done.status, done.errors[0]?.code], ['failed', 'media_unreachable']);
  assert.equal(await rig.cost(id), 0);
  assert.deepEqual(await rig.videos(), []);
});

test('media that answers 503 for a while delays the job', async () => {
  await using rig = await startRig({ work: false });
  const { id } = await rig.create();
  rig.media.status = 503;
  await rig.work();
  await rig.until(id, waitsFor('media_unreachable'));
  rig.media.status = undefined;
  await rig.advance(2000);
  assert.equal((await rig.until(id, ended)).status, 'published');
});

test('media that changes while it is uploaded fails the job instead of making a mixture', async () => {
  await using rig = await startRig({ mediaBytes: 20 * MiB });
  rig.media.breakAt = 12 * MiB;
  const { id } = await rig.create();
  await rig.until(id, waitsFor('media_unreachable'));
  rig.media.file = videoOf(21 * MiB);
  await rig.advance(2000);
  const done = await rig.until(id, ended);
  assert.deepEqual([done.status, done.errors[0]?.code], ['failed', 'media_changed']);
  assert.equal(await rig.cost(id), 0);
  assert.deepEqual(await rig.videos(), []);
});

for (const [kind, ranges] of [
  ['that honours If-Range', 'honest'],
  ['without ranges', 'ignored'],
] as const) {
  test(`another file of the same size under the same URL is no continuation, at a source ${kind}`, async () => {
    await using rig = await startRig({ mediaBytes: 20 * MiB });
    rig.media.etag = '"one"';
    rig.media.ranges = ranges;
    rig.media.breakAt = 12 * MiB;
    const { id } = await rig.create();
    await rig.until(id, waitsFor('media_unreachable'));
    rig.media.etag = '"two"';
    await rig.advance(2000);
    const done = await rig.until(id, ended);
    assert.deepEqual([done.status, done.errors[0]?.code, done.errors[0]?.retryable], ['failed', 'media_changed', true]);
    assert.deepEqual(rig.media.conditions, ['"one"']);
    assert.deepEqual(await rig.videos(), []);
    assert.equal((await rig.pharlo.rest('POST', `/assignments/${id}/retry`)).status, 200);
    assert.equal((await rig.until(id, ended)).status, 'published', 'a retry begins with the new file');
  });
}

test('a weak tag is compared, and is no condition of a range', async () => {
  await using rig = await startRig({ mediaBytes: 20 * MiB });
  rig.media.etag = 'W/"one"';
  rig.media.breakAt = 12 * MiB;
  const { id } = await rig.create();
  await rig.until(id, waitsFor('media_unreachable'));
  await rig.advance(2000);
  assert.equal((await rig.until(id, ended)).status, 'published');
  assert.deepEqual(rig.media.conditions, []);
});

test('bytes are told while a file is uploaded', async () => {
  await using rig = await startRig({ mediaBytes: 24 * MiB });
  rig.media.gate = 18 * MiB;
  const { id } = await rig.create();
  await rig.media.reached();
  const { progress } = await rig.until(id, (assignment) => assignment.progress !== undefined);
  assert.ok((progress?.bytesSent ?? 0) >= 8 * MiB && (progress?.bytesSent ?? 0) <= 18 * MiB, JSON.stringify(progress));
  assert.equal(progress?.bytesTotal, 24 * MiB);
  rig.media.open();
  const done = await rig.until(id, ended);
  assert.deepEqual(done.progress, { bytesSent: 24 * MiB, bytesTotal: 24 * MiB });
});
