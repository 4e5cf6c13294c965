import assert from 'node:assert/strict';
import { test } from 'node:test';
import { PlatformFailure } from '../../src/platforms/contract.ts';
import { upload } from '../../src/platforms/youtube/upload.ts';
import {
  type Around,
  createJob,
  createWorld,
  failing,
  googleError,
  sha256,
  unit,
  videoOf,
  type World,
} from './world.ts';

const piece = 8 * 1024 * 1024;
const large = videoOf(piece + 3 * unit + 77);
const small = videoOf(unit - 5);

async function assertOneVideo(world: World, file: Buffer, slug: string) {
  const videos = await world.videos();
  assert.deepEqual(
    videos.map(({ slug, bytes, sha256 }) => ({ slug, bytes, sha256 })),
    [{ slug, bytes: file.byteLength, sha256: sha256(file) }],
  );
}

for (const tellsTotal of [true, false]) {
  const source = tellsTotal ? 'of known length' : 'of unknown length';

  for (const [name, file] of [
    ['small', small],
    ['of one unit', videoOf(unit)],
    ['of one unit and a byte', videoOf(unit + 1)],
    ['large', large],
  ] as const) {
    test(`a file ${name} ${source} arrives whole, and not before its last piece`, async (t) => {
      const world = createWorld(t);
      const job = await createJob(world, { file, tellsTotal });
      const ready = await job.step('upload');
      assert.equal(ready.state, 'ready');
      assert.deepEqual(await world.videos(), []);
      const sent = Number(job.progress.sent);
      assert.ok(file.byteLength - sent >= 1 && file.byteLength - sent <= unit);
      assert.equal(job.reported, sent);

      await job.step('publish');
      assert.equal(job.reported, file.byteLength);
      await assertOneVideo(world, file, job.draft.publicName);
    });
  }

  test(`an upload ${source} survives a break at every request, before and after it and in its middle`, async (t) => {
    const world = createWorld(t);
    const job = await createJob(world, { file: large, tellsTotal });
    const breaks: Around[] = [
      () => Promise.reject(new Error('refused')),
      async (_call, next) => {
        await (await next()).arrayBuffer();
        throw new Error('answer lost');
      },
      async (call, next) => {
        const { body } = call.init;
        if (body === undefined || typeof body === 'string' || body instanceof Uint8Array) throw new Error('reset');
        await (
          await next({ ...call.init, body: cut(body, 3 * unit + 1000) }).catch(() => Response.error())
        ).body?.cancel();
        throw new Error('reset');
      },
    ];
    let broken = 0;
    for (const broke of breaks) {
      for (let at = 0; ; at++) {
        job.progress = {};
        let request = 0;
        world.around = (call, next) => (request++ === at ? broke(call, next) : next());
        const first = await job.step('upload').catch((error: unknown) => error);
        if (!(first instanceof PlatformFailure)) break;
        assert.equal(first.kind, 'retry');
        broken++;
        world.around = undefined;
        assert.equal((await job.step('upload')).state, 'ready');
      }
    }
    assert.ok(broken >= 9, `only ${broken} breaks`);
    world.around = undefined;
    await job.step('publish');
    await assertOneVideo(world, large, job.draft.publicName);
  });
}

async function* cut(body: AsyncIterable<Uint8Array>, bytes: number): AsyncGenerator<Uint8Array> {
  let left = bytes;
  for await (const part of body) {
    yield part.subarray(0, left);
    left -= part.byteLength;
    if (left <= 0) throw new Error('reset');
  }
}

test('the session is saved before any byte goes', async (t) => {
  const world = createWorld(t);
  const job = await createJob(world, { file: large });
  world.around = (call, next) => {
    if (call.method === 'PUT') assert.ok(job.progress.sessionUri);
    return next();
  };
  await job.step('upload');
});

test('a resumed upload asks how far it is and reads the media from there', async (t) => {
  const world = createWorld(t);
  const job = await createJob(world, { file: large });
  world.around = (call, next) => {
    const isFirst = call.headers.get('Content-Range')?.startsWith('bytes 0-');
    const { body } = call.init;
    if (!isFirst || typeof body !== 'object' || body instanceof Uint8Array) return next();
    return next({ ...call.init, body: cut(body, 2 * unit + 9) });
  };
  await job.step('upload');
  assert.deepEqual(job.media.opened, [0, 2 * unit]);
  assert.deepEqual(
    world.calls.filter((call) => call.startsWith('PUT')).map((call) => call.split(' ').slice(2).join(' ')),
    [
      `bytes 0-${piece - 1}/${large.byteLength}`,
      `bytes */${large.byteLength}`,
      `bytes ${2 * unit}-${2 * unit + piece - 1}/${large.byteLength}`,
      `bytes ${2 * unit + piece}-${piece + 3 * unit - 1}/${large.byteLength}`,
    ],
  );
});

test('a session that keeps nothing ends as a retry, not in a loop', async (t) => {
  const world = createWorld(t);
  const job = await createJob(world, { file: large });
  world.around = (call, next) => (call.method === 'PUT' ? new Response(null, { status: 308 }) : next());
  await assert.rejects(job.step('upload'), failing('retry', 'upload_stalled'));
});

