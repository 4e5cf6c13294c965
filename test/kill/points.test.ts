import assert from 'node:assert/strict';
import { randomBytes } from 'node:crypto';
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { test } from 'node:test';
import { openDb } from '../../src/store/db.ts';
import { findWorkspace } from '../../src/store/workspaces.ts';
import { createTestDatabase } from '../database.ts';
import { serveMedia } from '../engine/media-server.ts';
import { type Call, isLastPiece, isSessionStart, startPlatform } from '../engine/platform.ts';
import { type Assignment, connectChannel, ended, eventually } from '../engine/rig.ts';
import { freePort } from '../free-port.ts';
import { callRest } from '../harness.ts';
import { makeKey, type Running, start } from './pharlo.ts';

/** Where the process is killed: while this call is under way, with or without the platform doing what it was asked. */
type Point = { isMeant: (call: Call) => boolean; works: boolean };

const isCheck = ({ name, request }: Call) =>
  name === 'GET /youtube/youtube/v3/videos' && request.url.includes('processingDetails');
const isMiddlePiece = (call: Call) =>
  call.name.startsWith('PUT ') && /^bytes \d/.test(call.range ?? '') && !isLastPiece(call);

const points: Record<string, Point> = {
  'before the session is opened': { isMeant: isSessionStart, works: false },
  'before the answer to the opened session': { isMeant: isSessionStart, works: true },
  'before the answer to a piece': { isMeant: isMiddlePiece, works: true },
  'after the intent, before the last piece arrived': { isMeant: isLastPiece, works: false },
  'after the last piece arrived, before its answer': { isMeant: isLastPiece, works: true },
  'while the platform processes': { isMeant: isCheck, works: true },
};

for (const [name, point] of Object.entries(points)) {
  test(`killed ${name}: one video, found or made after the restart`, async () => {
    await using stack = new AsyncDisposableStack();
    const database = stack.use(await createTestDatabase());
    const media = stack.use(await serveMedia(9 * 1024 * 1024));
    const platform = stack.use(await startPlatform());
    const dataDir = await mkdtemp(join(tmpdir(), 'pharlo-kill-'));
    stack.defer(() => rm(dataDir, { recursive: true, force: true }));
    const port = await freePort();
    const environment = {
      PATH: process.env.PATH ?? '',
      PORT: String(port),
      PHARLO_DATA_DIR: dataDir,
      PHARLO_SANDBOX_URL: platform.origin,
      PHARLO_ALLOWED_PRIVATE_HOSTS: media.host,
      PHARLO_SECRET_KEY: randomBytes(32).toString('base64'),
      DATABASE_URL: database.url,
      DATABASE_DIRECT_URL: database.ownerUrl,
    };
    const running: { now?: Running } = {};
    stack.defer(async () => void (await running.now?.end('SIGKILL')));
    running.now = await start([], environment, 'is running');
    const key = await makeKey(environment);
    const rest: Parameters<typeof connectChannel>[0]['rest'] = (method, path, body, headers) =>
      callRest(`http://localhost:${port}`, key, method, path, body, headers);
    const connectionId = await connectChannel({ rest });

    const there = Promise.withResolvers<void>();
    const killed = Promise.withResolvers<void>();
    platform.around = async (call, next) => {
      if (!point.isMeant(call)) return next();
      platform.around = undefined;
      const response = point.works ? await next() : undefined;
      there.resolve();
      await killed.promise;
      return response ?? call.hangUp();
    };
    const input = { connectionId, type: 'video', payload: { title: 'Survivor' }, mediaUrl: media.url };
    const made = await rest('POST', '/assignments', input);
    assert.equal(made.status, 201, JSON.stringify(made.body));
    await there.promise;
    await running.now.end('SIGKILL');
    killed.resolve();

    running.now = await start([], environment, 'is running');
    const get = async () => (await rest('GET', `/assignments/${made.body.id}`)).body as Assignment;
    // Other replicas may live, so the lease is waited for, and then the deadline of the intent.
    let offset = 30_000;
    await database.setClockOffset(offset);
    let done = await get();
    await eventually(async () => {
      done = await get();
      const waits = done.waiting && Date.parse(done.waiting.until) - Date.now() - offset;
      if (waits !== undefined && waits > 0) {
        offset += waits + 1;
        await database.setClockOffset(offset);
      }
      return ended(done);
    });
    assert.equal(done.status, 'published', JSON.stringify(done.errors));
    assert.deepEqual(
      done.timeline.map(({ status }) => status),
      ['pending', 'uploading', 'uploaded', 'processing', 'published'],
    );
    await using db = openDb({ url: database.url });
    const workspace = await findWorkspace(db, 'default');
    const videos = await platform.videos(workspace?.id ?? '');
    assert.deepEqual(
      videos.map(({ sha256 }) => sha256),
      [media.sha256],
    );
  });
}
