import assert from 'node:assert/strict';
import { after, before, test } from 'node:test';
import { type Harness, startHarness } from '../harness.ts';
import { getToken, rpc, toolCall } from '../mcp-client.ts';
import { assertNoLeak, footprint } from '../refusals.ts';

let pharlo: Harness;
let token: string;
before(async () => {
  pharlo = await startHarness({ environment: { PHARLO_ALLOWED_ORIGINS: 'https://inspector.example' } });
  token = await getToken(pharlo);
});
after(() => pharlo[Symbol.asyncDispose]());

const list = { jsonrpc: '2.0', id: 1, method: 'tools/list', params: {} };
const bearer = (text: string) => ({ authorization: text });
const send = (method: string, headers: Record<string, string> = {}, query = '') =>
  fetch(`${pharlo.url}/_mcp${query}`, { method, headers, ...(method === 'POST' && { body: JSON.stringify(list) }) });

test('without a token the answer is a challenge, whatever the method', async () => {
  for (const method of ['POST', 'GET', 'DELETE', 'PUT']) {
    const response = await send(method);
    assert.equal(response.status, 401, method);
    const challenge = response.headers.get('www-authenticate') ?? '';
    assert.ok(challenge.includes(`resource_metadata="${pharlo.url}/.well-known/oauth-protected-resource/_mcp"`));
    assert.ok(challenge.includes('scope="assignments:read assignments:write'));
    assert.ok(!challenge.includes('error='), 'no error is named when no token was sent');
  }
  assert.equal((await send('POST', {}, `?access_token=${token}`)).status, 401, 'a token in the query is none');
});

test('keys, other schemes and other spacing are refused as tokens', async () => {
  const bad = [
    `Bearer ${pharlo.key}`,
    `Bearer  ${token}`,
    `Bearer\t${token}`,
    `Bearer ${token.slice(0, 20)} ${token.slice(20)}`,
    `Bearer ${token},`,
    `Basic ${token}`,
    token,
    'Bearer mcp_at_unknown',
    'Bearer',
  ];
  for (const authorization of bad) {
    const { status, headers, text } = await rpc(pharlo, undefined, list, bearer(authorization));
    assert.equal(status, 401, authorization);
    assertNoLeak(text);
    const sentToken = /^Bearer\s+\S/.test(authorization);
    assert.equal(headers.get('www-authenticate')?.includes('error="invalid_token"'), sentToken, authorization);
  }
  assert.equal((await rpc(pharlo, undefined, list, bearer(`bearer ${token}`))).status, 200, 'schemes know no case');
});

test('with a token only POST is taken', async () => {
  for (const method of ['GET', 'DELETE', 'PUT']) {
    const response = await send(method, bearer(`Bearer ${token}`));
    assert.equal(response.status, 405, method);
    assert.equal(response.headers.get('allow'), 'POST');
  }
});

test('a page of another origin is refused before anything is looked at', async () => {
  for (const origin of ['https://evil.example', 'null', 'http://claude.ai', 'https://claude.ai.evil.example']) {
    const call = await rpc(pharlo, token, list, { origin });
    assert.equal(call.status, 403, origin);
    assert.equal(call.headers.get('access-control-allow-origin'), null);
    const preflight = await send('OPTIONS', { origin, 'access-control-request-method': 'POST' });
    assert.equal(preflight.status, 403, origin);
  }
  for (const origin of ['https://claude.ai', 'https://claude.com', 'https://inspector.example']) {
    const call = await rpc(pharlo, token, list, { origin });
    assert.equal(call.status, 200, origin);
    assert.equal(call.headers.get('access-control-allow-origin'), origin);
    const asked = 'authorization, content-type, mcp-protocol-version, mcp-method, mcp-name';
    const preflight = await send('OPTIONS', {
      origin,
      'access-control-request-method': 'POST',
      'access-control-request-headers': asked,
    });
    assert.equal(preflight.status, 204);
    assert.equal(preflight.headers.get('access-control-allow-origin'), origin);
    const allowed = preflight.headers.get('access-control-allow-headers')?.toLowerCase() ?? '';
    for (const name of asked.split(', ')) assert.ok(allowed.includes(name), name);
    const refused = await rpc(pharlo, undefined, list, { origin });
    assert.equal(refused.status, 401);
    assert.match(refused.headers.get('access-control-expose-headers') ?? '', /www-authenticate/i);
  }
  assert.equal((await rpc(pharlo, token, list, { origin: pharlo.url })).status, 200, 'our own pages are no strangers');
});

test('bodies that are no message are refused, free and without a trace', async () => {
  const before = await footprint(pharlo);
  const message = (more: object) => ({ jsonrpc: '2.0', id: 1, ...more });
  const bad: [string, unknown, number][] = [
    ['no JSON', '{"jsonrpc":', 400],
    ['nothing', '', 400],
    ['null', null, 400],
    ['text', '"tools/list"', 400],
    ['a number', 5, 400],
    ['no method', message({}), 400],
    ['a method that is a number', message({ method: 5 }), 400],
    ['another version', { ...list, jsonrpc: '1.0' }, 400],
    ['over 1 MiB', message({ method: 'tools/call', params: { name: 'x'.repeat(1024 * 1024) } }), 413],
  ];
  for (const [name, body, status] of bad) {
    const answer = await rpc(pharlo, token, body);
    assert.equal(answer.status, status, `${name}: ${answer.text}`);
    assert.ok(answer.body.error, name);
    assertNoLeak(answer.text);
  }
  const plain = await rpc(pharlo, token, list, { 'content-type': 'text/plain' });
  assert.equal(plain.status, 415);
  for (const name of [undefined, null, 5, ['create_assignment'], {}, { toString: 1, valueOf: 1 }]) {
    for (const method of ['tools/call', 'resources/read', 'prompts/get']) {
      const answer = await rpc(pharlo, token, message({ method, params: { name, uri: name, arguments: {} } }));
      assert.ok(answer.body.error, `${method} ${JSON.stringify(name)}: ${answer.text}`);
      assert.ok(answer.status < 500, `${method} ${JSON.stringify(name)}: ${answer.text}`);
      assertNoLeak(answer.text);
    }
  }
  for (const name of ['no_such_tool', 'constructor', '__proto__', 'refresh_connection_token']) {
    const answer = await rpc(pharlo, token, toolCall(name, {}));
    assert.equal((answer.body.error as { code: number }).code, -32602, name);
  }
  const unknown = await rpc(pharlo, token, message({ method: 'tools/destroy' }));
  assert.equal((unknown.body.error as { code: number }).code, -32601);
  const deep = JSON.stringify(toolCall('list_platforms', {})).replace(
    '{}',
    `{"a":${'['.repeat(50_000)}${']'.repeat(50_000)}}`,
  );
  const answer = await rpc(pharlo, token, deep);
  assert.ok(answer.status < 500, answer.text);
  assert.deepEqual(await footprint(pharlo), before);
  assert.deepEqual(
    pharlo.logs.filter((line) => line.includes('"level":"error"')),
    [],
  );
});
