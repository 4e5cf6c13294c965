import assert from 'node:assert/strict';
import { randomUUID } from 'node:crypto';
import { after, before, test } from 'node:test';
import { type Harness, startHarness } from '../harness.ts';
import { getToken, rpc } from '../mcp-client.ts';

let pharlo: Harness;
let token: string;
before(async () => {
  pharlo = await startHarness();
  token = await getToken(pharlo);
});
after(() => pharlo[Symbol.asyncDispose]());

const ask = async (method: string, params: unknown, bearer = token) => {
  const { status, body, headers } = await rpc(pharlo, bearer, { jsonrpc: '2.0', id: 1, method, params });
  return { status, headers, result: body.result as never, error: body.error as { code: number } | undefined };
};

test('resources lead to the same answers as the operations behind them', async () => {
  const { result: listed } = await ask('resources/list', {});
  const uris = (listed as { resources: { uri: string }[] }).resources.map(({ uri }) => uri);
  assert.deepEqual(uris, ['pharlo://platforms', 'pharlo://agent-rules']);
  const { result: templates } = await ask('resources/templates/list', {});
  const names = (templates as { resourceTemplates: { uriTemplate: string }[] }).resourceTemplates;
  assert.deepEqual(
    names.map(({ uriTemplate }) => uriTemplate),
    ['pharlo://platforms/{slug}', 'pharlo://assignments/{id}'],
  );
  const { result: read } = await ask('resources/read', { uri: 'pharlo://platforms/youtube' });
  const [content] = (read as { contents: { text: string }[] }).contents;
  const rest = await pharlo.rest('GET', '/platforms/youtube/capabilities');
  assert.deepEqual(JSON.parse(content?.text ?? ''), rest.body);
});

test('a resource that does not exist and one that may not be seen answer alike', async () => {
  for (const uri of [
    `pharlo://assignments/${randomUUID()}`,
    'pharlo://platforms/nowhere',
    'pharlo://else',
    'file:///etc',
  ]) {
    const { error } = await ask('resources/read', { uri });
    assert.equal(error?.code, -32602, uri);
  }
});

test('reading a resource needs the scope of its operation', async () => {
  const narrow = await getToken(pharlo, { scope: 'connections:read' });
  const { status, headers } = await ask('resources/read', { uri: 'pharlo://platforms' }, narrow);
  assert.equal(status, 403);
  assert.match(headers.get('www-authenticate') ?? '', /insufficient_scope.*platforms:read/);
  const { result } = await ask('resources/list', {}, narrow);
  assert.deepEqual(
    (result as { resources: { uri: string }[] }).resources.map(({ uri }) => uri),
    ['pharlo://agent-rules'],
  );
});

test('prompts are offered to those who may use their tools, and carry their arguments', async () => {
  const { result } = await ask('prompts/list', {});
  const prompts = (result as { prompts: { name: string; arguments: { name: string }[] }[] }).prompts;
  assert.deepEqual(
    prompts.map(({ name }) => name),
    [
      'publish_now',
      'schedule_post',
      'connect_channel',
      'check_health',
      'debug_webhooks',
      'retry_failure',
      'weekly_report',
    ],
  );
  const { result: got } = await ask('prompts/get', { name: 'connect_channel', arguments: { platform: 'youtube' } });
  assert.match(JSON.stringify(got), /Connect a youtube channel\. Call get_oauth_connect_url/);
  const narrow = await getToken(pharlo, { scope: 'connections:read connections:write' });
  const { result: fewer } = await ask('prompts/list', {}, narrow);
  assert.deepEqual(
    (fewer as { prompts: { name: string }[] }).prompts.map(({ name }) => name),
    ['check_health'],
  );
  const refused = await ask('prompts/get', { name: 'publish_now' }, narrow);
  assert.equal(refused.status, 403);
  const wanted = 'assignments:read assignments:write connections:read connections:write platforms:read';
  assert.ok(refused.headers.get('www-authenticate')?.includes(`scope="${wanted}"`));
  const { error } = await ask('prompts/get', { name: 'nothing' }, narrow);
  assert.equal(error?.code, -32602);
});

test('completion suggests platforms by their beginning', async () => {
  const ref = { type: 'ref/prompt', name: 'connect_channel' };
  const { result } = await ask('completion/complete', { ref, argument: { name: 'platform', value: 'you' } });
  assert.deepEqual((result as { completion: { values: string[] } }).completion.values, ['youtube']);
  const template = { type: 'ref/resource', uri: 'pharlo://platforms/{slug}' };
  const { result: planned } = await ask('completion/complete', {
    ref: template,
    argument: { name: 'slug', value: 'tik' },
  });
  assert.deepEqual((planned as { completion: { values: string[] } }).completion.values, ['tiktok']);
  for (const [other, name] of [
    [{ type: 'ref/prompt', name: 'nothing' }, 'platform'],
    [{ type: 'ref/prompt', name: 'connect_channel' }, 'slug'],
    [{ type: 'ref/resource', uri: 'pharlo://platforms' }, 'slug'],
    [{ type: 'ref/resource', uri: 'pharlo://nothing/{slug}' }, 'slug'],
  ] as const) {
    const { error } = await ask('completion/complete', { ref: other, argument: { name, value: '' } });
    assert.equal(error?.code, -32602, JSON.stringify(other));
  }
});
