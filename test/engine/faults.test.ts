import assert from 'node:assert/strict';
import { test } from 'node:test';
import { type Call, isLastPiece, isSessionStart } from './platform.ts';
import { type Assignment, ended, eventually, type Rig, startRig, waitsFor } from './rig.ts';

const MiB = 1024 * 1024;
const isPiece = (call: Call) => call.name.startsWith('PUT ') && /^bytes \d/.test(call.range ?? '');
const unavailable = (headers: Record<string, string> = {}) => new Response('{}', { status: 503, headers });
const waitMs = (rig: Rig, { waiting }: Assignment) => Date.parse(waiting?.until ?? '') - rig.pharlo.app.deps.now();

/** Lets the platform fail the first call of that kind. */
function once(
  isMeant: (call: Call) => boolean,
  fail: (call: Call, next: () => Promise<Response>) => Promise<Response>,
) {
  let failed = false;
  return (call: Call, next: () => Promise<Response>) => {
    if (failed || !isMeant(call)) return next();
    failed = true;
    return fail(call, next);
  };
}

async function assertPublishedOnce(rig: Rig, id: string): Promise<void> {
  const done = await rig.until(id, ended);
  assert.equal(done.status, 'published', JSON.stringify(done.errors));
  assert.deepEqual(
    done.timeline.map(({ status }) => status),
    ['pending', 'uploading', 'uploaded', 'processing', 'published'],
  );
  assert.deepEqual(
    (await rig.videos()).map(({ sha256 }) => sha256),
    [rig.media.sha256],
  );
}

test('a platform that asks to wait is given the time, and the job says why', async () => {
  await using rig = await startRig();
  rig.platform.around = once(isSessionStart, async () => unavailable({ 'Retry-After': '30' }));
  const { id } = await rig.create();
  const waiting = await rig.until(id, waitsFor('platform_unavailable'));
  const ms = waitMs(rig, waiting);
  assert.ok(ms > 25_000 && ms <= 30_000, `${ms} ms`);
  await rig.advance(30_000);
  await assertPublishedOnce(rig, id);
});

test('failures in a row wait longer each time, with jitter, and end the job after a dozen', async () => {
  await using rig = await startRig({ work: false });
  // Refused before any byte goes: bytes that went would make the next failure the first one again.
  rig.platform.around = async (call, next) => (isSessionStart(call) ? unavailable() : next());
  const { id } = await rig.create();
  await rig.work();
  const waits: number[] = [];
  for (;;) {
    const seen = await rig.get(id);
    if (ended(seen)) break;
    if (seen.waiting) {
      const ms = waitMs(rig, seen);
      waits.push(ms);
      await rig.advance(Math.max(0, ms) + 1);
      await eventually(async () => (await rig.get(id)).attempts > seen.attempts);
    }
  }
  const done = await rig.get(id);
  assert.deepEqual(
    [done.status, done.errors[0]?.code, done.errors[0]?.retryable],
    ['failed', 'platform_unavailable', true],
  );
  assert.equal(waits.length, 12, String(waits));
  assert.ok(new Set(waits.slice(10).map((ms) => Math.round(ms / 1000))).size > 1, 'no jitter');
  for (const [index, ms] of waits.entries()) {
    const mean = Math.min(600_000, 1000 * 2 ** index);
    assert.ok(ms <= mean * 1.5 && ms > mean * 0.5 - 400, `wait ${index + 1}: ${ms} ms, ${mean} ms in the mean`);
  }
  assert.equal(await rig.cost(id), 0);
});

test('getting further makes a failure the first one again', async () => {
  await using rig = await startRig({ mediaBytes: 20 * MiB });
  rig.media.breakAt = 9 * MiB;
  const { id } = await rig.create();
  for (const breakAt of [14 * MiB, 19 * MiB, undefined]) {
    const waiting = await rig.until(id, waitsFor('media_unreachable'));
    assert.ok(waitMs(rig, waiting) < 1500);
    rig.media.breakAt = breakAt;
    await rig.advance(1500);
    await rig.until(id, ({ attempts }) => attempts > waiting.attempts);
  }
  await assertPublishedOnce(rig, id);
});

