import assert from 'node:assert/strict';
import { after, before, test } from 'node:test';
import { operations } from '../../src/operations/index.ts';
import type { Harness } from '../harness.ts';
import { callMcp, getTokens, register, startPublic } from './wire.ts';

let pharlo: Harness;
let clientId: string;
before(async () => {
  pharlo = await startPublic();
  clientId = await register(pharlo);
});
after(() => pharlo[Symbol.asyncDispose]());

/** The tool reference: which tool needs which scope. */
const reference: Record<string, string> = {
  create_assignment: 'assignments:write',
  list_assignments: 'assignments:read',
  get_assignment: 'assignments:read',
  update_assignment: 'assignments:write',
  retry_assignment: 'assignments:write',
  cancel_assignment: 'assignments:write',
  list_connections: 'connections:read',
  get_connection: 'connections:read',
  get_channel_stats: 'connections:read',
  update_connection: 'connections:write',
  get_oauth_connect_url: 'connections:write',
  check_oauth_status: 'connections:read',
  list_platforms: 'platforms:read',
  get_platform_capabilities: 'platforms:read',
  list_webhook_deliveries: 'webhooks:read',
  get_post_stats: 'stats:read',
  get_stats_overview: 'stats:read',
};

const seven = [
  'assignments:read',
  'assignments:write',
  'connections:read',
  'connections:write',
  'platforms:read',
  'webhooks:read',
  'stats:read',
];

const tools = operations.filter(({ mcp }) => mcp).map(({ name }) => name);

async function listed(bearer: string): Promise<string[]> {
  const { json } = await callMcp(pharlo, bearer);
  return (json.result as { tools: { name: string }[] }).tools.map(({ name }) => name);
}

test('the reference has 17 tools and a line for each tool of the server', () => {
  assert.equal(Object.keys(reference).length, 17);
  assert.deepEqual(
    tools.filter((name) => !(name in reference)),
    [],
  );
});

const rows: [asked: string, held: string[]][] = [
  ...seven.map((scope): [string, string[]] => [scope, [scope]]),
  ['mcp.read', seven.filter((scope) => scope.endsWith(':read'))],
  ['mcp.write', seven],
  ['mcp.read mcp.write', seven],
];

for (const [asked, held] of rows) {
  test(`a token for "${asked}" covers the tools of that scope; any other call is 403 insufficient_scope [scopes]`, async () => {
    const { access_token, scope } = await getTokens(pharlo, clientId, { scope: asked });
    assert.equal(scope, asked);
    const bearer = `Bearer ${access_token}`;
    const covered = tools.filter((name) => held.includes(reference[name] ?? ''));
    assert.deepEqual((await listed(bearer)).toSorted(), covered.toSorted());
    for (const name of tools) {
      const answer = await callMcp(pharlo, bearer, 'tools/call', { name, arguments: {} });
      assert.equal(answer.status, covered.includes(name) ? 200 : 403, name);
      if (covered.includes(name)) continue;
      const challenge = answer.headers.get('www-authenticate') ?? '';
      assert.match(challenge, /error="insufficient_scope"/);
      const wanted = seven.filter((one) => held.includes(one) || one === reference[name]).join(' ');
      assert.ok(challenge.includes(`scope="${wanted}"`), `${name}: ${challenge}`);
    }
  });
}

test('authorizing again with the missing scope added repairs insufficient_scope', async () => {
  const call = async (scope: string) => {
    const { access_token } = await getTokens(pharlo, clientId, { scope });
    const input = { name: 'list_connections', arguments: {} };
    return (await callMcp(pharlo, `Bearer ${access_token}`, 'tools/call', input)).status;
  };
  assert.equal(await call('assignments:read'), 403);
  assert.equal(await call('assignments:read connections:read'), 200);
});

test('the granted scope may be narrower than the requested one, and is then told', async () => {
  const scope = 'assignments:read connections:read';
  const unticked = await getTokens(pharlo, clientId, { scope }, { untick: 'connections:read' });
  assert.equal(unticked.scope, 'assignments:read');
  assert.deepEqual((await listed(`Bearer ${unticked.access_token}`)).toSorted(), [
    'get_assignment',
    'list_assignments',
  ]);
  const key = await pharlo.newKey({ scopes: ['platforms:read'] });
  assert.equal((await getTokens(pharlo, clientId, { scope: 'mcp.read' }, { key })).scope, 'platforms:read');
});
