import assert from 'node:assert/strict';
import { after, before, test } from 'node:test';
import { scopes } from '../../src/domain/access.ts';
import { operations } from '../../src/operations/index.ts';
import { type Harness, startHarness } from '../harness.ts';
import { getToken, rpc, toolCall } from '../mcp-client.ts';
import { footprint } from '../refusals.ts';

let pharlo: Harness;
before(async () => {
  pharlo = await startHarness();
});
after(() => pharlo[Symbol.asyncDispose]());

const tools = operations.filter(({ mcp }) => mcp);

async function listed(token: string): Promise<string[]> {
  const { body } = await rpc(pharlo, token, { jsonrpc: '2.0', id: 1, method: 'tools/list', params: {} });
  return (body.result as { tools: { name: string }[] }).tools.map(({ name }) => name);
}

for (const scope of ['platforms:read', 'connections:read', 'assignments:read', 'mcp.read', 'mcp.write']) {
  test(`a token for ${scope} sees and may call the tools of that scope alone`, async () => {
    const token = await getToken(pharlo, { scope });
    const held: readonly string[] =
      scope === 'mcp.write'
        ? [...scopes]
        : scopes.filter((one) => one === scope || (scope === 'mcp.read' && one.endsWith(':read')));
    const seen = await listed(token);
    assert.deepEqual(
      seen,
      tools.filter(({ access }) => held.includes(access)).map(({ name }) => name),
    );
    assert.ok(seen.length > 0);
    assert.deepEqual(await listed(token), seen, 'the order is stable');
    const before = await footprint(pharlo);
    for (const { name, access } of tools) {
      if (held.includes(access)) continue;
      const { status, headers, body } = await rpc(pharlo, token, toolCall(name, {}));
      assert.equal(status, 403, name);
      assert.ok(body.error);
      const challenge = headers.get('www-authenticate') ?? '';
      assert.ok(challenge.startsWith('Bearer error="insufficient_scope"'), challenge);
      const wanted = scopes.filter((one) => held.includes(one) || one === access).join(' ');
      assert.ok(challenge.includes(`scope="${wanted}"`), `${name}: ${challenge}`);
      assert.ok(challenge.includes(`resource_metadata="${pharlo.url}/.well-known/oauth-protected-resource/_mcp"`));
    }
    assert.deepEqual(await footprint(pharlo), before);
  });
}

test('a token holds no more than the key that gave it', async () => {
  const key = await pharlo.newKey({ scopes: ['connections:read'] });
  const token = await getToken(pharlo, { key });
  assert.deepEqual(
    await listed(token),
    tools.filter(({ access }) => access === 'connections:read').map(({ name }) => name),
  );
});

test('a header cannot name another tool than the body', async () => {
  const token = await getToken(pharlo, { scope: 'connections:read' });
  const { status } = await rpc(pharlo, token, toolCall('create_assignment', {}), {
    'mcp-method': 'tools/call',
    'mcp-name': 'list_connections',
  });
  assert.equal(status, 403);
});

test('a token made without a resource opens both doors, one bound to /_mcp opens no other', async () => {
  const authorization = async (resource: string | null) => ({
    authorization: `Bearer ${await getToken(pharlo, { resource })}`,
  });
  const call = (headers: Record<string, string>) => pharlo.rest('GET', '/connections', undefined, headers);
  const plain = await authorization(null);
  const answer = await call(plain);
  assert.equal(answer.status, 200);
  assert.equal(answer.headers.get('x-credits-used'), '1');
  assert.equal((await rpc(pharlo, undefined, toolCall('list_connections', {}), plain)).status, 200);
  assert.equal((await call(await authorization(`${pharlo.url}/_mcp`))).status, 401);
});
