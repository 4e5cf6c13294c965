import assert from 'node:assert/strict';
import { after, before, test } from 'node:test';
import { type Harness, startHarness } from '../harness.ts';
import { getToken, rpc, type ToolResult, toolCall } from '../mcp-client.ts';
import { footprint, ledgerCount } from '../refusals.ts';

let pharlo: Harness;
let token: string;
before(async () => {
  pharlo = await startHarness();
  token = await getToken(pharlo);
});
after(() => pharlo[Symbol.asyncDispose]());

const old = { 'mcp-protocol-version': '2025-03-26' };
const calls = (count: number) => Array.from({ length: count }, () => toolCall('list_connections', {}));

type Answer = { id: number; result?: ToolResult; error?: { code: number } };

/** A POST whose answer is an array. */
async function batch(
  body: unknown,
  headers: Record<string, string> = old,
): Promise<{ status: number; answers: Answer[] }> {
  const { status, body: answers } = await rpc(pharlo, token, body, headers);
  return { status, answers: answers as unknown as Answer[] };
}

test('revision 2025-03-26 takes up to 20 messages, each charged singly', async () => {
  for (const count of [1, 2, 20]) {
    const before = await ledgerCount(pharlo);
    const sent = calls(count);
    const { status, answers } = await batch(sent);
    assert.equal(status, 200);
    assert.deepEqual(
      answers.map(({ id }) => id).sort((a, b) => a - b),
      sent.map(({ id }) => id),
    );
    for (const { result } of answers) assert.deepEqual(result?._meta['pharlo.io/credits'], { used: 1.2 });
    assert.equal((await ledgerCount(pharlo)) - before, count);
  }
});

test('a failed element costs nothing and does not stop the others', async () => {
  const before = await ledgerCount(pharlo);
  const bad = toolCall('get_connection', { connectionId: 'x' });
  const unknown = toolCall('no_such_tool', {});
  const { answers } = await batch([...calls(1), bad, unknown]);
  assert.equal(answers.length, 3);
  assert.equal(answers.find(({ id }) => id === bad.id)?.result?.isError, true);
  assert.equal(answers.find(({ id }) => id === unknown.id)?.error?.code, -32602);
  assert.equal((await ledgerCount(pharlo)) - before, 1);
});

test('one missing scope refuses all before anything runs', async () => {
  const narrow = await getToken(pharlo, { scope: 'connections:read' });
  const before = await footprint(pharlo);
  const { status, headers } = await rpc(pharlo, narrow, [...calls(2), toolCall('create_assignment', {})], old);
  assert.equal(status, 403);
  assert.match(headers.get('www-authenticate') ?? '', /scope="assignments:write connections:read"/);
  assert.deepEqual(await footprint(pharlo), before);
});

test('arrays in other revisions, empty ones and long ones are refused', async () => {
  const before = await footprint(pharlo);
  for (const version of ['2025-06-18', '2025-11-25', '2026-07-28', '2024-11-05', 'garbage']) {
    const { status } = await batch(calls(2), { 'mcp-protocol-version': version });
    assert.equal(status, 400, version);
  }
  for (const body of [[], calls(21), [calls(1)], [null], [5], ['x']]) {
    const { status } = await batch(body);
    assert.equal(status, 400, JSON.stringify(body).slice(0, 60));
  }
  assert.deepEqual(await footprint(pharlo), before);
});
