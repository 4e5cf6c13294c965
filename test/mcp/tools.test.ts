import assert from 'node:assert/strict';
import { after, before, test } from 'node:test';
import { Client, StreamableHTTPClientTransport } from '@modelcontextprotocol/client';
import { Client as ClientV1 } from '@modelcontextprotocol/sdk/client/index.js';
import { StreamableHTTPClientTransport as TransportV1 } from '@modelcontextprotocol/sdk/client/streamableHttp.js';
import { z } from 'zod';
import { connectChannel } from '../channel.ts';
import { type Harness, startHarness } from '../harness.ts';
import { callTool, getToken, rpc } from '../mcp-client.ts';

let pharlo: Harness;
let token: string;
let connectionId: string;
before(async () => {
  pharlo = await startHarness();
  token = await getToken(pharlo);
  connectionId = await connectChannel(pharlo);
});
after(() => pharlo[Symbol.asyncDispose]());

type Listed = {
  name: string;
  title: string;
  description: string;
  inputSchema: Record<string, unknown> & { properties?: Record<string, { description?: string }> };
  outputSchema: Record<string, unknown>;
  annotations: Record<string, unknown>;
};

async function listTools(): Promise<Listed[]> {
  const { body } = await rpc(pharlo, token, { jsonrpc: '2.0', id: 1, method: 'tools/list', params: {} });
  return (body.result as { tools: Listed[] }).tools;
}

/** The hints that are true of each tool; the others are false. */
const trueHints: Record<string, string> = {
  create_assignment: 'destructive openWorld',
  list_assignments: 'readOnly idempotent',
  get_assignment: 'readOnly idempotent',
  update_assignment: 'idempotent',
  retry_assignment: 'destructive openWorld',
  cancel_assignment: 'destructive',
  list_connections: 'readOnly idempotent',
  get_connection: 'readOnly idempotent',
  get_channel_stats: 'readOnly idempotent openWorld',
  update_connection: 'idempotent',
  get_oauth_connect_url: 'openWorld',
  check_oauth_status: 'readOnly idempotent',
  list_platforms: 'readOnly idempotent',
  get_platform_capabilities: 'readOnly idempotent',
  list_webhook_deliveries: 'readOnly idempotent',
  get_post_stats: 'readOnly idempotent openWorld',
  get_stats_overview: 'readOnly idempotent',
};

test('every tool says what it does, what it takes and what it answers', async () => {
  const tools = await listTools();
  for (const { name, title, description, inputSchema, outputSchema, annotations } of tools) {
    assert.ok(description.length >= 40, `${name} has no description`);
    assert.ok(title.length > 0);
    assert.equal(inputSchema.type, 'object');
    assert.equal(inputSchema.additionalProperties, false, name);
    assert.equal(outputSchema.type, 'object');
    for (const [field, schema] of Object.entries(inputSchema.properties ?? {})) {
      const told = schema.description !== undefined || 'enum' in schema;
      assert.ok(told, `${name}.${field} is not described`);
    }
    const expected = (trueHints[name] ?? assert.fail(`${name} is no tool of the contract`)).split(' ');
    const hints = ['readOnly', 'destructive', 'idempotent', 'openWorld'].map((hint) => [
      `${hint}Hint`,
      expected.includes(hint),
    ]);
    assert.deepEqual(annotations, { title, ...Object.fromEntries(hints) }, name);
  }
});

test('the list fits into 9,000 tokens of four characters', async () => {
  const characters = JSON.stringify(await listTools()).length;
  assert.ok(characters / 4 <= 9000, `${characters / 4} tokens`);
});

test('a success is the REST body, fits its schema, and comes with a short text and its price', async () => {
  const created = await callTool(pharlo, token, 'create_assignment', {
    connectionId,
    type: 'video',
    payload: { title: 'A title' },
    mediaUrl: `${pharlo.sandboxUrl}/sample.mp4`,
  });
  const assignmentId = String(created.structuredContent?.id);
  const ticket = await callTool(pharlo, token, 'get_oauth_connect_url', { platform: 'youtube' });
  const ticketId = String(ticket.structuredContent?.ticketId);
  const calls: [tool: string, input: Record<string, unknown>, restPath: string][] = [
    ['list_assignments', { limit: 5 }, '/assignments?limit=5'],
    ['get_assignment', { assignmentId }, `/assignments/${assignmentId}`],
    ['list_connections', {}, '/connections'],
    ['get_connection', { connectionId }, `/connections/${connectionId}`],
    ['check_oauth_status', { ticketId }, `/oauth/tickets/${ticketId}`],
    ['list_platforms', {}, '/platforms'],
    ['get_platform_capabilities', { platform: 'youtube' }, '/platforms/youtube/capabilities'],
    ['get_platform_capabilities', { platform: 'tiktok' }, '/platforms/tiktok/capabilities'],
  ];
  const schemas = new Map((await listTools()).map(({ name, outputSchema }) => [name, z.fromJSONSchema(outputSchema)]));
  const check = (tool: string, content: unknown) => {
    const result = schemas.get(tool)?.safeParse(content);
    assert.ok(result?.success, `${tool}: ${result?.error}`);
  };
  for (const [tool, input, path] of calls) {
    const result = await callTool(pharlo, token, tool, input);
    assert.equal(result.isError, undefined, tool);
    const rest = await pharlo.rest('GET', path);
    assert.deepEqual(result.structuredContent, rest.body, tool);
    check(tool, result.structuredContent);
    assert.equal(typeof result._meta['pharlo.io/credits'].used, 'number');
    const text = result.content[0]?.text ?? '';
    assert.ok(text.length > 0 && text.length < 1000 && !text.startsWith('{'), `${tool}: ${text}`);
  }
  check('create_assignment', created.structuredContent);
  check('get_oauth_connect_url', ticket.structuredContent);
  const cancelled = await callTool(pharlo, token, 'cancel_assignment', { assignmentId });
  check('cancel_assignment', cancelled.structuredContent);
  assert.equal(cancelled.structuredContent?.status, 'cancelled');
});

const requestInit = () => ({ headers: { authorization: `Bearer ${token}` } });
const info = { name: 'test', version: '1' };

for (const mode of ['legacy', 'auto', { pin: '2026-07-28' }] as const) {
  test(`the official client lists and calls in mode ${JSON.stringify(mode)}`, async () => {
    const client = new Client(info, { versionNegotiation: { mode } });
    await client.connect(
      new StreamableHTTPClientTransport(new URL(`${pharlo.url}/_mcp`), { requestInit: requestInit() }),
    );
    try {
      const { tools } = await client.listTools();
      assert.deepEqual(
        tools.map(({ name }) => name),
        (await listTools()).map(({ name }) => name),
      );
      const result = await client.callTool({ name: 'get_connection', arguments: { connectionId } });
      assert.equal((result.structuredContent as { id: string }).id, connectionId);
      const failed = await client.callTool({ name: 'get_connection', arguments: { connectionId: 'x' } });
      assert.equal(failed.isError, true);
    } finally {
      await client.close();
    }
  });
}

test('the client of SDK version 1 lists and calls', async () => {
  const client = new ClientV1(info);
  const transport = new TransportV1(new URL(`${pharlo.url}/_mcp`), { requestInit: requestInit() });
  await client.connect(transport as never);
  try {
    const { tools } = await client.listTools();
    assert.deepEqual(
      tools.map(({ name }) => name),
      (await listTools()).map(({ name }) => name),
    );
    const result = await client.callTool({ name: 'get_connection', arguments: { connectionId } });
    assert.equal((result.structuredContent as { id: string }).id, connectionId);
  } finally {
    await client.close();
  }
});
