import assert from 'node:assert/strict';
import { randomUUID } from 'node:crypto';
import { after, before, test } from 'node:test';
import { revokeKey } from '../../src/store/api-keys.ts';
import { connectChannel } from '../channel.ts';
import { type Harness, startHarness } from '../harness.ts';
import { getToken } from '../mcp-client.ts';

let pharlo: Harness;
before(async () => {
  pharlo = await startHarness({ world: { recheckMs: 50 } });
});
after(() => pharlo[Symbol.asyncDispose]());

const version = '2026-07-28';

/** Opens a stream; `next` answers its messages one by one, undefined at its end. */
async function open(token: string, uris: string[], on = pharlo) {
  const closing = new AbortController();
  const _meta = {
    'io.modelcontextprotocol/protocolVersion': version,
    'io.modelcontextprotocol/clientCapabilities': {},
  };
  const response = await fetch(`${on.url}/_mcp`, {
    method: 'POST',
    signal: closing.signal,
    headers: {
      authorization: `Bearer ${token}`,
      'content-type': 'application/json',
      accept: 'application/json, text/event-stream',
      'mcp-protocol-version': version,
      'mcp-method': 'subscriptions/listen',
    },
    body: JSON.stringify({
      jsonrpc: '2.0',
      id: 'stream',
      method: 'subscriptions/listen',
      params: { _meta, notifications: { resourceSubscriptions: uris } },
    }),
  });
  const messages = response.status === 200 && response.body ? read(response.body) : undefined;
  return {
    status: response.status,
    headers: response.headers,
    /** What a refusal says. */
    refusal: async () => (await response.json()) as { id: unknown; error: { code: number } },
    next: async () => (await messages?.next())?.value,
    close: () => closing.abort(),
  };
}

type Message = { method?: string; params?: { uri?: string } };

async function* read(body: ReadableStream<Uint8Array>): AsyncGenerator<Message, undefined> {
  let text = '';
  const decoder = new TextDecoder();
  for await (const chunk of body) {
    text += decoder.decode(chunk, { stream: true });
    for (let end = text.indexOf('\n\n'); end >= 0; end = text.indexOf('\n\n')) {
      const data = /^data: (.*)$/m.exec(text.slice(0, end));
      text = text.slice(end + 2);
      if (data?.[1]) yield JSON.parse(data[1]) as Message;
    }
  }
  return undefined;
}

async function scheduled(): Promise<string> {
  const connectionId = await connectChannel(pharlo);
  const { body } = await pharlo.rest('POST', '/assignments', {
    connectionId,
    type: 'video',
    payload: { title: 'Later' },
    mediaUrl: `${pharlo.sandboxUrl}/sample.mp4`,
    scheduledAt: new Date(Date.now() + 3600_000).toISOString(),
  });
  return String(body.id);
}

test('a change of an assignment reaches those who listen to it', async () => {
  const id = await scheduled();
  const uri = `pharlo://assignments/${id}`;
  const stream = await open(await getToken(pharlo), [uri]);
  assert.match(stream.headers.get('content-type') ?? '', /^text\/event-stream/);
  assert.equal(stream.headers.get('x-accel-buffering'), 'no');
  assert.equal((await stream.next())?.method, 'notifications/subscriptions/acknowledged');
  await pharlo.rest('DELETE', `/assignments/${id}`);
  const told = await stream.next();
  assert.equal(told?.method, 'notifications/resources/updated');
  assert.equal(told?.params?.uri, uri);
  stream.close();
});

test('what may not be seen cannot be listened to, and answers like what does not exist', async () => {
  const id = await scheduled();
  const workspace = await pharlo.app.deps.db.query<{ id: string }>({
    text: `insert into organizations (id, workspace_id, name, slug) values ($1, $2, 'Other', 'other') returning id`,
    values: [randomUUID(), pharlo.workspaceId],
  });
  const organizationId = workspace[0]?.id ?? '';
  const foreign = await getToken(pharlo, { key: await pharlo.newKey({ organizationId }) });
  for (const [token, uri] of [
    [foreign, `pharlo://assignments/${id}`],
    [foreign, `pharlo://assignments/${randomUUID()}`],
    [await getToken(pharlo), 'pharlo://nothing'],
  ] as const) {
    const stream = await open(token, [uri]);
    assert.equal(stream.status, 400, uri);
    const { id, error } = await stream.refusal();
    assert.deepEqual([id, error.code], ['stream', -32602], uri);
  }
  const narrow = await getToken(pharlo, { scope: 'platforms:read' });
  const refused = await open(narrow, [`pharlo://assignments/${id}`]);
  assert.equal(refused.status, 403);
  assert.match(refused.headers.get('www-authenticate') ?? '', /assignments:read/);
  assert.equal((await refused.refusal()).id, 'stream');
});

test('a grant may hold five streams, and a closed one makes room', async () => {
  const token = await getToken(pharlo);
  const uris = ['pharlo://platforms'];
  const streams = [];
  for (let count = 0; count < 5; count++) {
    const stream = await open(token, uris);
    await stream.next();
    streams.push(stream);
  }
  const refused = await open(token, uris);
  assert.equal(refused.status, 429);
  assert.ok(Number(refused.headers.get('retry-after')) > 0);
  streams.shift()?.close();
  // The server hears of a closed connection a moment later.
  let again = await open(token, uris);
  for (let tries = 0; again.status === 429 && tries < 500; tries++) again = await open(token, uris);
  assert.equal(again.status, 200);
  for (const stream of [...streams, again]) stream.close();
});

test('a stream ends when its token does', async () => {
  const key = await pharlo.newKey();
  const stream = await open(await getToken(pharlo, { key }), ['pharlo://platforms']);
  assert.equal((await stream.next())?.method, 'notifications/subscriptions/acknowledged');
  const [row] = await pharlo.app.deps.db.query<{ id: string }>({
    text: 'select id from api_keys where hint = $1 order by created_at desc limit 1',
    values: [key.slice(-4)],
  });
  await revokeKey(pharlo.app.deps.db, pharlo.workspaceId, row?.id ?? '');
  assert.equal(await stream.next(), undefined);
});

test('streams end when the server is about to stop', async () => {
  await using other = await startHarness();
  const stream = await open(await getToken(other), ['pharlo://platforms'], other);
  assert.equal((await stream.next())?.method, 'notifications/subscriptions/acknowledged');
  other.app.drain();
  assert.equal(await stream.next(), undefined);
});