test('a lost answer to the opening of a session makes no second video', async () => {
  await using rig = await startRig();
  rig.platform.around = once(isSessionStart, async (call, next) => {
    await next();
    return call.hangUp();
  });
  const { id } = await rig.create();
  await rig.until(id, waitsFor('platform_unreachable'));
  await rig.advance(2000);
  await assertPublishedOnce(rig, id);
});

test('a lost answer to a piece is no lost piece', async () => {
  await using rig = await startRig({ mediaBytes: 20 * MiB });
  rig.platform.around = once(isPiece, async (call, next) => {
    await next();
    return call.hangUp();
  });
  const { id } = await rig.create();
  await rig.until(id, waitsFor('platform_unreachable'));
  await rig.advance(2000);
  await assertPublishedOnce(rig, id);
  const first = rig.platform.calls.filter((call) => call.includes(' bytes 0-'));
  assert.equal(first.length, 1, 'the platform kept it, so it is not sent again');
});

test('a lost answer to the last piece is looked up after its deadline, and the video is found', async () => {
  await using rig = await startRig();
  rig.platform.around = once(isLastPiece, async (call, next) => {
    await next();
    return call.hangUp();
  });
  const { id } = await rig.create();
  await rig.until(id, waitsFor('checking_outcome'));
  assert.equal((await rig.videos()).length, 1);
  const calls = rig.platform.calls.length;
  await rig.advance(23_000);
  const { id: marker } = await rig.create({ scheduledAt: new Date(rig.pharlo.app.deps.now() + 60_000).toISOString() });
  assert.equal((await rig.pharlo.rest('DELETE', `/assignments/${id}`)).status, 409, 'the outcome is open');
  assert.equal(rig.platform.calls.length, calls, 'nobody looks before the deadline + 5 s');
  await rig.pharlo.rest('DELETE', `/assignments/${marker}`);
  await rig.advance(3000);
  await assertPublishedOnce(rig, id);
});

test('a last piece that never arrived is sent again after the look', async () => {
  await using rig = await startRig();
  rig.platform.around = once(isLastPiece, (call) => call.hangUp());
  const { id } = await rig.create();
  await rig.until(id, waitsFor('checking_outcome'));
  await rig.advance(26_000);
  await rig.until(id, ({ waiting }) => waiting === undefined);
  await rig.advance(2000);
  await assertPublishedOnce(rig, id);
});

test('a platform that never answers the last piece ends the job with a clear word, and it costs nothing', async () => {
  await using rig = await startRig();
  rig.platform.around = async (call, next) => (isLastPiece(call) ? unavailable() : next());
  const { id } = await rig.create();
  const { db } = rig.pharlo.app.deps;
  const text = 'select 1 from assignments where id = $1 and lease_until is null and due_at > pharlo_now()';
  let done = await rig.get(id);
  while (!ended(done)) {
    const rests = (await db.query({ text, values: [id] })).length > 0;
    if (rests) await rig.advance(60_000);
    done = await rig.get(id);
  }
  assert.deepEqual([done.status, done.errors[0]?.code], ['failed', 'answer_lost']);
  assert.equal(await rig.cost(id), 0);
  assert.deepEqual(await rig.videos(), []);
});

test('when it cannot be told whether the post was made, the job says so and keeps its price', async () => {
  await using rig = await startRig();
  rig.platform.around = async (call, next) => {
    if (isLastPiece(call)) return call.hangUp();
    if (/^bytes \*/.test(call.range ?? '')) return new Response(null, { status: 404 });
    return next();
  };
  const { id } = await rig.create();
  await rig.until(id, waitsFor('checking_outcome'));
  await rig.advance(26_000);
  const done = await rig.until(id, ended);
  assert.deepEqual(
    [done.status, done.errors[0]?.code, done.errors[0]?.retryable],
    ['failed', 'outcome_unknown', false],
  );
  assert.ok((await rig.cost(id)) > 0);
});

test('processing is asked about until it ends', async () => {
  await using rig = await startRig({ processingMs: 5000 });
  const { id } = await rig.create();
  await rig.until(id, ({ status }) => status === 'processing');
  await rig.advance(5000);
  await assertPublishedOnce(rig, id);
});
