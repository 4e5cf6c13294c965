import assert from 'node:assert/strict';
import { after, before, test } from 'node:test';
import { connectChannel } from '../channel.ts';
import { type Harness, startHarness } from '../harness.ts';
import { getToken, rpc, toolCall } from '../mcp-client.ts';
import { footprint } from '../refusals.ts';

let pharlo: Harness;
let token: string;
before(async () => {
  pharlo = await startHarness();
  token = await getToken(pharlo);
});
after(() => pharlo[Symbol.asyncDispose]());

const version = '2026-07-28';
const meta = {
  'io.modelcontextprotocol/protocolVersion': version,
  'io.modelcontextprotocol/clientCapabilities': {},
};

type Body = { result?: Record<string, unknown>; error?: { code: number; data?: Record<string, unknown> } };

/** A request of the 2026-07-28 era; `headers` stand over the right ones, an empty one is left out. */
async function ask(method: string, params: Record<string, unknown> = {}, headers: Record<string, string> = {}) {
  const name = params.name ?? params.uri;
  const right = {
    'mcp-protocol-version': version,
    'mcp-method': method,
    ...(typeof name === 'string' && { 'mcp-name': name }),
  };
  const sent = Object.fromEntries(Object.entries({ ...right, ...headers }).filter(([, value]) => value !== ''));
  const message = { jsonrpc: '2.0', id: 1, method, params: { _meta: meta, ...params } };
  const answer = await rpc(pharlo, token, message, sent);
  return { ...answer, ...(answer.body as Body) };
}

test('2026-07-28: results tell their type, how long they hold, and that they are private', async () => {
  const calls: [method: string, params: Record<string, unknown>, ttlMs: number][] = [
    ['server/discover', {}, 300_000],
    ['tools/list', {}, 300_000],
    ['prompts/list', {}, 300_000],
    ['resources/list', {}, 300_000],
    ['resources/templates/list', {}, 300_000],
    ['resources/read', { uri: 'pharlo://platforms' }, 0],
  ];
  for (const [method, params, ttlMs] of calls) {
    const { status, headers, result } = await ask(method, params);
    assert.equal(status, 200, method);
    assert.equal(headers.get('mcp-session-id'), null, method);
    assert.equal(result?.resultType, 'complete', method);
    assert.equal(result.ttlMs, ttlMs, method);
    assert.equal(result.cacheScope, 'private', method);
  }
  const { result } = await ask('tools/call', { name: 'list_platforms', arguments: {} });
  assert.equal(result?.resultType, 'complete');
  const { result: discovered } = await ask('server/discover');
  assert.deepEqual(discovered?.supportedVersions, [version]);
  assert.ok(String(discovered?.instructions).length > 100);
});

test('2026-07-28: headers must say what the body says; names may be base64; sessions are ignored', async () => {
  const call = { name: 'list_platforms', arguments: {} };
  const base64 = (text: string) => `=?base64?${Buffer.from(text).toString('base64')}?=`;
  const good: Record<string, string>[] = [
    {},
    { 'mcp-name': base64('list_platforms') },
    { 'mcp-session-id': 'made-up', 'last-event-id': '7' },
  ];
  for (const headers of good) {
    const { status, headers: answered } = await ask('tools/call', call, headers);
    assert.equal(status, 200, JSON.stringify(headers));
    assert.equal(answered.get('mcp-session-id'), null);
  }
  const before = await footprint(pharlo);
  const bad: [headers: Record<string, string>, code: number][] = [
    [{ 'mcp-name': 'list_connections' }, -32020],
    [{ 'mcp-name': base64('list_connections') }, -32020],
    [{ 'mcp-name': '' }, -32020],
    [{ 'mcp-method': 'tools/list' }, -32020],
    [{ 'mcp-method': '' }, -32020],
    [{ 'mcp-protocol-version': '2025-11-25' }, -32020],
  ];
  for (const [headers, code] of bad) {
    const { status, error } = await ask('tools/call', { name: 'list_platforms', arguments: {} }, headers);
    assert.equal(status, 400, JSON.stringify(headers));
    assert.equal(error?.code, code, JSON.stringify(headers));
  }
  const future = { ...meta, 'io.modelcontextprotocol/protocolVersion': '2999-01-01' };
  const unknown = await ask('tools/list', { _meta: future }, { 'mcp-protocol-version': '2999-01-01' });
  assert.deepEqual([unknown.status, unknown.error?.code, unknown.error?.data?.supported], [400, -32022, [version]]);
  for (const method of ['initialize', 'ping', 'logging/setLevel', 'resources/subscribe', 'nothing/like/it']) {
    const { status, error } = await ask(method, { uri: 'pharlo://platforms', level: 'info' });
    assert.deepEqual([status, error?.code], [404, -32601], method);
  }
  const { 'io.modelcontextprotocol/clientCapabilities': _, ...half } = meta;
  const incomplete = await ask('tools/list', { _meta: half });
  assert.deepEqual([incomplete.status, incomplete.error?.code], [400, -32602]);
  assert.deepEqual(await footprint(pharlo), before);
});

