import assert from 'node:assert/strict';
import { test } from 'node:test';
import { startHarness } from '../harness.ts';
import { getToken, rpc, type ToolResult } from '../mcp-client.ts';

const version = '2026-07-28';

type RpcError = { code: number; data?: { reason: string } };

test('arguments without bottom are refused as what they are, with and without a state', async () => {
  await using pharlo = await startHarness();
  const token = await getToken(pharlo);
  const headers = { 'mcp-protocol-version': version, 'mcp-method': 'tools/call', 'mcp-name': 'create_assignment' };
  const nested = (levels: number) => '['.repeat(levels) + ']'.repeat(levels);
  const post = async (message: object, levels: number) => {
    const text = JSON.stringify(message).replaceAll('"deep"', nested(levels));
    return (await rpc(pharlo, token, text, headers)).body as { result: ToolResult; error: RpcError };
  };
  const message = (clientCapabilities: object, payload: unknown, extra: object = {}) => {
    const _meta = {
      'io.modelcontextprotocol/protocolVersion': version,
      'io.modelcontextprotocol/clientCapabilities': clientCapabilities,
    };
    const params = { name: 'create_assignment', arguments: { payload }, _meta, ...extra };
    return { jsonrpc: '2.0', id: 1, method: 'tools/call', params };
  };
  const asText = `{"title":${nested(100_000)}}`;
  for (const capabilities of [{}, { elicitation: { form: {} } }]) {
    for (const payload of [{ title: 'deep' }, asText]) {
      const { result } = await post(message(capabilities, payload), 1000);
      assert.equal(result._meta['pharlo.io/error']?.code, 'validation_failed');
      const { error } = await post(message(capabilities, payload, { requestState: 'x', inputResponses: {} }), 1000);
      assert.deepEqual([error.code, error.data?.reason], [-32602, 'invalid_request_state']);
    }
    assert.equal((await post(message(capabilities, { title: 'deep' }), 100_000)).error.code, -32600);
  }
  assert.equal((await post(message({ elicitation: 'deep' }, {}), 100_000)).error.code, -32600);
});
