import assert from 'node:assert/strict';
import { test } from 'node:test';
import { createApp } from '../../src/app.ts';
import { makeKey } from '../../src/commands/keys.ts';
import { newId } from '../../src/domain/ids.ts';
import { claimAssignments, msUntilNextDue } from '../../src/store/publish-claims.ts';
import {
  commitIntent,
  moveAssignment,
  releaseAssignment,
  renewLease,
  saveProgress,
} from '../../src/store/publish-jobs.ts';
import { insertWorkspace } from '../../src/store/workspaces.ts';
import { connectChannel as newChannel } from '../channel.ts';
import { connectChannel, ended, type Rig, startRig, waitsFor } from './rig.ts';

const asking = (handlerVersion: number) => ({ handlerVersion, held: new Map<string, number>(), perWorkspace: 16 });

async function claim({ pharlo }: Rig, limit = 1, handlerVersion = 1) {
  const { db, now, random } = pharlo.app.deps;
  return claimAssignments(db, asking(handlerVersion), { limit, leaseToken: newId(now(), random) });
}

const sealed = Buffer.from('sealed');
const unmoved = { moved: false, sent: {} };

test('a worker whose lease was taken writes nothing', async () => {
  await using rig = await startRig({ work: false });
  const { id } = await rig.create();
  const { db } = rig.pharlo.app.deps;
  const [frozen] = await claim(rig);
  assert.ok(frozen);
  assert.deepEqual(await claim(rig), [], 'a claimed job is not claimed again');
  await rig.advance(15_001);
  const [taker] = await claim(rig);
  assert.equal(taker?.id, id);

  assert.equal(await renewLease(db, frozen, { bytes: 7, total: 9 }), false);
  assert.equal(await saveProgress(db, frozen, sealed, unmoved), false);
  assert.equal(await commitIntent(db, frozen, sealed, 20), false);
  const published = { status: 'published', progress: null, postId: 'x', sent: {} } as const;
  assert.equal(await db.transaction((tx) => moveAssignment(tx, frozen, published)), false);
  await releaseAssignment(db, frozen);
  const { status, progress, platformPostId } = await rig.get(id);
  assert.deepEqual([status, progress, platformPostId], ['uploading', undefined, undefined]);

  assert.equal(await renewLease(db, taker, {}), true);
  assert.equal(await commitIntent(db, taker, sealed, 20), true);
  assert.equal(await commitIntent(db, taker, sealed, 20), false, 'an intent is committed once');
  assert.equal((await rig.pharlo.rest('DELETE', `/assignments/${id}`)).status, 409);
});

test('a lease that ran out holds nothing, even when nobody took it', async () => {
  await using rig = await startRig({ work: false });
  await rig.create();
  const { db } = rig.pharlo.app.deps;
  const [late] = await claim(rig);
  assert.ok(late);
  await rig.advance(15_001);
  assert.equal(await renewLease(db, late, {}), false);
  assert.equal(await saveProgress(db, late, sealed, unmoved), false);
  assert.equal(await commitIntent(db, late, sealed, 20), false);
});

test('after a crash nobody looks for the post before the deadline of its intent and five seconds', async () => {
  await using rig = await startRig({ work: false });
  const { id } = await rig.create();
  const { db, vault } = rig.pharlo.app.deps;
  const [crashed] = await claim(rig);
  assert.ok(crashed);
  const memory = vault.seal(`assignment:${crashed.workspaceId}:${id}:progress`, '{"step":{}}');
  assert.equal(await commitIntent(db, crashed, memory, 20), true);
  await rig.advance(22_500);
  await rig.work();
  await rig.until(id, waitsFor('checking_outcome'));
  assert.deepEqual(
    rig.platform.calls.filter((call) => call.includes('upload')),
    [],
  );
  await rig.advance(2600);
  assert.equal((await rig.until(id, ended)).status, 'published');
  assert.equal((await rig.videos()).length, 1);
});

test('three crashes without progress end the job, and it costs nothing', async () => {
  await using rig = await startRig({ work: false });
  const { id } = await rig.create();
  const { db, vault } = rig.pharlo.app.deps;
  for (let crashes = 1; crashes <= 3; crashes++) {
    const [claimed] = await claim(rig);
    assert.equal(claimed?.stalls, crashes);
    const same = vault.seal(`assignment:${claimed.workspaceId}:${id}:progress`, '{"step":{}}');
    assert.equal(await saveProgress(db, claimed, same, unmoved), true);
    await rig.advance(15_001);
  }
  await rig.work();
  const done = await rig.until(id, ended);
  assert.equal(done.status, 'failed');
  assert.equal(await rig.cost(id), 0);
  assert.deepEqual(
    rig.platform.calls.filter((call) => call.includes('upload')),
    [],
  );
});

