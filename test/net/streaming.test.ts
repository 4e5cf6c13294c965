import assert from 'node:assert/strict';
import { getEventListeners, once } from 'node:events';
import { createServer, type RequestListener } from 'node:http';
import net, { type AddressInfo, type LookupFunction, type Socket } from 'node:net';
import { Readable } from 'node:stream';
import { type TestContext, test } from 'node:test';
import { createOutgoing, type OutgoingLimits } from '../../src/net/outgoing.ts';
import { codeOf, listen } from './world.ts';

const MIB = 1024 * 1024;

/** A loopback server and a client whose media and sandbox may reach it. */
async function pair(t: TestContext, listener: RequestListener, limits: Partial<OutgoingLimits> = {}) {
  const server = createServer(listener);
  const port = await listen(t, server);
  const outgoing = createOutgoing({ allowedPrivateHosts: ['127.0.0.1'], limits });
  t.after(() => outgoing[Symbol.asyncDispose]());
  const origin = `http://127.0.0.1:${port}`;
  return { server, origin, outgoing, fetch: outgoing.sandbox(origin) };
}

/** Resolves once `count` has not changed for many turns of the event loop. */
async function settled(count: () => number): Promise<number> {
  let last = count();
  for (let quiet = 0; quiet < 2000; quiet++) {
    await new Promise((resolve) => setImmediate(resolve));
    if (count() !== last) quiet = 0;
    last = count();
  }
  return last;
}

/** Resolves when the server's end of a connection is closed, cleanly or by a reset. */
async function closing(socket: Socket): Promise<void> {
  if (socket.closed) return;
  await new Promise<void>((resolve) => socket.once('close', () => resolve()));
}

test('a slow reader holds the sender back', async (t) => {
  const total = 128 * MIB;
  let written = 0;
  const { origin, outgoing } = await pair(t, async (_request, response) => {
    const chunk = Buffer.alloc(64 * 1024, 1);
    while (written < total) {
      written += chunk.byteLength;
      if (!response.write(chunk)) await once(response, 'drain');
    }
    response.end();
  });
  const response = await outgoing.media(`${origin}/`);
  const reader = response.body?.getReader();
  assert.ok(reader);
  let received = (await reader.read()).value?.byteLength ?? 0;
  const ahead = await settled(() => written);
  // What is ahead sits in the buffers of the kernel: a few MiB per loopback socket.
  assert.ok(ahead < 24 * MIB, `sender was ${ahead} bytes ahead`);
  for (let next = await reader.read(); !next.done; next = await reader.read()) received += next.value.byteLength;
  assert.equal(received, total);
});

test('a request body of unknown length is streamed, no faster than it is taken', async (t) => {
  const total = 64 * MIB;
  const gate = Promise.withResolvers<void>();
  let received = 0;
  const { fetch, origin } = await pair(t, async (request, response) => {
    await gate.promise;
    for await (const chunk of request) received += chunk.byteLength;
    response.end(String(request.headers['transfer-encoding']));
  });
  let produced = 0;
  const body = new ReadableStream<Uint8Array>(
    {
      pull(controller) {
        if (produced === total) return controller.close();
        produced += 64 * 1024;
        controller.enqueue(new Uint8Array(64 * 1024));
      },
    },
    { highWaterMark: 0 },
  );
  const pending = fetch(`${origin}/upload`, { method: 'PUT', body });
  const ahead = await settled(() => produced);
  assert.ok(ahead > 0 && ahead < 24 * MIB, `source was ${ahead} bytes ahead`);
  gate.resolve();
  assert.equal(await (await pending).text(), 'chunked');
  assert.equal(received, total);
});

