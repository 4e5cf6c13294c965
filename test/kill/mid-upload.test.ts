import assert from 'node:assert/strict';
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { test } from 'node:test';
import { Person } from '../connect/person.ts';
import { type MediaServer, serveMedia } from '../engine/media-server.ts';
import type { Video } from '../engine/platform.ts';
import { type Assignment, connectChannel, ended, eventually } from '../engine/rig.ts';
import { freePort } from '../free-port.ts';
import { callRest } from '../harness.ts';
import { makeKey, type Running, start } from './pharlo.ts';

const MiB = 1024 * 1024;

/** Pharlo on its embedded store and the sandbox networks, each a process of its own. */
async function startHouse(media: MediaServer) {
  const stack = new AsyncDisposableStack();
  const folder = await mkdtemp(join(tmpdir(), 'pharlo-kill-'));
  stack.defer(() => rm(folder, { recursive: true, force: true }));
  const [port, sandboxPort] = [await freePort(), await freePort()];
  const sandboxUrl = `http://127.0.0.1:${sandboxPort}`;
  const common = { PATH: process.env.PATH ?? '', PORT: String(port), PHARLO_SANDBOX_URL: sandboxUrl };
  const sandboxEnvironment = { ...common, PHARLO_DATA_DIR: join(folder, 'sandbox') };
  const sandbox = await start(['sandbox'], sandboxEnvironment, 'are running');
  stack.defer(() => sandbox.end('SIGTERM').then(() => {}));
  const environment = {
    ...common,
    PHARLO_DATA_DIR: join(folder, 'pharlo'),
    PHARLO_ALLOWED_PRIVATE_HOSTS: media.host,
  };
  const running: { now?: Running } = {};
  stack.defer(async () => {
    media.open();
    await running.now?.end('SIGTERM');
  });
  const up = async () => {
    running.now = await start([], environment, 'is running');
    return running.now;
  };
  await up();
  const key = await makeKey(environment);
  const rest = (method: string, path: string, body?: unknown, headers?: Record<string, string>) =>
    callRest(`http://localhost:${port}`, key, method, path, body, headers);
  const connectionId = await connectChannel({ rest });
  const disposables = stack.move();
  return {
    up,
    running: () => running.now as Running,
    get: async (id: string) => (await rest('GET', `/assignments/${id}`)).body as Assignment,
    async create(): Promise<string> {
      const payload = { title: 'Survivor' };
      const made = await rest('POST', '/assignments', { connectionId, type: 'video', payload, mediaUrl: media.url });
      assert.equal(made.status, 201, JSON.stringify(made.body));
      return String(made.body.id);
    },
    async videos(workspaceId: string): Promise<Video[]> {
      const response = await fetch(`${sandboxUrl}/youtube/_videos?client_id=pharlo-sandbox.${workspaceId}`);
      return ((await response.json()) as { items: Video[] }).items;
    },
    /** As the sandbox knows it: part of the client id. */
    async workspaceId(): Promise<string> {
      const ticket = await rest('POST', '/oauth/tickets', { platform: 'youtube' });
      const consent = new URL(await new Person().goOn(String(ticket.body.url)));
      return consent.searchParams.get('client_id')?.replace('pharlo-sandbox.', '') ?? '';
    },
    [Symbol.asyncDispose]: () => disposables.disposeAsync(),
  };
}

for (const signal of ['SIGKILL', 'SIGTERM'] as const) {
  test(`${signal} in the middle of an upload: it goes on after a restart and ends in one video`, async () => {
    await using media = await serveMedia(24 * MiB);
    await using house = await startHouse(media);
    const workspaceId = await house.workspaceId();
    media.gate = 18 * MiB;
    const id = await house.create();
    await media.reached();
    const asked = media.starts.length;
    const endsAt = performance.now() + 30_000;
    const code = await house.running().end(signal);
    assert.equal(code, signal === 'SIGTERM' ? 0 : null);
    assert.ok(performance.now() < endsAt);
    media.open();

    const spawnedAt = performance.now();
    await house.up();
    const upAt = performance.now();
    await eventually(() => media.starts.length > asked);
    const resumedAt = performance.now();
    const from = media.starts[asked] ?? 0;
    assert.ok(from >= 8 * MiB, `it went on at byte ${from}`);
    assert.ok(resumedAt - upAt < 2000, `${resumedAt - upAt} ms after it was up (start ${upAt - spawnedAt} ms)`);
    let done = await house.get(id);
    await eventually(async () => {
      done = await house.get(id);
      return ended(done);
    });
    assert.equal(done.status, 'published', JSON.stringify(done.errors));
    assert.deepEqual(
      done.timeline.map(({ status }) => status),
      ['pending', 'uploading', 'uploaded', 'processing', 'published'],
    );
    assert.equal(done.attempts >= (signal === 'SIGTERM' ? 1 : 2), true);
    assert.deepEqual(
      (await house.videos(workspaceId)).map(({ sha256 }) => sha256),
      [media.sha256],
    );
  });
}