test('a lost session is replaced, once per step', async (t) => {
  const world = createWorld(t);
  const job = await createJob(world, { file: large });
  await job.step('upload');
  world.clock.now += 8 * 24 * 3_600_000;
  const { tokens } = await world.connect();
  job.accessToken = tokens.accessToken;
  const lost = job.progress.sessionUri;
  await job.step('upload');
  assert.notEqual(job.progress.sessionUri, lost);
  await job.step('publish');
  await assertOneVideo(world, large, job.draft.publicName);

  job.progress = {};
  world.around = (call, next) => (call.method === 'PUT' ? new Response(null, { status: 404 }) : next());
  await assert.rejects(job.step('upload'), failing('retry', 'upload_session_lost'));
});

test('an open session ends the doubt about its last piece', async (t) => {
  const world = createWorld(t);
  const job = await createJob(world, { file: small });
  await job.step('upload');
  job.progress = { ...job.progress, lastPieceSent: true };
  await job.step('upload');
  assert.equal(job.progress.lastPieceSent, undefined);
});

test('a lost session whose last piece was sent is not replaced', async (t) => {
  const world = createWorld(t);
  const job = await createJob(world, { file: small });
  await job.step('upload');
  job.progress = { ...job.progress, lastPieceSent: true };
  world.around = () => new Response(null, { status: 410 });
  await assert.rejects(job.step('upload'), failing('unknown', 'upload_session_lost'));
});

test('media that changed, is empty or breaks off is told', async (t) => {
  const world = createWorld(t);
  const job = await createJob(world, { file: large });
  await job.step('upload');
  job.media.file = large.subarray(0, -1);
  await assert.rejects(job.step('publish'), failing('rejected', 'media_changed'));
  job.progress = { ...job.progress, sent: 0 };
  world.around = () => new Response(null, { status: 308 });
  await assert.rejects(job.step('upload'), failing('rejected', 'media_changed'));
  world.around = undefined;

  job.media.file = Buffer.concat([large, Buffer.from('more')]);
  job.media.tellsTotal = false;
  job.progress = {};
  await job.step('upload');
  job.media.file = Buffer.concat([large, Buffer.from('even more')]);
  await assert.rejects(job.step('publish'), failing('rejected', 'media_changed'));
  job.media.file = large;
  await assert.rejects(job.step('publish'), failing('retry', 'media_interrupted'));

  job.progress = {};
  job.media.file = Buffer.alloc(0);
  await assert.rejects(job.step('upload'), failing('rejected', 'media_empty'));
  job.media.tellsTotal = true;
  await assert.rejects(job.step('upload'), failing('rejected', 'media_empty'));
  assert.deepEqual(await world.videos(), []);
});

test('a failure of the source keeps its own name', async (t) => {
  const world = createWorld(t);
  const job = await createJob(world, { file: large });
  const own = new PlatformFailure('rejected', 'media_gone', 'Gone.');
  async function* failingSource() {
    yield large.subarray(0, unit);
    throw own;
  }
  const io = {
    ...job.io(),
    openMedia: async () => ({ body: failingSource(), total: large.byteLength, contentType: 'video/mp4' }),
  };
  await assert.rejects(upload(job.draft, {}, io), own);
});

test('an upload address of another origin gets neither bytes nor bearer', async (t) => {
  const world = createWorld(t);
  const job = await createJob(world, { file: small });
  for (const location of ['https://evil.example/upload', 'https://www.googleapis.com/upload', '/youtube/relative']) {
    const before = world.calls.length;
    world.around = () => new Response(null, { status: 200, headers: { Location: location } });
    await assert.rejects(job.step('upload'), failing('rejected', 'upload_url_refused'));
    assert.equal(world.calls.length, before + 1);
  }
});

test('refusals, throttling and expired tokens keep their kinds', async (t) => {
  const world = createWorld(t);
  const job = await createJob(world, { file: large });
  world.around = () => googleError(429, 'rateLimitExceeded', 'Slow down', { 'Retry-After': '7' });
  await assert.rejects(job.step('upload'), (error: PlatformFailure) => {
    assert.equal(error.retryAfterMs, 7000);
    return failing('retry', 'rate_limited')(error);
  });
  world.around = (call, next) => (call.method === 'PUT' ? new Response('oops', { status: 503 }) : next());
  await assert.rejects(job.step('upload'), failing('retry', 'platform_unavailable'));
  world.around = undefined;
  world.clock.now += 3_600_000;
  await assert.rejects(job.step('upload'), failing('reauthorize', 'token_rejected'));
  const { tokens } = await world.connect();
  job.accessToken = tokens.accessToken;
  await job.post();

  job.progress = {};
  job.draft.payload = { ...job.draft.payload, categoryId: '9999' };
  await assert.rejects(job.step('upload'), failing('rejected', 'category_refused'));
  job.draft.payload = { title: '' };
  await assert.rejects(job.step('upload'), failing('rejected', 'payload_invalid'));
});

test('an abort in the middle of a piece is passed on, and the upload goes on later', async (t) => {
  const world = createWorld(t);
  const job = await createJob(world, { file: large });
  const controller = new AbortController();
  const reason = new Error('stopping');
  world.around = async (call, next) => {
    if (call.method !== 'PUT') return next();
    controller.abort(reason);
    throw new DOMException('aborted', 'AbortError');
  };
  await assert.rejects(job.step('upload', controller.signal), reason);
  world.around = undefined;
  await job.post();
  await assertOneVideo(world, large, job.draft.publicName);
});
