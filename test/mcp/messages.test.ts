import assert from 'node:assert/strict';
import { after, before, test } from 'node:test';
import { type Harness, startHarness } from '../harness.ts';
import { getToken, rpc } from '../mcp-client.ts';
import { assertNoLeak } from '../refusals.ts';

const broken = {
  name: 'broken_prompt',
  title: 'Broken',
  description: 'Fails.',
  scopes: [],
  arguments: [],
  text: () => {
    throw new Error('select secret from insides');
  },
};

let pharlo: Harness;
let token: string;
before(async () => {
  pharlo = await startHarness({ world: { extra: { prompts: [broken] } } });
  token = await getToken(pharlo);
});
after(() => pharlo[Symbol.asyncDispose]());

const version = '2026-07-28';
const _meta = {
  'io.modelcontextprotocol/protocolVersion': version,
  'io.modelcontextprotocol/clientCapabilities': {},
};

type Failure = { code: number; message: string };

/** A message in both eras; answers the errors. */
async function inBothEras(method: string, params: Record<string, unknown>): Promise<Failure[]> {
  const name = String(params.name ?? params.uri ?? '');
  const headers = { 'mcp-protocol-version': version, 'mcp-method': method, ...(name && { 'mcp-name': name }) };
  const older = await rpc(pharlo, token, { jsonrpc: '2.0', id: 1, method, params });
  const newer = await rpc(pharlo, token, { jsonrpc: '2.0', id: 1, method, params: { ...params, _meta } }, headers);
  return [older, newer].map(({ text, body }) => {
    assertNoLeak(text);
    return body.error as Failure;
  });
}

test('parameters that do not fit are -32602 and named in our own words', async () => {
  const bad: [method: string, params: Record<string, unknown>, field: string][] = [
    ['tools/call', { name: 'list_platforms', arguments: [] }, 'params.arguments'],
    ['tools/call', { name: 'list_platforms', arguments: 'x' }, 'params.arguments'],
    ['prompts/get', { name: 'publish_now', arguments: { channel: 5 } }, 'params.arguments.channel'],
    ['completion/complete', { ref: { type: 'ref/prompt', name: 'publish_now' } }, 'params.argument'],
  ];
  for (const [method, params, field] of bad) {
    for (const { code, message } of await inBothEras(method, params)) {
      assert.equal(code, -32602, `${method}: ${message}`);
      assert.equal(message, `The parameters of ${method} are not valid: ${field}.`);
    }
  }
  const { body } = await rpc(pharlo, token, { jsonrpc: '2.0', id: 1, method: 'initialize', params: {} });
  const { code, message } = body.error as Failure;
  assert.equal(code, -32602);
  assert.match(message, /^The parameters of initialize are not valid: params\.protocolVersion, /);
});

test('a failure of ours is told by its incident and nothing else', async () => {
  for (const { code, message } of await inBothEras('prompts/get', { name: 'broken_prompt' })) {
    assert.equal(code, -32603);
    assert.match(message, /^Something went wrong on our side \(incident [0-9a-f-]{36}\)\.$/);
  }
  assert.equal(pharlo.logs.filter((line) => line.includes('"level":"error"')).length, 2);
});

test('whoever takes JSON is answered', async () => {
  const ping = { jsonrpc: '2.0', id: 1, method: 'tools/list', params: {} };
  const headers = { 'mcp-protocol-version': version, 'mcp-method': 'tools/list' };
  for (const accept of ['*/*', 'application/json', 'application/*;q=0.8', 'Application/JSON, text/event-stream']) {
    assert.equal((await rpc(pharlo, token, ping, { accept })).status, 200, accept);
    const newer = await rpc(pharlo, token, { ...ping, params: { _meta } }, { accept, ...headers });
    assert.equal(newer.status, 200, `${accept} in ${version}`);
  }
  assert.equal((await rpc(pharlo, token, ping, { accept: 'text/html' })).status, 406);
});
