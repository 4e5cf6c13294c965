import assert from 'node:assert/strict';
import { test } from 'node:test';
import { ended, startRig } from './rig.ts';

test('a video is published once, with every status in the timeline and all bytes told', async () => {
  await using rig = await startRig();
  const { id } = await rig.create();
  const done = await rig.until(id, ended);
  assert.equal(done.status, 'published', JSON.stringify(done.errors));
  assert.deepEqual(
    done.timeline.map(({ status }) => status),
    ['pending', 'uploading', 'uploaded', 'processing', 'published'],
  );
  assert.deepEqual(done.progress, { bytesSent: rig.media.file.length, bytesTotal: rig.media.file.length });
  assert.equal(done.waiting, undefined);
  const videos = await rig.videos();
  assert.deepEqual(
    videos.map(({ sha256 }) => sha256),
    [rig.media.sha256],
  );
});
