import assert from 'node:assert/strict';
import { test } from 'node:test';
import { sweepKind } from '../../src/jobs/sweep.ts';
import { type Call, isLastPiece } from './platform.ts';
import { ended, type Rig, startRig, waitsFor } from './rig.ts';

const hourMs = 3_600_000;
const unavailable = async () => new Response('{}', { status: 503 });
const isCheck = ({ name }: Call) => name === 'GET /youtube/youtube/v3/videos';
const isProbe = ({ name, range }: Call) => name.startsWith('PUT ') && range?.startsWith('bytes */') === true;

/** Lets a job try until it has waited that often after a failure of the platform. */
async function wait(rig: Rig, id: string, times: number): Promise<void> {
  for (let until: string | undefined, left = times; left > 0; left--) {
    const seen = await rig.until(
      id,
      ({ waiting }) => waiting?.reason === 'platform_unavailable' && waiting.until !== until,
    );
    until = seen.waiting?.until;
    await rig.advance(Math.max(0, Date.parse(seen.waiting?.until ?? '') - rig.pharlo.app.deps.now()) + 1);
  }
}

test('a post that was made is published however often the look at its processing fails', async () => {
  await using rig = await startRig({ processingMs: 1000 });
  rig.platform.around = async (call, next) => (isCheck(call) ? unavailable() : next());
  const { id } = await rig.create();
  await rig.until(id, ({ status }) => status === 'processing' || status === 'uploaded');
  await rig.advance(5000);
  await wait(rig, id, 20);
  rig.platform.around = undefined;
  await rig.advance(900_000);
  const done = await rig.until(id, ended);
  assert.equal(done.status, 'published', JSON.stringify(done.errors));
  assert.equal((await rig.videos()).length, 1);
  assert.ok((await rig.cost(id)) > 0);
});

test('looks that fail for a day end a post that was made; a retry goes on looking and makes no other', async () => {
  await using rig = await startRig({ processingMs: 1000 });
  rig.platform.around = async (call, next) => (isCheck(call) ? unavailable() : next());
  const { id } = await rig.create();
  await rig.until(id, ({ status }) => status === 'processing' || status === 'uploaded');
  await rig.advance(5000);
  await wait(rig, id, 14);
  await rig.advance(24 * hourMs);
  const { status, errors } = await rig.until(id, ended);
  assert.deepEqual([status, errors[0]?.code, errors[0]?.retryable], ['failed', 'processing_timeout', true]);
  assert.equal(await rig.cost(id), 0);
  rig.platform.around = undefined;
  assert.equal((await rig.pharlo.rest('POST', `/assignments/${id}/retry`)).status, 200);
  assert.equal((await rig.until(id, ended)).status, 'published');
  assert.equal((await rig.videos()).length, 1);
  assert.equal(await rig.cost(id), 300);
});

test('a channel of a made post that nobody connects again ends it', async () => {
  await using rig = await startRig({ processingMs: 1000 });
  rig.platform.around = async (call, next) => {
    if (isCheck(call)) return new Response('{}', { status: 401 });
    if (call.name === 'POST /youtube/token') return Response.json({ error: 'invalid_grant' }, { status: 400 });
    return next();
  };
  const { id } = await rig.create();
  await rig.until(id, ({ status }) => status === 'processing' || status === 'uploaded');
  await rig.advance(5000);
  await rig.until(id, waitsFor('reconnect_required'));
  await rig.advance(24 * hourMs + 1000);
  const { status, errors } = await rig.until(id, ended);
  assert.deepEqual([status, errors[0]?.code, errors[0]?.retryable], ['failed', 'reconnect_required', true]);
});

test('a look for the post that fails again and again is repeated until it finds the one video', async () => {
  await using rig = await startRig();
  rig.platform.around = async (call, next) => {
    if (isProbe(call)) return unavailable();
    if (!isLastPiece(call)) return next();
    await next();
    return call.hangUp();
  };
  const { id } = await rig.create();
  await rig.until(id, waitsFor('checking_outcome'));
  await rig.advance(26_000);
  await wait(rig, id, 20);
  rig.platform.around = undefined;
  await rig.advance(900_000);
  const done = await rig.until(id, ended);
  assert.equal(done.status, 'published', JSON.stringify(done.errors));
  assert.equal((await rig.videos()).length, 1);
});

test('looks for the post that fail for a day end in an unknown outcome', async () => {
  await using rig = await startRig();
  rig.platform.around = async (call, next) => {
    if (isProbe(call)) return unavailable();
    return isLastPiece(call) ? call.hangUp() : next();
  };
  const { id } = await rig.create();
  await rig.until(id, waitsFor('checking_outcome'));
  await rig.advance(26_000);
  await wait(rig, id, 13);
  await rig.advance(24 * hourMs);
  const { status, errors } = await rig.until(id, ended);
  assert.deepEqual([status, errors[0]?.code, errors[0]?.retryable], ['failed', 'outcome_unknown', false]);
});

test('what an unknown outcome cost comes back after 24 hours, once', async () => {
  await using rig = await startRig({ work: false });
  const sweep = async () => {
    const { signal } = new AbortController();
    for (const job of await sweepKind(rig.pharlo.app.deps).claim(1, '')) await job.run({ stop: signal, lost: signal });
  };
  rig.platform.around = async (call, next) => {
    if (isProbe(call)) return new Response(null, { status: 404 });
    return isLastPiece(call) ? call.hangUp() : next();
  };
  const engine = await rig.work();
  const { id } = await rig.create();
  await rig.until(id, waitsFor('checking_outcome'));
  await rig.advance(26_000);
  assert.equal((await rig.until(id, ended)).errors[0]?.code, 'outcome_unknown');
  rig.platform.around = undefined;
  const { id: other } = await rig.create({ payload: { title: 'Published' } });
  assert.equal((await rig.until(other, ended)).status, 'published');
  await engine.stop();
  await rig.advance(23 * hourMs);
  await sweep();
  assert.ok((await rig.cost(id)) > 0);
  await rig.advance(2 * hourMs);
  await sweep();
  await sweep();
  assert.equal(await rig.cost(id), 0);
  assert.ok((await rig.cost(other)) > 0, 'what was published is paid');
});

for (const made of [true, false]) {
  test(`claims that never came back do not end a post that ${made ? 'was' : 'may have been'} made`, async () => {
    await using rig = await startRig({ work: false, processingMs: made ? hourMs : 0 });
    const engine = await rig.work();
    rig.platform.around = async (call, next) => {
      if (made || !isLastPiece(call)) return next();
      await next();
      return call.hangUp();
    };
    const { id } = await rig.create();
    await rig.until(id, made ? ({ status }) => status === 'processing' : waitsFor('checking_outcome'));
    await engine.stop();
    rig.platform.around = undefined;
    const text = 'update assignments set stalls = 3 where id = $1';
    await rig.pharlo.app.deps.db.query({ text, values: [id] });
    await rig.advance(hourMs);
    await rig.work();
    await rig.until(id, waitsFor('internal_crash'));
    await rig.advance(2000);
    const done = await rig.until(id, ended);
    assert.equal(done.status, 'published', JSON.stringify(done.errors));
    assert.equal((await rig.videos()).length, 1);
    assert.equal(await rig.cost(id), 300);
  });
}