for (const revision of ['2025-03-26', '2025-06-18', '2025-11-25']) {
  test(`${revision}: a handshake that leaves no session, and JSON answers`, async () => {
    const params = { protocolVersion: revision, capabilities: {}, clientInfo: { name: 'old', version: '1' } };
    const hello = { jsonrpc: '2.0', id: 1, method: 'initialize', params };
    const begun = await rpc(pharlo, token, hello, { 'mcp-protocol-version': revision });
    assert.equal(begun.status, 200);
    assert.match(begun.headers.get('content-type') ?? '', /^application\/json/);
    assert.equal(begun.headers.get('mcp-session-id'), null);
    assert.equal((begun.body as Body).result?.protocolVersion, revision);
    const send = (message: object) =>
      rpc(pharlo, token, message, { 'mcp-protocol-version': revision, 'mcp-session-id': 'made-up' });
    assert.equal((await send({ jsonrpc: '2.0', method: 'notifications/initialized' })).status, 202);
    assert.deepEqual((await send({ jsonrpc: '2.0', id: 2, method: 'ping' })).body.result, {});
    const listed = await send({ jsonrpc: '2.0', id: 3, method: 'tools/list' });
    assert.match(listed.headers.get('content-type') ?? '', /^application\/json/);
    assert.equal(listed.headers.get('mcp-session-id'), null);
    const before = await footprint(pharlo);
    const { id: _, ...unasked } = toolCall('list_connections', {});
    assert.equal((await send(unasked)).status, 202, 'a call without an id is no call');
    assert.equal((await send({ jsonrpc: '2.0', id: 9, result: {} })).status, 202, 'nothing was asked of the client');
    assert.deepEqual(await footprint(pharlo), before);
  });
}

test('2026-07-28: a call tells its progress to a client that wants to hear of it', async () => {
  const input = {
    connectionId: await connectChannel(pharlo),
    type: 'video',
    payload: { title: 'A title' },
    mediaUrl: `${pharlo.sandboxUrl}/sample.mp4`,
  };
  const response = await fetch(`${pharlo.url}/_mcp`, {
    method: 'POST',
    headers: {
      authorization: `Bearer ${token}`,
      'content-type': 'application/json',
      accept: 'application/json, text/event-stream',
      'mcp-protocol-version': version,
      'mcp-method': 'tools/call',
      'mcp-name': 'create_assignment',
    },
    body: JSON.stringify({
      jsonrpc: '2.0',
      id: 1,
      method: 'tools/call',
      params: { name: 'create_assignment', arguments: input, _meta: { ...meta, progressToken: 'p' } },
    }),
  });
  const messages = [...(await response.text()).matchAll(/^data: (.+)$/gm)].map(([, data]) => JSON.parse(data ?? ''));
  assert.deepEqual(
    messages.slice(0, -1).map(({ method, params }) => [method, params.progressToken, params.progress, params.total]),
    [
      ['notifications/progress', 'p', 0, 2],
      ['notifications/progress', 'p', 1, 2],
    ],
  );
  assert.equal(messages.at(-1).result.structuredContent.status, 'pending');
});
