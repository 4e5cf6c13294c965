import assert from 'node:assert/strict';
import { join } from 'node:path';
import { test } from 'node:test';
import { type Assignment, connectChannel, ended, eventually } from '../engine/rig.ts';
import { type Place, startWorld, stop, type World } from './world.ts';

const hourMs = 3_600_000;
const inHours = (hours: number) => new Date(Date.now() + hours * hourMs).toISOString();

async function connect(place: Place): Promise<string> {
  place.key = String((await place.told('keys', 'create')).key);
  return connectChannel(place);
}

async function create({ media }: World, place: Place, input: object): Promise<string> {
  const { status, body } = await place.rest('POST', '/assignments', {
    type: 'video',
    payload: { title: 'Once' },
    mediaUrl: media.url,
    ...input,
  });
  assert.equal(status, 201, JSON.stringify(body));
  return String(body.id);
}

const get = async (place: Place, id: string) => (await place.rest('GET', `/assignments/${id}`)).body as Assignment;

async function end(place: Place, id: string): Promise<Assignment> {
  await eventually(async () => ended(await get(place, id)));
  return get(place, id);
}

async function videos({ platform }: World, place: Place): Promise<number> {
  const { items } = await place.told('workspaces', 'list');
  const [workspace] = items as { id: string }[];
  return (await platform.videos(workspace?.id ?? '')).length;
}

/** A backup with one job long overdue, one just due and one to come, and a Pharlo it was restored into. */
async function restoreOverdue(world: World, ...options: string[]) {
  const from = await world.place('DATABASE_URL', { PHARLO_ROLE: 'web' });
  const server = await from.start();
  const connectionId = await connect(from);
  const missed = await create(world, from, { connectionId });
  const due = await create(world, from, { connectionId, scheduledAt: inHours(25) });
  const later = await create(world, from, { connectionId, scheduledAt: inHours(40) });
  await stop(server);
  // The clock of a test database is a table, so it goes with the backup.
  await from.database?.setClockOffset(26 * hourMs);
  const file = join(world.folder, 'backup');
  await from.told('backup', file);
  const to = await world.place('DATABASE_URL');
  to.key = from.key;
  const told = await to.told('restore', file, ...options);
  const running = await to.start();
  return { to, told, running, missed, due, later };
}

test('after a restore nothing is posted that may have been posted since the backup', async () => {
  await using world = await startWorld();
  const { to, told, running, missed, due, later } = await restoreOverdue(world);
  assert.deepEqual([told.inDoubt, told.missed, told.publishedNow], [1, 1, 0]);
  const unknown = await end(to, due);
  assert.deepEqual([unknown.status, unknown.errors[0]?.code], ['failed', 'outcome_unknown']);
  const late = await end(to, missed);
  assert.deepEqual([late.status, late.errors[0]?.code], ['failed', 'schedule_missed']);
  assert.equal((await get(to, later)).status, 'pending');
  assert.equal(await videos(world, to), 0);
  // A person has looked at the channel and says that it is not there.
  assert.equal((await to.rest('POST', `/assignments/${due}/retry`)).status, 200);
  assert.equal((await end(to, due)).status, 'published');
  assert.equal(await videos(world, to), 1);
  await stop(running);
});

test('--publish-overdue: what is overdue is published, however long', async () => {
  await using world = await startWorld();
  const { to, told, running, missed, due, later } = await restoreOverdue(world, '--publish-overdue');
  assert.deepEqual([told.inDoubt, told.missed, told.publishedNow], [0, 0, 2]);
  assert.equal((await end(to, due)).status, 'published');
  assert.equal((await end(to, missed)).status, 'published');
  assert.equal((await get(to, later)).status, 'pending');
  assert.equal(await videos(world, to), 2);
  await stop(running);
});

test('a post that was made after the backup is found, not made again', async () => {
  await using world = await startWorld();
  const { media } = world;
  const from = await world.place('DATABASE_URL');
  const server = await from.start();
  const connectionId = await connect(from);
  media.gate = media.file.length / 2;
  const reached = media.reached();
  const id = await create(world, from, { connectionId });
  await reached;
  const file = join(world.folder, 'backup');
  await from.told('backup', file);
  media.open();
  const first = await end(from, id);
  assert.equal(first.status, 'published');
  await stop(server);
  const to = await world.place('DATABASE_URL');
  to.key = from.key;
  assert.equal((await to.told('restore', file)).inDoubt, 1);
  const running = await to.start();
  const found = await end(to, id);
  assert.deepEqual([found.status, found.platformPostId], ['published', first.platformPostId]);
  assert.equal(await videos(world, to), 1);
  await stop(running);
});
