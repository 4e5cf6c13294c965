import assert from 'node:assert/strict';
import { once } from 'node:events';
import { chmod, mkdir, readdir, rm } from 'node:fs/promises';
import { createServer } from 'node:http';
import { join } from 'node:path';
import { test } from 'node:test';
import pg from 'pg';
import { connectChannel } from '../engine/rig.ts';
import { type Place, startWorld, stop } from './world.ts';

type Report = { code: number | null; states: Record<string, string>; text: Record<string, string>; all: string };

async function examine(place: Place): Promise<Report> {
  const { code, stdout, stderr } = await place.run('doctor', '--json');
  const { ok, checks } = JSON.parse(stdout) as {
    ok: boolean;
    checks: { check: string; state: string; text: string }[];
  };
  assert.equal(ok, code === 0);
  assert.equal(code, checks.some(({ state }) => state === 'failure') ? 1 : 0, stderr);
  const pairs = (of: 'state' | 'text') => Object.fromEntries(checks.map((one) => [one.check, one[of]]));
  return { code, states: pairs('state'), text: pairs('text'), all: stdout + stderr };
}

/** A program on a port of its own that answers every request the same. */
async function serve(status: number, body: object): Promise<AsyncDisposable & { port: number }> {
  const server = createServer((_request, response) => {
    response.writeHead(status, { 'content-type': 'application/json' }).end(JSON.stringify(body));
  });
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  const address = server.address();
  return {
    port: typeof address === 'object' && address ? address.port : 0,
    async [Symbol.asyncDispose]() {
      server.closeAllConnections();
      server.close();
      await once(server, 'close');
    },
  };
}

test('embedded: nothing is made where nothing is; beside a running server all is well; later too', async () => {
  await using world = await startWorld();
  const place = await world.place('embedded');
  const fresh = await examine(place);
  assert.deepEqual([fresh.code, fresh.states.store], [0, 'warning']);
  assert.deepEqual(await readdir(world.folder), []);
  const server = await place.start();
  const beside = await examine(place);
  assert.deepEqual(
    Object.entries(beside.states).filter(([, state]) => state !== 'ok'),
    [],
  );
  assert.match(beside.text.port ?? '', /Pharlo answers/);
  assert.match(beside.text['public URL'] ?? '', /answers/);
  await stop(server);
  const data = place.environment.PHARLO_DATA_DIR ?? '';
  await chmod(data, 0o755);
  const open = await examine(place);
  assert.deepEqual([open.code, open.states['data folder'], open.states.store], [0, 'warning', 'ok']);
  assert.match(open.text.port ?? '', /is free/);
  const { stdout } = await place.run('doctor');
  assert.match(stdout, /^ok {7}node {10}Node\.js \d+/m);
});

test('what is stored and what waits is looked at, and no secret is told', async () => {
  await using world = await startWorld();
  const place = await world.place('DATABASE_URL', { PHARLO_ROLE: 'web' });
  const server = await place.start();
  place.key = String((await place.told('keys', 'create')).key);
  const connectionId = await connectChannel(place);
  const { secret } = await place.told('webhooks', 'secret');
  const input = { connectionId, type: 'video', payload: { title: 'Late' }, mediaUrl: world.media.url };
  assert.equal((await place.rest('POST', '/assignments', input)).status, 201);
  await stop(server);
  const well = await examine(place);
  assert.deepEqual([well.states['secret key'], well.states.assignments, well.states.channels], ['ok', 'ok', 'ok']);
  assert.match(well.text['secret key'] ?? '', /opens 2 stored secrets/);

  const client = new pg.Client(place.database?.ownerUrl);
  await client.connect();
  await client.query('update connections set token_revoked_at = pharlo_now()');
  await client.query(`insert into deliveries (workspace_id, url, event, sequence, body, status, last_attempt_at)
                      select id, 'http://a.test', 'test', 0, '{}', 'failed', pharlo_now() from workspaces`);
  await client.end();
  await place.database?.setClockOffset(120_000);
  const ill = await examine(place);
  const { assignments, channels, webhooks, clock } = ill.states;
  assert.deepEqual([assignments, channels, webhooks, clock], ['warning', 'warning', 'warning', 'failure']);

  place.environment.PHARLO_SECRET_KEY = Buffer.alloc(32, 7).toString('base64');
  const locked = await examine(place);
  assert.equal(locked.states['secret key'], 'failure');
  assert.match(locked.text['secret key'] ?? '', /does not open 2 of 2/);
  const password = new URL(place.environment.DATABASE_URL ?? '').password;
  for (const told of [well.all, ill.all, locked.all]) {
    for (const hidden of [secret, password, place.key, place.environment.PHARLO_SECRET_KEY]) {
      assert.equal(String(hidden) !== '' && told.includes(String(hidden)), false);
    }
  }
});

