import assert from 'node:assert/strict';
import { test } from 'node:test';
import { startHarness } from '../harness.ts';
import { getToken, rpc, type ToolResult } from '../mcp-client.ts';

const version = '2026-07-28';

test('arguments without bottom are refused as what they are, with and without a state', async () => {
  await using pharlo = await startHarness();
  const token = await getToken(pharlo);
  const headers = { 'mcp-protocol-version': version, 'mcp-method': 'tools/call', 'mcp-name': 'create_assignment' };
  const call = async (capabilities: object, extra: Record<string, unknown>) => {
    const _meta = {
      'io.modelcontextprotocol/protocolVersion': version,
      'io.modelcontextprotocol/clientCapabilities': capabilities,
    };
    const params = { name: 'create_assignment', arguments: { payload: { title: 'deep' } }, _meta, ...extra };
    const text = JSON.stringify({ jsonrpc: '2.0', id: 1, method: 'tools/call', params });
    const deep = '['.repeat(100_000) + ']'.repeat(100_000);
    return (await rpc(pharlo, token, text.replace('"deep"', deep), headers)).body;
  };
  for (const capabilities of [{}, { elicitation: { form: {} } }]) {
    const { result } = (await call(capabilities, {})) as { result: ToolResult };
    assert.equal(result._meta['pharlo.io/error']?.code, 'validation_failed');
    const { error } = (await call(capabilities, { requestState: 'x', inputResponses: {} })) as {
      error: { code: number; data: { reason: string } };
    };
    assert.deepEqual([error.code, error.data.reason], [-32602, 'invalid_request_state']);
  }
});
