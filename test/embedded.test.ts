import assert from 'node:assert/strict';
import { type ChildProcess, spawn } from 'node:child_process';
import { randomBytes } from 'node:crypto';
import { once } from 'node:events';
import { mkdtempSync, readdirSync, readFileSync, rmSync, statSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { createInterface } from 'node:readline';
import { test } from 'node:test';
import pg from 'pg';
import { type EmbeddedPostgres, startEmbeddedPostgres } from '../src/store/embedded/index.ts';
import { launchers } from '../src/store/embedded/launcher.ts';
import { openFileLock } from '../src/store/embedded/lock.ts';

const random = (bytes: number) => randomBytes(bytes);

function temporaryFolder(): Disposable & { path: string } {
  const path = mkdtempSync(join(tmpdir(), 'pharlo-embedded-'));
  return { path, [Symbol.dispose]: () => rmSync(path, { recursive: true, force: true }) };
}

function start(dataDir: string): Promise<EmbeddedPostgres> {
  return startEmbeddedPostgres({ dataDir, random });
}

async function query(url: string, text: string): Promise<Record<string, unknown>[]> {
  const client = new pg.Client(url);
  client.on('error', () => {});
  await client.connect();
  try {
    return (await client.query(text)).rows;
  } finally {
    await client.end();
  }
}

function rejectsWith(work: Promise<unknown>, message: RegExp): Promise<void> {
  return assert.rejects(work, (error: Error) => message.test(error.message) && !error.message.includes('\n'));
}

/** Another process that starts PostgreSQL on `dataDir`, tells what it got, and then does nothing. */
async function startElsewhere(
  dataDir: string,
): Promise<AsyncDisposable & { child: ChildProcess; got: { owner: boolean; ownerUrl: string } }> {
  const module = new URL('../src/store/embedded/index.ts', import.meta.url).href;
  const program = `
    import { randomBytes } from 'node:crypto';
    import { startEmbeddedPostgres } from ${JSON.stringify(module)};
    const server = await startEmbeddedPostgres({ dataDir: process.argv[1], random: randomBytes });
    console.log(JSON.stringify({ owner: server.owner, ownerUrl: server.ownerUrl }));
    process.stdin.resume();
    process.stdin.once('end', () => server[Symbol.asyncDispose]());`;
  const child = spawn(process.execPath, ['--input-type=module', '--eval', program, dataDir], {
    stdio: ['pipe', 'pipe', 'inherit'],
  });
  const exited = once(child, 'exit');
  const [line] = await Promise.race([
    once(createInterface({ input: child.stdout }), 'line'),
    exited.then(() => Promise.reject(new Error('the other process ended early'))),
  ]);
  return {
    child,
    got: JSON.parse(line),
    async [Symbol.asyncDispose]() {
      child.stdin?.end();
      await exited;
    },
  };
}

test('a first start makes the database, a later one finds its data, and stopping leaves nothing behind', async () => {
  using folder = temporaryFolder();
  let socketFolder = '';
  {
    await using server = await start(folder.path);
    assert.equal(server.owner, true);
    socketFolder = new URL(server.url).searchParams.get('host') ?? '';
    await query(server.ownerUrl, `create table kept as select 'yes' as word; grant select on kept to pharlo_app`);
  }
  assert.throws(() => statSync(socketFolder), { code: 'ENOENT' });
  assert.equal(readdirSync(join(folder.path, 'postgres')).includes('postmaster.pid'), false);
  await using server = await start(folder.path);
  assert.deepEqual(await query(server.url, 'select word from kept'), [{ word: 'yes' }]);
});

test('roles are no superusers, the application cannot make tables, and text sorts by code point', async () => {
  using folder = temporaryFolder();
  await using server = await start(folder.path);
  const roles = await query(
    server.ownerUrl,
    `select rolname, rolsuper or rolcreatedb or rolcreaterole or rolreplication or rolbypassrls as privileged
       from pg_roles where rolname like 'pharlo%' order by 1`,
  );
  assert.deepEqual(roles, [
    { rolname: 'pharlo_app', privileged: false },
    { rolname: 'pharlo_owner', privileged: false },
  ]);
  await assert.rejects(query(server.url, 'create table mine (id int)'), { code: '42501' });
  await assert.rejects(query(server.url.replace('/pharlo?', '/postgres?'), 'select 1'), { code: '42501' });
  const sorted = await query(server.url, `select w from unnest(array['b', 'A', 'a', 'Z', 'é']) w order by w`);
  assert.deepEqual(
    sorted.map((row) => row.w),
    ['A', 'Z', 'a', 'b', 'é'],
  );
  const [settings] = await query(
    server.url,
    `select current_setting('fsync') fsync, current_setting('synchronous_commit') commits,
            current_setting('data_checksums') checksums, current_setting('listen_addresses') tcp,
            getdatabaseencoding() encoding, current_setting('ssl') ssl`,
  );
  assert.deepEqual(settings, { fsync: 'on', commits: 'on', checksums: 'on', tcp: '', encoding: 'UTF8', ssl: 'off' });
});

test('folders and passwords are private, and a wrong password is refused', async () => {
  using folder = temporaryFolder();
  await using server = await start(folder.path);
  const mode = (path: string) => (statSync(path).mode & 0o777).toString(8);
  assert.equal(mode(folder.path), '700');
  assert.equal(mode(join(folder.path, 'postgres')), '700');
  assert.equal(mode(join(folder.path, 'postgres-passwords.json')), '600');
  assert.equal(mode(join(folder.path, 'postgres.log')), '600');
  assert.equal(mode(new URL(server.url).searchParams.get('host') ?? ''), '700');
  const wrong = new URL(server.url);
  wrong.password = 'x'.repeat(32);
  await assert.rejects(query(wrong.href, 'select 1'), { code: '28P01' });
});

test('the server log never holds a value from a failed statement', async () => {
  using folder = temporaryFolder();
  await using server = await start(folder.path);
  const secret = randomBytes(12).toString('hex');
  await query(server.ownerUrl, 'create table secrets (word text primary key)');
  await query(server.ownerUrl, `insert into secrets values ('${secret}')`);
  await assert.rejects(query(server.ownerUrl, `insert into secrets values ('${secret}')`), { code: '23505' });
  await assert.rejects(query(server.ownerUrl, `select '${secret}'::uuid`), { code: '22P02' });
  await assert.rejects(query(server.ownerUrl, `select ${secret}z`));
  const log = readFileSync(join(folder.path, 'postgres.log'), 'utf8');
  assert.match(log, /ready to accept connections/);
  assert.equal(log.includes(secret), false);
});

test('a second process joins, and its end leaves the server running', async () => {
  using folder = temporaryFolder();
  await using server = await start(folder.path);
  await query(server.ownerUrl, 'create table shared as select 1 as one');
  {
    await using other = await startElsewhere(folder.path);
    assert.equal(other.got.owner, false);
    assert.deepEqual(await query(other.got.ownerUrl, 'select one from shared'), [{ one: 1 }]);
  }
  {
    await using same = await start(folder.path);
    assert.equal(same.owner, false);
  }
  assert.deepEqual(await query(server.ownerUrl, 'select one from shared'), [{ one: 1 }]);
});

test('after kill -9 of the owner the next start takes over with all committed data', async () => {
  using folder = temporaryFolder();
  for (let round = 1; round <= 3; round++) {
    await using other = await startElsewhere(folder.path);
    assert.equal(other.got.owner, true);
    await query(other.got.ownerUrl, `create table if not exists rounds (n int); insert into rounds values (${round})`);
    other.child.kill('SIGKILL');
    await once(other.child, 'exit');
    await using server = await start(folder.path);
    assert.equal(server.owner, true);
    assert.deepEqual(await query(server.ownerUrl, 'select max(n) as n, count(*)::int as rows from rounds'), [
      { n: round, rows: round },
    ]);
  }
});

test('simultaneous first starts, in one process or in several, elect exactly one owner', async () => {
  using folder = temporaryFolder();
  const [one, two, three, four] = await Promise.all([
    startElsewhere(folder.path),
    startElsewhere(folder.path),
    start(folder.path),
    start(folder.path),
  ]);
  await using _one = one;
  await using _two = two;
  await using _three = three;
  await using _four = four;
  const all = [one.got, two.got, three, four];
  assert.equal(all.filter((server) => server.owner).length, 1);
  assert.equal(new Set(all.map((server) => server.ownerUrl)).size, 1);
});

test('a pid file that names a foreign process does not stop the start', async () => {
  using folder = temporaryFolder();
  await (await start(folder.path))[Symbol.asyncDispose]();
  writeFileSync(
    join(folder.path, 'postgres/postmaster.pid'),
    `${process.pid}\n${join(folder.path, 'postgres')}\n1\n5432\n/nowhere\n\n0 0\nready   \n`,
  );
  await using server = await start(folder.path);
  assert.equal(server.owner, true);
});

test('a server that ends by itself is started again under the same URL', async () => {
  using folder = temporaryFolder();
  const { promise: told, resolve: tell } = Promise.withResolvers<string>();
  await using server = await startEmbeddedPostgres({
    dataDir: folder.path,
    random,
    log: (m) => m.includes('again') && tell(m),
  });
  const pid = Number(readFileSync(join(folder.path, 'postgres/postmaster.pid'), 'utf8').split('\n')[0]);
  process.kill(pid, 'SIGINT');
  assert.match(await told, /started again/);
  let rows: Record<string, unknown>[] | undefined;
  while (rows === undefined) rows = await query(server.url, 'select 1 as one').catch(() => undefined);
  assert.deepEqual(rows, [{ one: 1 }]);
});

test('a start that cannot succeed says why in one line and lets go of the lock', async () => {
  using folder = temporaryFolder();
  await (await start(folder.path))[Symbol.asyncDispose]();

  writeFileSync(join(folder.path, 'postgres/PG_VERSION'), '17\n');
  await rejectsWith(start(folder.path), /was made by PostgreSQL 17 and this release of Pharlo brings PostgreSQL 18/);
  writeFileSync(join(folder.path, 'postgres/PG_VERSION'), '18\n');

  const bad = startEmbeddedPostgres({ dataDir: folder.path, random, settings: { shared_buffers: 'plenty' } });
  await rejectsWith(bad, /PostgreSQL did not start: invalid value for parameter "shared_buffers".*postgres\.log/);

  await rejectsWith(start(join(folder.path, 'postgres-passwords.json')), /Cannot use the data directory/);

  rmSync(join(folder.path, 'postgres-passwords.json'));
  await rejectsWith(start(folder.path), /postgres-passwords\.json is missing/);

  using lock = openFileLock(join(folder.path, 'postgres.lock'));
  assert.equal(lock.tryAcquire(), true);
});

test('the ways to start PostgreSQL fit the user', () => {
  const account = { uid: 70, gid: 71 };
  const programs = (host: Parameters<typeof launchers>[0]) =>
    launchers(host).map((way) => way.prefix.slice(0, 1).join());
  assert.deepEqual(programs({ uid: 1000, named: true, account: undefined }), ['setpriv', '']);
  assert.deepEqual(programs({ uid: 1000, named: false, account: undefined }), ['unshare', 'unshare']);
  assert.deepEqual(programs({ uid: 0, named: true, account: undefined }), ['unshare', 'unshare']);
  assert.deepEqual(programs({ uid: 0, named: true, account }), ['unshare', 'unshare', 'setpriv']);
  const fallback = launchers({ uid: 0, named: true, account }).at(-1);
  assert.deepEqual([fallback?.fileOwner, fallback?.fileGroup], [70, 71]);
});
