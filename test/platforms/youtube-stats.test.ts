import assert from 'node:assert/strict';
import { type TestContext, test } from 'node:test';
import type { LookIo } from '../../src/platforms/contract.ts';
import { youtube } from '../../src/platforms/youtube/index.ts';
import { createJob, createWorld, signal, videoOf, type World } from './world.ts';

/** A channel with one video, and how its connector asks. */
async function startChannel(t: TestContext): Promise<{ world: World; io: LookIo; channelId: string; postId: string }> {
  const world = createWorld(t);
  const job = await createJob(world, { file: videoOf(100_000) });
  const postId = await job.post();
  const io = { network: world.network, accessToken: job.accessToken, signal, now: () => world.clock.now };
  return { world, io, channelId: job.draft.accountId, postId };
}

function answering(statistics: object, id: string) {
  return () => Response.json({ items: [{ id, statistics }] });
}

test('the sandbox counts what is there', async (t) => {
  const { io, world, channelId, postId } = await startChannel(t);
  const calls = world.calls.length;
  assert.deepEqual(await youtube.channelStats(channelId, io), { subscribers: 0, totalViews: 0, totalPosts: 1 });
  assert.deepEqual(await youtube.postStats(postId, io), { views: 0, likes: 0, comments: 0 });
  assert.deepEqual(world.calls.slice(calls), ['GET /youtube/youtube/v3/channels', 'GET /youtube/youtube/v3/videos']);
});

test('a hidden number of subscribers is absent, told as 0 or not at all', async (t) => {
  const { io, world, channelId } = await startChannel(t);
  const plain = { viewCount: '9007199254740991', videoCount: '12' };
  const seen = { totalViews: Number.MAX_SAFE_INTEGER, totalPosts: 12 };
  for (const hidden of [
    { hiddenSubscriberCount: true, subscriberCount: '0' },
    { hiddenSubscriberCount: true, subscriberCount: '120' },
    { hiddenSubscriberCount: true },
    {},
  ]) {
    world.around = answering({ ...plain, ...hidden }, channelId);
    assert.deepEqual(await youtube.channelStats(channelId, io), seen, JSON.stringify(hidden));
  }
  world.around = answering({ hiddenSubscriberCount: false, subscriberCount: '0', ...plain }, channelId);
  assert.deepEqual(await youtube.channelStats(channelId, io), { subscribers: 0, ...seen });
});

test('what a video does not tell is absent, and a count nobody sends is not invented', async (t) => {
  const { io, world, postId } = await startChannel(t);
  world.around = answering({ viewCount: '7', favoriteCount: '0', dislikeCount: '3' }, postId);
  assert.deepEqual(await youtube.postStats(postId, io), { views: 7 });
  world.around = answering({ likeCount: '2', commentCount: '0' }, postId);
  assert.deepEqual(await youtube.postStats(postId, io), { likes: 2, comments: 0 });
  world.around = answering({}, postId);
  assert.deepEqual(await youtube.postStats(postId, io), {});
});

test('a video or channel that is gone is refused; a strange answer may heal', async (t) => {
  const { io, world, channelId, postId } = await startChannel(t);
  await assert.rejects(youtube.postStats('nothing-here', io), { kind: 'rejected', code: 'post_gone' });
  await assert.rejects(youtube.channelStats('UCother', io), { kind: 'rejected', code: 'no_channel' });
  const strange = { kind: 'retry', code: 'platform_unexpected' };
  world.around = answering({ viewCount: 'many' }, postId);
  await assert.rejects(youtube.postStats(postId, io), strange);
  world.around = answering({ viewCount: '-1' }, channelId);
  await assert.rejects(youtube.channelStats(channelId, io), strange);
  world.around = () => new Response('', { status: 503 });
  await assert.rejects(youtube.channelStats(channelId, io), { kind: 'retry', code: 'platform_unavailable' });
  world.around = undefined;
  const stranger = { ...io, accessToken: 'no token' };
  await assert.rejects(youtube.postStats(postId, stranger), { kind: 'reauthorize', code: 'token_rejected' });
});
