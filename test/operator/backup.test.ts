import assert from 'node:assert/strict';
import { createHash } from 'node:crypto';
import { readdir, readFile, stat, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { test } from 'node:test';
import { gunzipSync, gzipSync } from 'node:zlib';
import pg from 'pg';
import { connectChannel, ended, eventually } from '../engine/rig.ts';
import { type Place, startWorld, stop, type World } from './world.ts';

const tomorrow = new Date(Date.now() + 24 * 3_600_000).toISOString();

/** A channel, a published video with its refundless ledger, a scheduled one; answers what a caller sees of them. */
async function seed({ media }: World, place: Place) {
  place.key = String((await place.told('keys', 'create')).key);
  const connectionId = await connectChannel(place);
  const create = async (input: object) => {
    const given = {
      connectionId,
      type: 'video',
      payload: { title: 'Grüße \u2028 "x" \\' },
      mediaUrl: media.url,
      ...input,
    };
    const { status, body } = await place.rest('POST', '/assignments', given);
    assert.equal(status, 201, JSON.stringify(body));
    return String(body.id);
  };
  const published = await create({});
  const scheduled = await create({ scheduledAt: tomorrow, externalId: 'later' });
  await eventually(async () => ended((await place.rest('GET', `/assignments/${published}`)).body as never));
  return { connectionId, published, scheduled, create };
}

async function fillAudit(url: string): Promise<void> {
  const client = new pg.Client(url);
  await client.connect();
  await client.query(`insert into audit (action, outcome) select 'filled', i::text from generate_series(1, 20000) i`);
  await client.end();
}

/** What a caller sees, asked where nothing is charged for it in between. */
async function seen(place: Place, ids: readonly string[]) {
  const assignments = [];
  for (const id of ids) assignments.push((await place.rest('GET', `/assignments/${id}`)).body);
  const connections = (await place.rest('GET', '/connections')).body;
  const grants = (await place.rest('GET', '/grants')).body;
  const secret = (await place.rest('GET', '/webhooks/secret')).body;
  return { assignments, connections, grants, secret };
}

for (const store of ['embedded', 'DATABASE_URL'] as const) {
  test(`${store}: what was backed up while the server ran and wrote is all there on another machine`, async () => {
    await using world = await startWorld();
    const from = await world.place(store);
    const server = await from.start();
    const { connectionId, published, scheduled, create } = await seed(world, from);
    const before = await seen(from, [published, scheduled]);
    const file = join(world.folder, 'backup.gz');
    const writing = new AbortController();
    const writer = (async () => {
      while (!writing.signal.aborted) await create({ scheduledAt: tomorrow });
    })();
    // Something long between tables that belong together.
    if (from.database) await fillAudit(from.database.ownerUrl);
    const withKey = store === 'embedded' ? ['--with-key'] : [];
    const told = await from.told('backup', file, ...withKey);
    writing.abort();
    await writer;
    assert.equal((await stat(file)).mode & 0o777, 0o600);
    const text = gunzipSync(await readFile(file)).toString();
    for (const hidden of [from.key, before.secret.secret, from.environment.PHARLO_SECRET_KEY ?? from.key]) {
      assert.equal(text.includes(String(hidden)), false, 'it is hashed or sealed');
    }
    assert.deepEqual([told.file, told.hasKey], [file, store === 'embedded']);
    assert.deepEqual(
      (await readdir(world.folder)).filter((name) => name.includes('partial')),
      [],
    );
    await stop(server);

    const to = await world.place(store);
    const restored = await to.told('restore', file);
    assert.equal(restored.rows, told.rows);
    to.key = from.key;
    const other = await to.start();
    assert.deepEqual(await seen(to, [published, scheduled]), before);
    const stats = await to.rest('GET', `/connections/${connectionId}/channel-stats`);
    assert.equal(stats.status, 200, 'the sealed tokens can be opened');
    // Numbers go on, and rows that belong together came together.
    const { body } = await to.rest('GET', '/assignments?limit=100');
    for (const { id } of body.items as { id: string }[]) {
      const one = (await to.rest('GET', `/assignments/${id}`)).body;
      assert.ok((one.timeline as unknown[]).length > 0);
    }
    const again = await to.rest('POST', '/assignments', {
      connectionId,
      type: 'video',
      payload: { title: 'After' },
      mediaUrl: world.media.url,
    });
    assert.equal(again.status, 201, JSON.stringify(again.body));
    await eventually(async () => ended((await to.rest('GET', `/assignments/${again.body.id}`)).body as never));
    assert.equal((await to.rest('GET', `/assignments/${again.body.id}`)).body.status, 'published');
    await stop(other);

    const full = await to.run('restore', file);
    assert.deepEqual([full.code, full.stdout], [1, '']);
    assert.match(full.stderr, /^The store is not empty: .*\n$/);
  });
}

test('a backup is whole or absent, and overwrites nothing', async () => {
  await using world = await startWorld();
  const place = await world.place('DATABASE_URL');
  const file = join(world.folder, 'mine');
  await writeFile(file, 'dear');
  const refused = await place.run('backup', file);
  assert.deepEqual([refused.code, await readFile(file, 'utf8')], [1, 'dear']);
  assert.match(refused.stderr, /is there already/);
  const nowhere = await place.run('backup', join(world.folder, 'no', 'such'));
  assert.equal(nowhere.code, 1);
  assert.match(nowhere.stderr, /no such file or folder/);
  const withKey = await place.run('backup', join(world.folder, 'x'), '--with-key');
  assert.match(withKey.stderr, /PHARLO_SECRET_KEY/);
  const told = await place.run('backup', join(world.folder, 'y'));
  assert.match(told.stdout, /The secret key is NOT in it: keep PHARLO_SECRET_KEY/);
});

test('what is not a whole backup of this Pharlo with its key is refused, and nothing is restored', async (t) => {
  await using world = await startWorld();
  const from = await world.place('DATABASE_URL');
  await from.told('workspaces', 'create', 'acme');
  const good = join(world.folder, 'good');
  await from.told('backup', good);
  const bytes = await readFile(good);
  const text = gunzipSync(bytes).toString();
  const to = await world.place('DATABASE_URL');
  const changed = (a: string | RegExp, b: string) => gzipSync(text.replace(a, b));
  const wrong: Record<string, [Buffer, RegExp]> = {
    'cut in the middle': [bytes.subarray(0, bytes.length / 2), /is cut or damaged/],
    'without its last byte': [bytes.subarray(0, -1), /is cut or damaged/],
    'without its last line': [gzipSync(text.replace(/end .*\n$/, '')), /is cut or damaged/],
    'with a changed row': [changed('"slug":"acme"', '"slug":"evil"'), /is cut or damaged/],
    'with a row more than it says': [changed(/\nend /, '\nrow {}\nend '), /is cut or damaged/],
    'no backup at all': [Buffer.from('PK hello'), /is cut or damaged/],
    'another compressed file': [gzipSync('hello\n'), /is no backup of Pharlo/],
    'of a newer format': [changed('"format":1', '"format":2'), /which is newer: restore it with that version/],
  };
  for (const [name, [content, message]] of Object.entries(wrong)) {
    await t.test(name, async () => {
      const file = join(world.folder, 'wrong');
      await writeFile(file, content);
      const { code, stdout, stderr } = await to.run('restore', file);
      assert.deepEqual([code, stdout], [1, '']);
      assert.match(stderr, message);
      assert.equal(stderr.trim().split('\n').length, 1);
    });
  }
  await t.test('with tables this version does not know', async () => {
    const header = text.replace('"migrations":["0001_init"]', '"migrations":["0001_init","9999_future"]');
    const body = header.slice(0, header.lastIndexOf('end '));
    const end = JSON.parse(header.slice(header.lastIndexOf('end ') + 4));
    const sha256 = createHash('sha256').update(body).digest('hex');
    const file = join(world.folder, 'future');
    await writeFile(file, gzipSync(`${body}end ${JSON.stringify({ ...end, sha256 })}\n`));
    const { code, stderr } = await to.run('restore', file);
    assert.equal(code, 1);
    assert.match(stderr, /whose tables are newer: restore it with that version\./);
  });
  await t.test('with another key', async () => {
    const other = await world.place('DATABASE_URL', { PHARLO_SECRET_KEY: Buffer.alloc(32, 7).toString('base64') });
    const { code, stderr } = await other.run('restore', good);
    assert.equal(code, 1);
    assert.match(stderr, /^PHARLO_SECRET_KEY is not the key of this backup/);
  });
  await t.test('without any key, on the embedded store', async () => {
    const other = await world.place('embedded');
    const { code, stderr } = await other.run('restore', good);
    assert.equal(code, 1);
    assert.match(stderr, /holds no secret key: put the secret\.key of the old data folder/);
    assert.equal((await readdir(world.folder)).includes('data-4'), false, 'nothing was made');
  });
  const { items } = await to.told('workspaces', 'list');
  assert.deepEqual(
    (items as { slug: string }[]).map(({ slug }) => slug),
    ['default'],
  );
  await to.told('restore', good);
  const after = (await to.told('workspaces', 'list')).items as { slug: string }[];
  assert.deepEqual(after.map(({ slug }) => slug).sort(), ['acme', 'default']);
});

for (const [store, message] of [
  ['embedded', /^Pharlo is running on this data folder: stop it first\.\n$/],
  ['DATABASE_URL', /^A Pharlo is connected to this database: stop it first /],
] as const) {
  test(`${store}: nothing is restored under a running server`, async () => {
    await using world = await startWorld();
    const place = await world.place(store);
    const file = join(world.folder, 'backup');
    await place.told('backup', file, ...(store === 'embedded' ? ['--with-key'] : []));
    const running = await place.start();
    const { code, stderr } = await place.run('restore', file);
    assert.equal(code, 1);
    assert.match(stderr, message);
    await stop(running);
    assert.equal((await place.run('restore', file)).code, 0);
  });
}
