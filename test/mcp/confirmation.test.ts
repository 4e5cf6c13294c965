import assert from 'node:assert/strict';
import { randomUUID } from 'node:crypto';
import { after, before, test } from 'node:test';
import { type Harness, startHarness } from '../harness.ts';
import { getToken, rpc, type ToolResult } from '../mcp-client.ts';

let pharlo: Harness;
let token: string;
before(async () => {
  pharlo = await startHarness();
  token = await getToken(pharlo);
});
after(() => pharlo[Symbol.asyncDispose]());

const version = '2026-07-28';
const input = { assignmentId: randomUUID() };

type Round = ToolResult & {
  resultType: string;
  requestState?: string;
  inputRequests?: Record<string, unknown>;
  refused?: { code: number; message: string; data: { reason: string } };
};

/** A tools/call of the 2026-07-28 era; a client that can ask its person says so. */
async function call(
  extra: Record<string, unknown> = {},
  given: unknown = input,
  elicitation: object | boolean = true,
  bearer = token,
  tool = 'cancel_assignment',
) {
  const asks = elicitation === true ? { form: {} } : elicitation;
  const capabilities = asks ? { elicitation: asks } : {};
  const _meta = {
    'io.modelcontextprotocol/protocolVersion': version,
    'io.modelcontextprotocol/clientCapabilities': capabilities,
  };
  const message = {
    jsonrpc: '2.0',
    id: 1,
    method: 'tools/call',
    params: { name: tool, arguments: given, _meta, ...extra },
  };
  const headers = { 'mcp-protocol-version': version, 'mcp-method': 'tools/call', 'mcp-name': tool };
  const { body } = await rpc(pharlo, bearer, message, headers);
  return (body.result ?? { refused: body.error }) as Round;
}

const accepted = { inputResponses: { confirm: { action: 'accept', content: { confirm: true } } } };
const errorOf = (round: Round) => round._meta['pharlo.io/error']?.code;

function assertStateRefused({ refused }: Round): void {
  assert.equal(refused?.code, -32602);
  assert.equal(refused?.data.reason, 'invalid_request_state');
}

test('a destructive call is asked for first, free, and goes on once the person agrees', async () => {
  const asked = await call();
  assert.equal(asked.resultType, 'input_required');
  assert.ok(asked.inputRequests?.confirm);
  assert.match(JSON.stringify(asked.inputRequests), new RegExp(input.assignmentId));
  const done = await call({ ...accepted, requestState: asked.requestState });
  assert.equal(errorOf(done), 'not_found');
  const again = await call({ ...accepted, requestState: asked.requestState });
  assertStateRefused(again);
  const { body } = await pharlo.rest('GET', '/assignments');
  assert.equal(body.total, 0);
});

test('declining does nothing and costs nothing', async () => {
  for (const confirm of [
    { action: 'decline' },
    { action: 'cancel' },
    { action: 'accept', content: { confirm: false } },
    { action: 'accept' },
  ]) {
    const asked = await call();
    const answer = await call({ inputResponses: { confirm }, requestState: asked.requestState });
    assert.equal(errorOf(answer), 'declined');
    assert.equal(answer._meta['pharlo.io/credits'].used, 0);
  }
});

test('an agreement counts for its own call only: arguments, principal, time and seal', async () => {
  const asked = await call();
  const state = { ...accepted, requestState: asked.requestState };
  assertStateRefused(await call(state, { assignmentId: randomUUID() }));
  assertStateRefused(await call(state, input, true, await getToken(pharlo)));
  const tampered = `AAAA${asked.requestState?.slice(4)}`;
  assertStateRefused(await call({ ...accepted, requestState: tampered }));
  assertStateRefused(await call(accepted));
  await pharlo.advance(5 * 60_000 + 1);
  assertStateRefused(await call(state));
});

test('bad input is told before anybody is asked, and clients that cannot ask are not stopped', async () => {
  assert.equal(errorOf(await call({}, { assignmentId: 'x' })), 'validation_failed');
  assert.equal(errorOf(await call({}, input, false)), 'not_found');
  assert.equal(errorOf(await call({}, input, { url: {} })), 'not_found', 'a client that only opens links has no forms');
  assert.equal((await call({}, input, {})).resultType, 'input_required', 'a bare declaration means forms');
});

test('a dry run is not asked for, and a question says when it shows only a part', async () => {
  const post = {
    connectionId: randomUUID(),
    type: 'video',
    payload: { title: 'A title', description: 'long '.repeat(900) },
    mediaUrl: 'https://media.example/video.mp4',
  };
  const create = (given: object) => call({}, given, true, token, 'create_assignment');
  assert.equal(errorOf(await create({ ...post, dryRun: true })), 'not_found');
  const asked = await create(post);
  assert.equal(asked.resultType, 'input_required');
  assert.match(JSON.stringify(asked.inputRequests), /A title.*… \(shortened\)/);
});