test('a defect of ours ends the job after three tries instead of trying for ever', async () => {
  await using rig = await startRig({ work: false });
  const { id } = await rig.create();
  const { platforms } = rig.pharlo.app.deps;
  const connector = platforms.find('youtube');
  assert.ok(connector);
  const upload = connector.upload;
  let calls = 0;
  connector.upload = async () => {
    calls++;
    throw new TypeError('a defect');
  };
  try {
    await rig.work();
    const done = await (async () => {
      for (;;) {
        const seen = await rig.get(id);
        if (ended(seen)) return seen;
        await rig.advance(1000);
      }
    })();
    assert.deepEqual([done.status, done.errors[0]?.code, calls], ['failed', 'internal_crash', 3]);
  } finally {
    if (upload) connector.upload = upload;
  }
});

test('a worker leaves jobs of a newer version alone and does not spin on them', async () => {
  await using rig = await startRig({ work: false });
  await rig.create();
  const { db } = rig.pharlo.app.deps;
  assert.deepEqual(await claim(rig, 1, 0), []);
  assert.equal(await msUntilNextDue(db, asking(0)), undefined);
  assert.ok(((await msUntilNextDue(db, asking(1))) ?? 1) <= 0);
});

test('workspaces take turns, whoever was first with however many jobs', async () => {
  await using rig = await startRig({ work: false });
  const { app, rest } = rig.pharlo;
  const { db, now, random } = app.deps;
  const channels = [rig.connectionId, await newChannel(rig.pharlo), await newChannel(rig.pharlo)];
  for (let index = 0; index < 12; index++) {
    await rig.create({ connectionId: channels[index % 3], payload: { title: `Many ${index}` } });
  }
  const workspace = { id: newId(now(), random), organizationId: newId(now(), random), slug: 'small', name: 'Small' };
  await db.transaction((tx) => insertWorkspace(tx, { ...workspace, plan: 'unlimited' }));
  const { key } = await makeKey(app.deps, { workspaceId: workspace.id, name: 'Small' });
  const asSmall: typeof rest = (method, path, body) => rest(method, path, body, { authorization: `Bearer ${key}` });
  const connectionId = await connectChannel({ rest: asSmall });
  for (let index = 0; index < 3; index++) {
    const { status } = await asSmall('POST', '/assignments', {
      connectionId,
      type: 'video',
      payload: { title: `Few ${index}` },
      mediaUrl: rig.media.url,
    });
    assert.equal(status, 201);
  }
  const ofSmall = async (limit: number) =>
    (await claim(rig, limit)).map((row) => (row.workspaceId === workspace.id ? 'small' : 'big'));
  assert.deepEqual((await ofSmall(4)).sort(), ['big', 'big', 'small', 'small']);
  assert.deepEqual((await ofSmall(2)).sort(), ['big', 'small'], 'those in flight count');
  assert.deepEqual(await ofSmall(3), ['big', 'big', 'big'], 'nobody else waits');
});

test('a channel is given three jobs at once, over all workers, and the next when one of them ends', async () => {
  await using rig = await startRig({ work: false });
  const { db } = rig.pharlo.app.deps;
  for (let index = 0; index < 5; index++) await rig.create({ payload: { title: `Job ${index}` } });
  const first = await claim(rig, 10);
  assert.equal(first.length, 3);
  assert.deepEqual(await claim(rig, 10), []);
  assert.equal(await msUntilNextDue(db, asking(1)), undefined, 'nothing to look for again and again');
  const [ended] = first;
  assert.ok(ended);
  const published = { status: 'published', progress: null, postId: 'x', sent: {} } as const;
  await db.transaction((tx) => moveAssignment(tx, ended, published));
  assert.ok(((await msUntilNextDue(db, asking(1))) ?? 1) <= 0);
  assert.equal((await claim(rig, 10)).length, 1);
});

test('one workspace leaves slots of a worker free for others', async () => {
  await using rig = await startRig({ work: false });
  const { db, now, random } = rig.pharlo.app.deps;
  for (let index = 0; index < 2; index++) await rig.create({ payload: { title: `Job ${index}` } });
  const held = new Map([[rig.pharlo.workspaceId, 3]]);
  const claimWith = (perWorkspace: number) =>
    claimAssignments(db, { handlerVersion: 1, held, perWorkspace }, { limit: 4, leaseToken: newId(now(), random) });
  assert.equal((await claimWith(3)).length, 0);
  assert.equal((await claimWith(4)).length, 1);
});

test('two workers on one database do every job once', async () => {
  await using rig = await startRig({ work: false, mediaBytes: 512 * 1024 });
  const { config, now } = rig.pharlo.app.deps;
  await using second = await createApp(config, { now });
  const ids: string[] = [];
  for (let index = 0; index < 30; index++) ids.push((await rig.create({ payload: { title: `Job ${index}` } })).id);
  await rig.work();
  const engine = await second.work();
  try {
    for (const id of ids) {
      const done = await rig.until(id, ended);
      assert.equal(done.status, 'published', JSON.stringify(done.errors));
      assert.deepEqual(
        done.timeline.map(({ status }) => status),
        ['pending', 'uploading', 'uploaded', 'processing', 'published'],
      );
    }
  } finally {
    await engine.stop();
  }
  const titles = (await rig.videos()).map(({ title }) => title);
  assert.equal(titles.length, 30);
  assert.equal(new Set(titles).size, 30);
});
