import assert from 'node:assert/strict';
import { randomBytes } from 'node:crypto';
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { test } from 'node:test';
import { openDb } from '../../src/store/db.ts';
import { findWorkspace } from '../../src/store/workspaces.ts';
import { createTestDatabase } from '../database.ts';
import { freePort } from '../free-port.ts';
import { callRest, type Harness } from '../harness.ts';
import { makeKey, type Running, start } from '../kill/pharlo.ts';
import { insertChannel, openLoopback, startReceiver, untilDelivery } from './receiver.ts';

test('killed while a receiver takes its message: it comes again under the same id, and no row is doubled', async () => {
  await using stack = new AsyncDisposableStack();
  const database = stack.use(await createTestDatabase());
  const receiver = stack.use(await startReceiver());
  const dataDir = await mkdtemp(join(tmpdir(), 'pharlo-kill-'));
  stack.defer(() => rm(dataDir, { recursive: true, force: true }));
  const port = String(await freePort());
  const environment = {
    ...openLoopback,
    PATH: process.env.PATH ?? '',
    PORT: port,
    PHARLO_DATA_DIR: dataDir,
    PHARLO_SECRET_KEY: randomBytes(32).toString('base64'),
    DATABASE_URL: database.url,
    DATABASE_DIRECT_URL: database.ownerUrl,
  };
  const running: { now?: Running } = {};
  stack.defer(async () => void (await running.now?.end('SIGKILL')));
  running.now = await start([], environment, 'is running');
  const key = await makeKey(environment);
  const db = stack.use(openDb({ url: database.url, poolSize: 1 }));
  const workspace = await findWorkspace(db, 'default');
  const connectionId = await insertChannel({ db, now: Date.now, random: randomBytes }, workspace?.id ?? '');
  const rest: Harness['rest'] = (method, path, body) => callRest(`http://localhost:${port}`, key, method, path, body);

  const arrived = Promise.withResolvers<void>();
  receiver.answer = () => {
    arrived.resolve();
    return 'silence';
  };
  const made = await rest('POST', '/assignments', {
    connectionId,
    type: 'video',
    payload: { title: 'A video' },
    mediaUrl: `http://127.0.0.1:${port}/sample.mp4`,
    scheduledAt: new Date(Date.now() + 3_600_000).toISOString(),
    callbackUrl: receiver.url,
  });
  assert.equal(made.status, 201, JSON.stringify(made.body));
  assert.equal((await rest('DELETE', `/assignments/${made.body.id}`)).status, 204);
  await arrived.promise;
  await running.now.end('SIGKILL');

  receiver.answer = () => ({ status: 204 });
  // Several replicas may share this database, so a claim is waited for, not taken over.
  await database.setClockOffset(15_001);
  running.now = await start([], environment, 'is running');
  const done = await untilDelivery({ rest }, '', ({ status }) => status === 'delivered');
  assert.equal(done.attempts, 2);
  assert.deepEqual(
    receiver.received.map(({ headers }) => headers['webhook-id']),
    [done.id, done.id],
  );
  const [first, second] = receiver.received;
  assert.equal(first?.text, second?.text);
  const rows = await db.query({ text: 'select 1 from deliveries', values: [] });
  assert.equal(rows.length, 1);
});