test('a streamed body with a given length is sent with it', async (t) => {
  const { fetch, origin } = await pair(t, async (request, response) => {
    let body = '';
    for await (const chunk of request) body += chunk;
    response.end(`${request.headers['content-length']} ${request.headers['transfer-encoding']} ${body}`);
  });
  async function* parts() {
    yield new TextEncoder().encode('ab');
    yield new TextEncoder().encode('cd');
  }
  const answer = await fetch(`${origin}/`, { method: 'PUT', headers: { 'Content-Length': '4' }, body: parts() });
  assert.equal(await answer.text(), '4 undefined abcd');
});

test('a failing body source ends the request with its own error', async (t) => {
  const { fetch, origin } = await pair(t, (request) => {
    request.resume().on('error', () => {});
  });
  const cause = new Error('source failed');
  async function* broken() {
    yield new Uint8Array(10);
    throw cause;
  }
  await assert.rejects(fetch(`${origin}/`, { method: 'PUT', body: broken() }), cause);
});

test('the body of a request that cannot be sent is released', async (t) => {
  const { fetch, origin, outgoing } = await pair(t, (_request, response) => response.end());
  const gone = createServer();
  gone.listen(0, '127.0.0.1');
  await once(gone, 'listening');
  const closed = `http://127.0.0.1:${(gone.address() as AddressInfo).port}`;
  gone.close();
  await once(gone, 'close');
  const aborted = AbortSignal.abort(new Error('given up'));

  const attempts = [
    (body: ReadableStream<Uint8Array>) => fetch('http://127.0.0.1:1/', { method: 'PUT', body }),
    (body: ReadableStream<Uint8Array>) => outgoing.sandbox(closed)(`${closed}/`, { method: 'PUT', body }),
    (body: ReadableStream<Uint8Array>) => fetch(`${origin}/`, { method: 'PUT', body, signal: aborted }),
  ];
  for (const attempt of attempts) {
    const cancelled = Promise.withResolvers<void>();
    const body = new ReadableStream<Uint8Array>({ cancel: () => cancelled.resolve() }, { highWaterMark: 0 });
    await assert.rejects(attempt(body));
    await cancelled.promise;
  }
  const readable = new Readable({ read() {} });
  const closing = once(readable, 'close');
  await assert.rejects(fetch(`${origin}/`, { method: 'PUT', body: readable, signal: aborted }));
  await closing;
});

test('an answer without a body leaves nothing on the signal', async (t) => {
  const { origin, outgoing } = await pair(t, (_request, response) => response.writeHead(204).end());
  const { signal } = new AbortController();
  assert.equal((await outgoing.media(`${origin}/`, { signal })).status, 204);
  await settled(() => 0);
  assert.equal(getEventListeners(signal, 'abort').length, 0);
});

test('an unread body that is cancelled frees its socket', async (t) => {
  const sockets: Socket[] = [];
  const { server, origin, outgoing } = await pair(t, (_request, response) => {
    response.write(Buffer.alloc(MIB));
  });
  server.on('connection', (socket) => sockets.push(socket));
  const response = await outgoing.media(`${origin}/`);
  const [socket] = sockets;
  assert.ok(socket);
  await response.body?.cancel();
  await closing(socket);
});

test('leaving a half-read body frees its socket', async (t) => {
  const sockets: Socket[] = [];
  const { server, origin, outgoing } = await pair(t, (_request, response) => {
    response.write(Buffer.alloc(MIB));
  });
  server.on('connection', (socket) => sockets.push(socket));
  const response = await outgoing.media(`${origin}/`);
  for await (const chunk of response.body ?? []) {
    assert.ok(chunk.byteLength > 0);
    break;
  }
  const [socket] = sockets;
  assert.ok(socket);
  await closing(socket);
});

test('a signal ends a request that waits for its answer, and a body under way', async (t) => {
  const arrived = Promise.withResolvers<void>();
  const { origin, outgoing } = await pair(t, (request, response) => {
    if (request.url === '/silent') arrived.resolve();
    else response.write('first');
  });
  const waiting = new AbortController();
  const pending = outgoing.media(`${origin}/silent`, { signal: waiting.signal });
  await arrived.promise;
  const reason = new Error('given up');
  waiting.abort(reason);
  await assert.rejects(pending, reason);

  const reading = new AbortController();
  const response = await outgoing.media(`${origin}/body`, { signal: reading.signal });
  const reader = response.body?.getReader();
  assert.equal(new TextDecoder().decode((await reader?.read())?.value), 'first');
  const rest = reader?.read();
  reading.abort(reason);
  await assert.rejects(async () => rest, reason);
});

