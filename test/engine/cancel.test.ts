import assert from 'node:assert/strict';
import { test } from 'node:test';
import { isLastPiece } from './platform.ts';
import { type Assignment, ended, eventually, startRig } from './rig.ts';

const cancel = async (rig: Awaited<ReturnType<typeof startRig>>, id: string) =>
  (await rig.pharlo.rest('DELETE', `/assignments/${id}`)).status;

test('a pending job is cancelled, never published, and costs nothing', async () => {
  await using rig = await startRig({ work: false });
  const { id } = await rig.create();
  assert.equal(await cancel(rig, id), 204);
  assert.equal(await rig.cost(id), 0);
  assert.equal(await cancel(rig, id), 409, 'cancelled is final');
  await rig.work();
  const { id: marker } = await rig.create({ payload: { title: 'Marker' } });
  await rig.until(marker, ended);
  assert.equal((await rig.get(id)).status, 'cancelled');
  assert.deepEqual(
    (await rig.videos()).map(({ title }) => title),
    ['Marker'],
  );
});

test('a job is cancelled in the middle of its upload; the last piece is never sent', async () => {
  await using rig = await startRig({ work: false });
  const engine = await rig.work();
  rig.media.gate = 600 * 1024;
  const { id } = await rig.create();
  await rig.media.reached();
  assert.equal((await rig.get(id)).status, 'uploading');
  assert.equal(await cancel(rig, id), 204);
  rig.media.open();
  await engine.stop();
  const { status, timeline } = await rig.get(id);
  assert.equal(status, 'cancelled');
  assert.deepEqual(
    timeline.map((event) => event.status),
    ['pending', 'uploading', 'cancelled'],
  );
  assert.equal(await rig.cost(id), 0);
  assert.deepEqual(await rig.videos(), []);
  assert.ok(!rig.platform.calls.some((call) => call.includes(`-${rig.media.file.length - 1}/`)));
  assert.ok(!rig.pharlo.logs.some((line) => line.includes('"error"')), 'a cancel is no error');
});

test('once the call that makes the post is under way a cancel comes too late', async () => {
  await using rig = await startRig();
  const begun = Promise.withResolvers<void>();
  const go = Promise.withResolvers<void>();
  rig.platform.around = async (call, next) => {
    if (!isLastPiece(call)) return next();
    begun.resolve();
    await go.promise;
    return next();
  };
  const { id } = await rig.create();
  await begun.promise;
  assert.equal((await rig.get(id)).status, 'uploading');
  assert.equal(await cancel(rig, id), 409);
  go.resolve();
  assert.equal((await rig.until(id, ended)).status, 'published');
  assert.equal(await cancel(rig, id), 409);
  assert.equal((await rig.videos()).length, 1);
});

test('a cancel that races the worker ends in one of two ways, never in both', async () => {
  await using rig = await startRig({ mediaBytes: 512 * 1024 });
  const race = async (index: number): Promise<[status: number, end: Assignment]> => {
    const callsBefore = rig.platform.calls.length;
    const { id } = await rig.create({ payload: { title: `Race ${index}` } });
    // Session, first piece, last piece, look: the cancel meets the job at each of them.
    await eventually(() => rig.platform.calls.length >= callsBefore + (index % 5));
    const status = await cancel(rig, id);
    return [status, await rig.until(id, ended)];
  };
  const ends: Awaited<ReturnType<typeof race>>[] = [];
  for (let index = 0; index < 15; index++) ends.push(await race(index));
  const titles = new Set((await rig.videos()).map(({ title }) => title));
  for (const [index, [status, { id, status: end }]] of ends.entries()) {
    assert.equal(end, status === 204 ? 'cancelled' : 'published', `race ${index}: ${status}`);
    assert.equal(titles.has(`Race ${index}`), end === 'published', `race ${index}: ${end}`);
    assert.equal((await rig.cost(id)) === 0, end === 'cancelled');
  }
  const seen = new Set(ends.map(([status]) => status));
  assert.deepEqual([...seen].sort(), [204, 409], 'both ends were seen');
  const gaps = await rig.pharlo.app.deps.db.query({
    text: 'select assignment_id from assignment_events group by 1 having max(sequence) + 1 <> count(*)',
    values: [],
  });
  assert.deepEqual(gaps, []);
});
