import assert from 'node:assert/strict';
import { test } from 'node:test';
import { check } from '../../src/platforms/youtube/status.ts';
import {
  type Around,
  createJob,
  createWorld,
  failing,
  googleError,
  type Job,
  postIdOf,
  unit,
  videoOf,
  type World,
} from './world.ts';

const file = videoOf(2 * unit + 5);

async function readyJob(world: World): Promise<Job> {
  const job = await createJob(world, { file });
  await job.step('upload');
  return job;
}

const answerLost: Around = async (call, next) => {
  const response = await next();
  if (call.method !== 'PUT') return response;
  await response.arrayBuffer();
  throw new Error('reset');
};

test('a video is uploaded, processed, published', async (t) => {
  const world = createWorld(t);
  const job = await readyJob(world);
  const made = await job.step('publish');
  const postId = postIdOf(made);
  assert.deepEqual(job.progress, { postId, polls: 0 });
  const processing = await job.step('check');
  assert.deepEqual(
    { state: processing.state, after: 'afterMs' in processing && processing.afterMs },
    { state: 'processing', after: 500 },
  );
  world.clock.now += 3000;
  assert.deepEqual(await job.step('check'), {
    state: 'published',
    postId,
    url: `http://127.0.0.1:3000/youtube/watch?v=${postId}`,
  });
});

test('on the real network a Short has its own address and polls grow apart', async (t) => {
  const world = createWorld(t);
  const job = await createJob(world, { file, type: 'short' });
  const postId = await job.post();
  const io = job.io(undefined, { ...world.network, sandbox: false });
  const waits: number[] = [];
  for (let look = 0; look < 9; look++) {
    const result = await check(job.draft, job.progress, io);
    assert.ok(result.state === 'processing');
    job.progress = result.progress;
    waits.push(result.afterMs);
  }
  assert.deepEqual(waits, [3000, 4500, 6750, 10_125, 15_188, 22_781, 30_000, 30_000, 30_000]);
  world.clock.now += 3000;
  const published = await check(job.draft, job.progress, io);
  assert.deepEqual(published, { state: 'published', postId, url: `https://www.youtube.com/shorts/${postId}` });
});

test('a lost answer to the last piece: find tells the one video', async (t) => {
  const world = createWorld(t);
  const job = await readyJob(world);
  world.around = answerLost;
  await assert.rejects(job.step('publish'), failing('unknown', 'answer_lost'));
  world.around = undefined;
  const postId = postIdOf(await job.step('find'));
  assert.deepEqual(
    (await world.videos()).map(({ id }) => id),
    [postId],
  );
});

test('a last piece that never arrived: find says absent, and the job goes on to one video', async (t) => {
  const world = createWorld(t);
  const job = await readyJob(world);
  world.around = () => Promise.reject(new Error('reset'));
  await assert.rejects(job.step('publish'), failing('unknown', 'answer_lost'));
  world.around = undefined;
  assert.equal(job.progress.lastPieceSent, true);
  assert.equal((await job.step('find')).state, 'absent');
  assert.equal(job.progress.lastPieceSent, undefined);
  await job.post();
  assert.equal((await world.videos()).length, 1);
});

test('a repeated last piece makes no second video', async (t) => {
  const world = createWorld(t);
  const job = await readyJob(world);
  const { progress } = job;
  const postId = postIdOf(await job.step('publish'));
  job.progress = progress;
  assert.equal(postIdOf(await job.step('publish')), postId);
  job.progress = progress;
  assert.equal(postIdOf(await job.step('upload')), postId);
  assert.equal((await world.videos()).length, 1);
});

test('publish: only an answer that proves it says that nothing was made', async (t) => {
  const world = createWorld(t);
  const job = await readyJob(world);
  const { progress } = job;
  const refusedConnection = Object.assign(new Error('unreachable'), { sent: false });
  const cases: [Around, 'retry' | 'rejected' | 'reauthorize' | 'unknown', string][] = [
    [
      () => new Response(null, { status: 308, headers: { Range: `bytes=0-${unit - 1}` } }),
      'retry',
      'upload_incomplete',
    ],
    [() => Promise.reject(refusedConnection), 'retry', 'platform_unreachable'],
    [() => googleError(429, 'rateLimitExceeded'), 'retry', 'rate_limited'],
    [() => googleError(401, 'authError'), 'reauthorize', 'token_rejected'],
    [() => googleError(403, 'forbidden'), 'rejected', 'forbidden'],
    [() => googleError(400, 'uploadLimitExceeded'), 'retry', 'upload_limit_reached'],
    [() => googleError(503, 'backendError'), 'unknown', 'answer_lost'],
    [() => new Response(null, { status: 408 }), 'unknown', 'answer_lost'],
    [() => new Response(null, { status: 302 }), 'unknown', 'answer_lost'],
    [() => new Response('{"id":', { status: 200 }), 'unknown', 'answer_lost'],
    [() => new Response('x'.repeat(100_000), { status: 200 }), 'unknown', 'answer_lost'],
    [() => Response.json({ id: '../channels' }), 'unknown', 'answer_lost'],
  ];
  for (const [around, kind, code] of cases) {
    job.progress = progress;
    world.around = around;
    await assert.rejects(job.step('publish'), failing(kind, code));
    // What is known not to have been taken leaves no doubt behind.
    assert.equal(job.progress.lastPieceSent, kind === 'unknown' ? true : undefined);
  }
});