test('a signal ends a request whose name is still being looked up', async (t) => {
  const asked = Promise.withResolvers<() => void>();
  const lookup: LookupFunction = (_name, _how, done) => asked.resolve(() => done(new Error('no answer'), []));
  const outgoing = createOutgoing({ allowedPrivateHosts: [], lookup });
  t.after(() => outgoing[Symbol.asyncDispose]());
  const controller = new AbortController();
  const pending = outgoing.media('http://slow.test/', { signal: controller.signal });
  const answerLookup = await asked.promise;
  controller.abort();
  const first = await Promise.race([pending.catch((error: Error) => error.name), settled(() => 0)]);
  answerLookup();
  assert.equal(first, 'AbortError');
});

test('a name server that never answers runs into the connect limit', async (t) => {
  const outgoing = createOutgoing({ allowedPrivateHosts: [], lookup: () => {}, limits: { connectMs: 20 } });
  t.after(() => outgoing[Symbol.asyncDispose]());
  assert.equal(await codeOf(outgoing.media('http://slow.test/')), 'timeout');
});

test('a server that never answers runs into a limit, of ours or of the caller', async (t) => {
  const { origin, outgoing } = await pair(t, () => {}, { headersMs: 40 });
  assert.equal(await codeOf(outgoing.media(`${origin}/`)), 'timeout');
  const deadline = outgoing.callback(`${origin}/`, { headers: {}, body: '', signal: AbortSignal.timeout(10) });
  assert.equal(await codeOf(deadline), 'timeout');
});

test('a server that stops in the middle of its answer runs into a limit', async (t) => {
  const { origin, outgoing } = await pair(t, (_request, response) => response.write('half'), { bodyIdleMs: 40 });
  const response = await outgoing.media(`${origin}/`);
  assert.equal(await codeOf(response.text()), 'timeout');
});

test('a server that hangs up tells nothing but that, and whether the request had left', async (t) => {
  const server = net.createServer((socket) => {
    socket.once('data', () => socket.end('HTTP/1.1 banana secret-words\r\n\r\n'));
    socket.on('error', () => {});
  });
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  t.after(() => server.close());
  const outgoing = createOutgoing({ allowedPrivateHosts: ['127.0.0.1'] });
  t.after(() => outgoing[Symbol.asyncDispose]());
  const url = `http://127.0.0.1:${(server.address() as AddressInfo).port}/`;
  await assert.rejects(outgoing.callback(url, { headers: {}, body: 'x' }), {
    name: 'OutgoingError',
    code: 'unreachable',
    sent: true,
    message: 'The host could not be reached.',
  });
});

test('a connection is kept and used again for the same policy', async (t) => {
  let connections = 0;
  const { server, origin, outgoing } = await pair(t, (_request, response) => response.end('ok'));
  server.on('connection', () => connections++);
  for (let i = 0; i < 20; i++) await (await outgoing.media(`${origin}/${i}`)).text();
  // A socket is free again one turn after its answer was read, so a second one may have been opened.
  assert.ok(connections <= 2, `${connections} connections`);
});

test('disposing ends what is in flight', async (t) => {
  const arrived = Promise.withResolvers<void>();
  const { origin, outgoing } = await pair(t, () => arrived.resolve());
  const pending = codeOf(outgoing.media(`${origin}/`));
  await arrived.promise;
  await outgoing[Symbol.asyncDispose]();
  assert.equal(await pending, 'unreachable');
  assert.equal(await codeOf(outgoing.media(`${origin}/`)), 'unreachable');
});
