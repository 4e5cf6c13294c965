import assert from 'node:assert/strict';
import { test } from 'node:test';
import { newId } from '../../src/domain/ids.ts';
import { claimAssignments, msUntilNextDue } from '../../src/store/publish-claims.ts';
import { releaseAssignment } from '../../src/store/publish-jobs.ts';
import { isSessionStart } from './platform.ts';
import { ended, startRig, waitsFor } from './rig.ts';

const alone = { handlerVersion: 1, held: new Map<string, number>(), perWorkspace: 16 };

const hourMs = 3_600_000;

test('a scheduled job starts at its time by the clock of the database, not before', async () => {
  await using rig = await startRig();
  const scheduledAt = new Date(rig.pharlo.app.deps.now() + hourMs).toISOString();
  const { id } = await rig.create({ scheduledAt, payload: { title: 'Later' } });
  await rig.advance(hourMs - 60_000);
  const { id: marker } = await rig.create({ payload: { title: 'Now' } });
  await rig.until(marker, ended);
  assert.equal((await rig.get(id)).status, 'pending', 'a job made later was done first');
  await rig.advance(61_000);
  const done = await rig.until(id, ended);
  assert.equal(done.status, 'published');
  const startedAt = done.timeline.find(({ status }) => status === 'uploading')?.at ?? '';
  assert.ok(startedAt >= scheduledAt, `started ${startedAt}, scheduled ${scheduledAt}`);
  assert.deepEqual(
    (await rig.videos()).map(({ title }) => title),
    ['Now', 'Later'],
  );
});

test('a job found more than a day after its time fails as missed and costs nothing', async () => {
  await using rig = await startRig({ work: false });
  const at = (ms: number) => new Date(rig.pharlo.app.deps.now() + ms).toISOString();
  const late = await rig.create({ scheduledAt: at(hourMs) });
  const just = await rig.create({ scheduledAt: at(2 * hourMs + 60_000) });
  assert.ok((await rig.cost(late.id)) > 0);
  await rig.advance(26 * hourMs);
  await rig.work();
  const missed = await rig.until(late.id, ended);
  assert.deepEqual(
    [missed.status, missed.errors[0]?.code, missed.errors[0]?.retryable],
    ['failed', 'schedule_missed', true],
  );
  assert.equal(await rig.cost(late.id), 0);
  assert.equal((await rig.until(just.id, ended)).status, 'published');
  assert.equal((await rig.videos()).length, 1);
});

for (const end of ['given back', 'lost'] as const) {
  test(`a job whose claim was ${end} and that nobody took for more than a day is missed too`, async () => {
    await using rig = await startRig({ work: false });
    const { db, now, random } = rig.pharlo.app.deps;
    const { id } = await rig.create();
    const [claimed] = await claimAssignments(db, alone, { limit: 1, leaseToken: newId(now(), random) });
    assert.deepEqual([claimed?.id, claimed?.missed], [id, false]);
    if (claimed && end === 'given back') await releaseAssignment(db, claimed);
    await rig.advance(26 * hourMs);
    await rig.work();
    const { status, errors } = await rig.until(id, ended);
    assert.deepEqual([status, errors[0]?.code], ['failed', 'schedule_missed']);
    assert.equal(await rig.cost(id), 0);
    assert.deepEqual(await rig.videos(), []);
  });
}

test('a job that backs off for more than a day is not missed', async () => {
  await using rig = await startRig();
  rig.platform.around = async (call, next) =>
    isSessionStart(call) ? new Response('{}', { status: 503, headers: { 'Retry-After': '93600' } }) : next();
  const { id } = await rig.create();
  const { waiting } = await rig.until(id, waitsFor('platform_unavailable'));
  rig.platform.around = undefined;
  await rig.advance(Date.parse(waiting?.until ?? '') - rig.pharlo.app.deps.now() + 1000);
  assert.equal((await rig.until(id, ended)).status, 'published');
});

test('a post of next year neither wakes nor troubles the worker', async () => {
  await using rig = await startRig({ work: false });
  const { db, now } = rig.pharlo.app.deps;
  const days = 365;
  await rig.create({ scheduledAt: new Date(now() + days * 86_400_000).toISOString() });
  const ms = await msUntilNextDue(db, alone);
  assert.ok(Math.abs((ms ?? 0) / 86_400_000 - days) < 0.1, String(ms));
});
