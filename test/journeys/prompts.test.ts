import assert from 'node:assert/strict';
import { test } from 'node:test';
import { connectChannel } from '../channel.ts';
import { type Harness, startHarness } from '../harness.ts';
import { callTool, getToken, rpc } from '../mcp-client.ts';

/** What an agent does with the tools alone to answer what a person says; the lists are its only source of ids. */
type Agent = {
  pharlo: Harness;
  call(tool: string, input?: Record<string, unknown>): Promise<Record<string, unknown>>;
  items(tool: string, input?: Record<string, unknown>): Promise<Record<string, unknown>[]>;
};

async function startAgent(options: { work?: boolean } = {}): Promise<Agent> {
  const pharlo = await startHarness(options);
  const token = await getToken(pharlo);
  const call: Agent['call'] = async (tool, input = {}) => {
    const { structuredContent, isError, content } = await callTool(pharlo, token, tool, input);
    assert.ok(!isError, `${tool}: ${content[0]?.text}`);
    return structuredContent ?? {};
  };
  return { pharlo, call, items: async (tool, input) => (await call(tool, input)).items as Record<string, unknown>[] };
}

const video = (pharlo: Harness, connectionId: unknown, title: string, more: object = {}) => ({
  connectionId,
  type: 'video',
  payload: { title },
  mediaUrl: `${pharlo.sandboxUrl}/sample.mp4`,
  ...more,
});

const later = (pharlo: Harness, ms: number) => new Date(pharlo.app.deps.now() + ms).toISOString();

test('"List my YouTube connections and show subscriber counts."', async () => {
  const { pharlo, items, call } = await startAgent();
  await using _ = pharlo;
  await connectChannel(pharlo, { title: 'One' });
  await connectChannel(pharlo, { title: 'Two' });
  const channels = await items('list_connections', { platform: 'youtube' });
  assert.deepEqual(channels.map(({ name }) => name).sort(), ['One', 'Two']);
  for (const { id } of channels) {
    const stats = await call('get_channel_stats', { connectionId: id });
    assert.equal(stats.connectionId, id);
    assert.equal(typeof stats.subscribers, 'number');
  }
});

test('"Show my last 5 assignment statuses."', async () => {
  const { pharlo, items, call } = await startAgent();
  await using _ = pharlo;
  const connectionId = await connectChannel(pharlo);
  for (let index = 0; index < 7; index++) {
    await call(
      'create_assignment',
      video(pharlo, connectionId, `Video ${index}`, { scheduledAt: later(pharlo, 3_600_000) }),
    );
  }
  const [newest] = await items('list_assignments', { limit: 1 });
  await call('cancel_assignment', { assignmentId: newest?.id });
  const last = await items('list_assignments', { limit: 5 });
  assert.deepEqual(
    last.map(({ status }) => status),
    ['cancelled', 'pending', 'pending', 'pending', 'pending'],
  );
});

test('publish now, from a channel nobody has connected yet to the numbers of the post', async () => {
  const { pharlo, items, call } = await startAgent({ work: true });
  await using _ = pharlo;
  assert.deepEqual(await items('list_connections'), []);
  const [platform] = (await items('list_platforms')).filter(({ status }) => status === 'live');
  const link = await call('get_oauth_connect_url', { platform: platform?.slug });
  assert.match(String(link.url), /^http/);
  assert.equal((await call('check_oauth_status', { ticketId: link.ticketId })).status, 'pending');
  await connectChannel(pharlo);
  const [channel] = await items('list_connections');
  const { capabilities } = await call('get_platform_capabilities', { platform: channel?.platform });
  const taken = (capabilities as { type: string; payload: { required: string[] } }[]).find(
    ({ type }) => type === 'video',
  );
  assert.deepEqual(taken?.payload.required, ['title']);
  const input = video(pharlo, channel?.id, 'Hello', { idempotencyKey: 'said-once' });
  const dry = await call('create_assignment', { ...input, dryRun: true });
  assert.equal(dry.credits, 3.6);
  const { id } = await call('create_assignment', input);
  assert.equal((await call('create_assignment', input)).id, id, 'said twice, posted once');
  let seen = await call('get_assignment', { assignmentId: id });
  while (!['published', 'failed'].includes(String(seen.status))) {
    await new Promise<void>((done) => setImmediate(done));
    seen = await call('get_assignment', { assignmentId: id });
  }
  assert.equal(seen.status, 'published');
  assert.match(String(seen.platformUrl), /^http/);
  const stats = await call('get_post_stats', { assignmentId: id });
  assert.equal(stats.platformPostId, seen.platformPostId);
  assert.equal((await call('get_stats_overview', {})).published, 1);
});

test('schedule a post, move it, and call it off', async () => {
  const { pharlo, items, call } = await startAgent();
  await using _ = pharlo;
  const connectionId = await connectChannel(pharlo);
  const at = later(pharlo, 24 * 3_600_000);
  const made = await call('create_assignment', video(pharlo, connectionId, 'Soon', { scheduledAt: at }));
  assert.deepEqual([made.status, made.scheduledAt], ['pending', at]);
  const moved = await call('update_assignment', { assignmentId: made.id, scheduledAt: later(pharlo, 48 * 3_600_000) });
  assert.notEqual(moved.scheduledAt, at);
  const [pending] = await items('list_assignments', { status: 'pending' });
  assert.equal((await call('cancel_assignment', { assignmentId: pending?.id })).status, 'cancelled');
});

test('the health of channels, and their names and state in the user’s own words', async () => {
  const { pharlo, items, call } = await startAgent();
  await using _ = pharlo;
  await connectChannel(pharlo);
  const [channel] = await items('list_connections', { includeInactive: true });
  assert.equal((await call('get_connection', { connectionId: channel?.id })).tokenStatus, 'valid');
  const changed = await call('update_connection', { connectionId: channel?.id, name: 'Main', isActive: false });
  assert.deepEqual([changed.name, changed.isActive], ['Main', false]);
});

test('every prompt that is offered speaks of tools that exist, and each of the seven is there', async () => {
  const { pharlo } = await startAgent();
  await using _ = pharlo;
  const token = await getToken(pharlo);
  const ask = async (method: string, params: object = {}) =>
    (await rpc(pharlo, token, { jsonrpc: '2.0', id: 1, method, params })).body.result as Record<string, unknown>;
  const tools = new Set(((await ask('tools/list')).tools as { name: string }[]).map(({ name }) => name));
  const prompts = (await ask('prompts/list')).prompts as { name: string }[];
  assert.deepEqual(prompts.map(({ name }) => name).sort(), [
    'check_health',
    'connect_channel',
    'debug_webhooks',
    'publish_now',
    'retry_failure',
    'schedule_post',
    'weekly_report',
  ]);
  for (const { name } of prompts) {
    const text = JSON.stringify((await ask('prompts/get', { name })).messages);
    const named = [...text.matchAll(/\b(?:get|list|create|update|retry|cancel|check)_\w+/g)].map(([tool]) => tool);
    assert.ok(named.length > 0, name);
    for (const tool of named) assert.ok(tools.has(tool), `${name} speaks of ${tool}`);
  }
});
