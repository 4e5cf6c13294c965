import assert from 'node:assert/strict';
import { once } from 'node:events';
import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import { type TestContext, test } from 'node:test';
import { getRequestListener } from '@hono/node-server';
import { createOutgoing } from '../../src/net/outgoing.ts';
import { createJob, createWorld, failing, postIdOf, sha256, unit, videoOf } from './world.ts';

/** The sandbox behind a real socket, which breaks when more of a piece than `breaks.afterBytes` has come. */
async function createWiredWorld(t: TestContext) {
  const state = { answer: (_request: Request): Response | Promise<Response> => new Response(null, { status: 503 }) };
  const heard: { range: string | undefined; length: string | undefined; chunked: boolean }[] = [];
  const breaks = { afterBytes: Number.POSITIVE_INFINITY };
  const server = createServer(
    getRequestListener((request, { incoming }) => {
      if (request.method !== 'PUT') return state.answer(request);
      const { 'content-range': range, 'content-length': length, 'transfer-encoding': coding } = incoming.headers;
      heard.push({ range, length, chunked: coding !== undefined });
      let left = breaks.afterBytes;
      const breaking = new TransformStream<Uint8Array, Uint8Array>({
        transform(part, controller) {
          left -= part.byteLength;
          if (left < 0) incoming.socket.destroy();
          else controller.enqueue(part);
        },
      });
      const body = request.body?.pipeThrough(breaking) ?? null;
      return state.answer(new Request(request.url, { method: 'PUT', headers: request.headers, body, duplex: 'half' }));
    }),
  );
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  const origin = `http://127.0.0.1:${(server.address() as AddressInfo).port}`;
  const outgoing = createOutgoing({ allowedPrivateHosts: [] });
  t.after(async () => {
    await outgoing[Symbol.asyncDispose]();
    server.closeAllConnections();
    server.close();
  });
  const world = createWorld(t, {
    origin,
    fetch: outgoing.sandbox(origin),
    serve: (answer) => {
      state.answer = answer;
    },
  });
  return { world, heard, breaks };
}

test('over a socket pieces have exact lengths and nothing is sent chunked', async (t) => {
  const { world, heard } = await createWiredWorld(t);
  const file = videoOf(9 * 1024 * 1024 + 11);
  const job = await createJob(world, { file });
  const postId = await job.post();
  const piece = 8 * 1024 * 1024;
  const rest = file.byteLength - (file.byteLength % unit);
  const total = file.byteLength;
  assert.deepEqual(heard, [
    { range: `bytes 0-${piece - 1}/${total}`, length: String(piece), chunked: false },
    { range: `bytes ${piece}-${rest - 1}/${total}`, length: String(rest - piece), chunked: false },
    { range: `bytes ${rest}-${total - 1}/${total}`, length: String(total - rest), chunked: false },
  ]);
  const videos = await world.videos();
  assert.deepEqual(
    videos.map(({ id, sha256 }) => [id, sha256]),
    [[postId, sha256(file)]],
  );
});

test('a socket that dies in the middle of a piece is a retry, and the upload goes on', async (t) => {
  const { world, heard, breaks } = await createWiredWorld(t);
  const file = videoOf(9 * 1024 * 1024 + 11);
  const job = await createJob(world, { file, tellsTotal: false });
  breaks.afterBytes = 3_000_000;
  await assert.rejects(job.step('upload'), failing('retry', 'platform_unreachable'));
  breaks.afterBytes = Number.POSITIVE_INFINITY;
  assert.equal((await job.step('upload')).state, 'ready');
  assert.deepEqual(heard[1], { range: 'bytes */*', length: '0', chunked: false });
  breaks.afterBytes = 0;
  await assert.rejects(job.step('publish'), failing('unknown', 'answer_lost'));
  breaks.afterBytes = Number.POSITIVE_INFINITY;
  const found = await job.step('find');
  const postId = found.state === 'absent' ? await job.post() : postIdOf(found);
  assert.deepEqual(
    (await world.videos()).map(({ id, sha256 }) => [id, sha256]),
    [[postId, sha256(file)]],
  );
});