test('a session lost before the last piece is replaced; after it, the job does not guess', async (t) => {
  const world = createWorld(t);
  const job = await readyJob(world);
  const gone: Around = (call, next) => (call.method === 'PUT' ? new Response(null, { status: 410 }) : next());
  world.around = gone;
  assert.equal((await job.step('find')).state, 'absent');
  assert.equal(job.progress.sessionUri, undefined);

  world.around = undefined;
  await job.step('upload');
  world.around = gone;
  await assert.rejects(job.step('publish'), failing('retry', 'upload_session_lost'));
  assert.deepEqual(job.progress, { total: file.byteLength });

  world.around = undefined;
  await job.step('upload');
  world.around = () => Promise.reject(new Error('reset'));
  await assert.rejects(job.step('publish'), failing('unknown', 'answer_lost'));
  world.around = gone;
  await assert.rejects(job.step('publish'), failing('unknown', 'upload_session_lost'));
  assert.deepEqual(await job.step('find'), { state: 'unclear' });
});

test('without a session the video is found by its file name', async (t) => {
  const world = createWorld(t);
  const others = await createJob(world, { file: videoOf(1000) });
  await others.post();
  const job = await readyJob(world);
  world.around = answerLost;
  await assert.rejects(job.step('publish'), failing('unknown', 'answer_lost'));
  // More than a page of newer videos.
  world.around = undefined;
  for (let video = 0; video < 51; video++) {
    others.progress = {};
    await others.post();
  }
  for (const status of [404, 400]) {
    world.around = (call, next) => (call.method === 'PUT' ? new Response(null, { status }) : next());
    const found = await job.step('find');
    const mine = (await world.videos()).filter(({ slug }) => slug === job.draft.publicName);
    assert.deepEqual(
      mine.map(({ id }) => id),
      [postIdOf(found)],
    );
    job.progress = { sessionUri: 'http://127.0.0.1:3000/youtube/x', lastPieceSent: true };
  }
});

test('find that cannot ask is tried again', async (t) => {
  const world = createWorld(t);
  const job = await readyJob(world);
  world.around = (call, next) => (call.method === 'PUT' ? new Response(null, { status: 502 }) : next());
  await assert.rejects(job.step('find'), failing('retry', 'platform_unavailable'));
  world.around = () => googleError(401, 'authError');
  await assert.rejects(job.step('find'), failing('reauthorize', 'token_rejected'));
  assert.deepEqual(await (await createJob(createWorld(t), { file })).step('find'), { state: 'absent', progress: {} });
});

test('an abort of the last piece is passed on', async (t) => {
  const world = createWorld(t);
  const job = await readyJob(world);
  const controller = new AbortController();
  const reason = new Error('time is up');
  world.around = () => {
    controller.abort(reason);
    throw new DOMException('aborted', 'AbortError');
  };
  await assert.rejects(job.step('publish', controller.signal), reason);
  assert.equal(job.progress.lastPieceSent, true);
});

test('an abort while a good answer is read leaves the doubt that find resolves', async (t) => {
  const world = createWorld(t);
  const job = await readyJob(world);
  const controller = new AbortController();
  const reason = new Error('time is up');
  world.around = async (_call, next) => {
    const { status } = await next();
    const body = new ReadableStream({
      pull() {
        controller.abort(reason);
        throw new Error('aborted');
      },
    });
    return new Response(body, { status });
  };
  await assert.rejects(job.step('publish', controller.signal), reason);
  assert.equal(job.progress.lastPieceSent, true);
  world.around = undefined;
  const postId = postIdOf(await job.step('find'));
  assert.deepEqual(
    (await world.videos()).map(({ id }) => id),
    [postId],
  );
});

test('a video that YouTube fails, rejects or loses ends with our own words', async (t) => {
  const world = createWorld(t);
  const job = await readyJob(world);
  await job.step('publish');
  const answer =
    (status: object, processingDetails = {}) =>
    () =>
      Response.json({ items: [{ status, processingDetails }] });
  const cases: [Around, string][] = [
    [answer({ uploadStatus: 'failed', failureReason: 'codec' }), 'processing_failed'],
    [answer({ uploadStatus: 'failed', failureReason: 'constructor' }), 'processing_failed'],
    [answer({ uploadStatus: 'uploaded' }, { processingStatus: 'terminated' }), 'processing_failed'],
    [answer({ uploadStatus: 'rejected', rejectionReason: 'duplicate' }), 'post_rejected_duplicate'],
    [answer({ uploadStatus: 'rejected', rejectionReason: 'news of tomorrow' }), 'post_rejected_other'],
    [answer({ uploadStatus: 'deleted' }), 'post_gone'],
  ];
  for (const [around, code] of cases) {
    world.around = around;
    await assert.rejects(job.step('check'), failing('unmade', code));
  }
});

test('a video that is no video fails in processing', async (t) => {
  const world = createWorld(t);
  const job = await createJob(world, { file: Buffer.from('not a video') });
  await job.post();
  world.clock.now += 3000;
  await assert.rejects(job.step('check'), failing('unmade', 'processing_failed'));
});

test('a new video may be listed late; one that was seen and is missing is gone', async (t) => {
  const world = createWorld(t);
  const job = await readyJob(world);
  await job.step('publish');
  const { progress } = job;
  world.around = () => Response.json({ items: [] });
  await job.step('check');
  await job.step('check');
  await assert.rejects(job.step('check'), failing('unmade', 'post_gone'));
  job.progress = progress;
  world.around = undefined;
  await job.step('check');
  world.around = () => Response.json({});
  await assert.rejects(job.step('check'), failing('unmade', 'post_gone'));
});
