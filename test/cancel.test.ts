import assert from 'node:assert/strict';
import { once } from 'node:events';
import { createServer, request } from 'node:http';
import type { AddressInfo, Socket } from 'node:net';
import { after, before, test } from 'node:test';
import { z } from 'zod';
import type { Caller } from '../src/domain/caller.ts';
import { execute, operation } from '../src/operation.ts';
import { connectChannel } from './channel.ts';
import { type Harness, startHarness } from './harness.ts';
import { getToken, rpc, toolCall } from './mcp-client.ts';
import { footprint } from './refusals.ts';

/** Media that is asked for and never answers; each request is told as the socket it came on. */
async function startSilentMedia() {
  const asked: Socket[] = [];
  const server = createServer((incoming) => {
    asked.push(incoming.socket);
    server.emit('asked');
  });
  await new Promise<void>((done) => server.listen(0, '127.0.0.1', done));
  const { port } = server.address() as AddressInfo;
  return {
    host: `127.0.0.1:${port}`,
    /** The connection of the next request that comes in. */
    async next(): Promise<Socket> {
      if (asked.length === 0) await once(server, 'asked');
      return asked.shift() as Socket;
    },
    async [Symbol.asyncDispose]() {
      server.closeAllConnections();
      await new Promise((done) => server.close(done));
    },
  };
}

let media: Awaited<ReturnType<typeof startSilentMedia>>;
let pharlo: Harness;
let token: string;
let input: Record<string, unknown>;
before(async () => {
  media = await startSilentMedia();
  pharlo = await startHarness({ environment: { PHARLO_ALLOWED_PRIVATE_HOSTS: media.host } });
  token = await getToken(pharlo);
  const connectionId = await connectChannel(pharlo);
  input = { connectionId, type: 'video', payload: { title: 'T' }, mediaUrl: `http://${media.host}/video.mp4` };
});
after(async () => {
  await pharlo[Symbol.asyncDispose]();
  await media[Symbol.asyncDispose]();
});

const version = '2026-07-28';
const call = toolCall('create_assignment', {});
const modernMeta = {
  'io.modelcontextprotocol/protocolVersion': version,
  'io.modelcontextprotocol/clientCapabilities': {},
};

const doors: [name: string, path: string, bearer: () => string, body: () => object, headers: Record<string, string>][] =
  [
    ['REST', '/api/v1/assignments', () => pharlo.key, () => input, {}],
    [
      'MCP before 2026-07-28',
      '/_mcp',
      () => token,
      () => ({ ...call, params: { name: 'create_assignment', arguments: input } }),
      { 'mcp-protocol-version': '2025-11-25' },
    ],
    [
      'MCP 2026-07-28',
      '/_mcp',
      () => token,
      () => ({ ...call, params: { name: 'create_assignment', arguments: input, _meta: modernMeta } }),
      { 'mcp-protocol-version': version, 'mcp-method': 'tools/call', 'mcp-name': 'create_assignment' },
    ],
  ];

for (const [name, path, bearer, body, headers] of doors) {
  // Without the signal the probe would give up by itself after 15 s.
  test(`closing the connection stops a call: ${name}`, { timeout: 10_000 }, async () => {
    const before = await footprint(pharlo);
    const sent = request(`${pharlo.url}${path}`, {
      method: 'POST',
      agent: false,
      headers: {
        authorization: `Bearer ${bearer()}`,
        'content-type': 'application/json',
        accept: 'application/json, text/event-stream',
        ...headers,
      },
    });
    sent.on('error', () => {});
    sent.end(JSON.stringify(body()));
    const probe = await media.next();
    const given = once(probe, 'close');
    sent.destroy();
    await given;
    assert.deepEqual(await footprint(pharlo), before);
    assert.deepEqual(
      pharlo.logs.filter((line) => line.includes('"level":"error"')),
      [],
    );
  });
}

/** A call whose caller goes away while its handler runs. */
function leaving(kind: 'read' | 'write' | 'outside', readOnly: boolean) {
  const gone = new AbortController();
  const common = {
    name: 'leave_early',
    title: 'Leave early',
    description: 'Leaves.',
    access: 'assignments:read' as const,
    credits: 'WRITE' as const,
    hints: { readOnly, destructive: false, idempotent: false, openWorld: false },
    input: z.strictObject({}),
    output: z.object({}),
  };
  const handle = async () => {
    gone.abort();
    return {};
  };
  return { gone, op: operation<object, object>({ ...common, kind, handle }) };
}

async function run(kind: 'read' | 'write' | 'outside', readOnly: boolean): Promise<unknown> {
  const [row] = await pharlo.app.deps.db.query<{ id: string }>({ text: 'select id from api_keys limit 1', values: [] });
  const { workspaceId } = pharlo;
  const caller: Caller = { via: 'rest', workspaceId, keyId: row?.id ?? '', scopes: new Set(['assignments:read']) };
  const { gone, op } = leaving(kind, readOnly);
  return execute(pharlo.app.deps, op, {}, caller, { signal: gone.signal });
}

test('a caller who left before the end pays nothing; what was done at a platform stays done and paid', async () => {
  const spent = async () => {
    const [row] = await pharlo.app.deps.db.query<{ spent: string }>({
      text: `select coalesce(-sum(amount), 0)::text as spent from ledger`,
      values: [],
    });
    return Number(row?.spent);
  };
  const before = await footprint(pharlo);
  for (const kind of ['read', 'write'] as const) {
    await assert.rejects(run(kind, kind === 'read'), { code: 'call_cancelled' }, kind);
    assert.deepEqual(await footprint(pharlo), before, kind);
  }
  const free = await spent();
  await assert.rejects(run('outside', true), { code: 'call_cancelled' });
  assert.equal(await spent(), free);
  assert.deepEqual(await run('outside', false), { output: {}, used: 200, replayed: false });
  assert.equal(await spent(), free + 200);
});

test('a cancellation inside an array is ignored, and the call beside it is answered', { timeout: 10_000 }, async () => {
  const listing = toolCall('list_connections', {});
  const cancelled = { jsonrpc: '2.0', method: 'notifications/cancelled', params: { requestId: listing.id } };
  const old = { 'mcp-protocol-version': '2025-03-26' };
  const { status, body } = await rpc(pharlo, token, [listing, cancelled], old);
  assert.equal(status, 200);
  assert.equal((body as unknown as { id: number }[])[0]?.id, listing.id);
  assert.equal((await rpc(pharlo, token, [cancelled], old)).status, 202);
  assert.equal((await rpc(pharlo, token, cancelled)).status, 202);
  const twice = await rpc(pharlo, token, [listing, listing], old);
  assert.equal(twice.status, 400);
});