test('tables of another version, a database that is away and settings that are wrong are failures', async () => {
  await using world = await startWorld();
  const place = await world.place('DATABASE_URL');
  const client = new pg.Client(place.database?.ownerUrl);
  await client.connect();
  await client.query(`insert into kysely_migration (name, timestamp) values ('9999_future', '')`);
  await client.end();
  assert.equal((await examine(place)).states.tables, 'failure');
  const away = new URL(place.environment.DATABASE_URL ?? '');
  away.pathname = '/no_such_database';
  place.environment.DATABASE_URL = away.href;
  place.environment.DATABASE_DIRECT_URL = away.href;
  const gone = await examine(place);
  assert.equal(gone.states.store, 'failure');
  assert.match(gone.text.store ?? '', /there is no such database/);
  place.environment.PHARLO_DEFAULT_PLAN = 'gold';
  const wrong = await examine(place);
  assert.deepEqual(wrong.states, { node: 'ok', settings: 'failure' });
  assert.match(wrong.text.settings ?? '', /PHARLO_DEFAULT_PLAN/);
});

test('another program on the port, a lost key, and a proxy nobody trusts', async () => {
  await using world = await startWorld();
  await using other = await serve(200, { hello: 'world' });
  const place = await world.place('embedded', { PORT: String(other.port) });
  const busy = await examine(place);
  assert.deepEqual([busy.code, busy.states.port], [1, 'failure']);
  const free = await world.place('embedded', {
    PHARLO_PUBLIC_URL: 'https://pharlo.example',
    PHARLO_SANDBOX: 'off',
    HOST: '127.0.0.1',
  });
  const { proxies, 'private hosts': hosts, youtube } = (await examine(free)).states;
  assert.deepEqual([proxies, hosts, youtube], ['warning', 'warning', 'warning']);
  await free.told('webhooks', 'secret');
  await rm(join(free.environment.PHARLO_DATA_DIR ?? '', 'secret.key'));
  const lost = await examine(free);
  assert.deepEqual([lost.code, lost.states['secret key']], [1, 'failure']);
  const file = await world.place('embedded');
  await mkdir(file.environment.PHARLO_DATA_DIR ?? '', { mode: 0o700 });
  assert.equal((await examine(file)).states['data folder'], 'ok');
});

const answers = {
  'takes them': [400, { error: 'invalid_grant' }, 'ok'],
  'refuses them': [401, { error: 'invalid_client' }, 'failure'],
  'is ill': [503, {}, 'warning'],
} as const;

test('credentials of a platform are tried', async (t) => {
  await using world = await startWorld();
  for (const [name, [status, body, state]] of Object.entries(answers)) {
    await t.test(`one that ${name}: ${state}`, async () => {
      await using platform = await serve(status, body);
      const place = await world.place('embedded', {
        PHARLO_YOUTUBE_CLIENT_ID: 'id',
        PHARLO_YOUTUBE_CLIENT_SECRET: 'hush-hush',
        PHARLO_YOUTUBE_AUTH_URL: `http://127.0.0.1:${platform.port}`,
      });
      const found = await examine(place);
      assert.equal(found.states.youtube, state);
      assert.equal(found.all.includes('hush-hush'), false);
    });
  }
});
