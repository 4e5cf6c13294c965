import assert from 'node:assert/strict';
import { test } from 'node:test';
import { runCommand } from '../command.ts';
import { startHarness } from '../harness.ts';
import { getToken } from '../mcp-client.ts';

const pharlo = await startHarness();

test.after(() => pharlo[Symbol.asyncDispose]());

const run = (...args: string[]) => runCommand(args, pharlo.environment);
const told = async (...args: string[]) => {
  const { code, stdout, stderr } = await run(...args, '--json');
  assert.equal(code, 0, stderr);
  return JSON.parse(stdout);
};

test('a workspace is made, suspended and resumed; its keys follow at once', async () => {
  const made = await told('workspaces', 'create', 'acme', '--name', 'Acme');
  assert.equal(made.slug, 'acme');
  const { key } = await told('keys', 'create', '--workspace', 'acme');
  const status = async () =>
    (await pharlo.rest('GET', '/billing/status', undefined, { authorization: `Bearer ${key}` })).status;
  assert.equal(await status(), 200);
  await told('workspaces', 'suspend', 'acme');
  assert.equal(await status(), 401);
  await told('workspaces', 'resume', 'acme');
  assert.equal(await status(), 200);
  const { items } = await told('workspaces', 'list');
  assert.deepEqual(
    items.map(({ slug, status }: { slug: string; status: string }) => [slug, status]),
    [
      ['default', 'active'],
      ['acme', 'active'],
    ],
  );
});

test('credits are added and the plan is changed', async () => {
  assert.deepEqual(await told('credits', 'add', '12.5'), { workspace: 'default', added: 12.5, topUps: 12.5 });
  assert.deepEqual(await told('plans', 'set', 'starter'), { workspace: 'default', plan: 'starter' });
  const { body } = await pharlo.rest('GET', '/billing/status');
  assert.deepEqual([body.plan, body.balance], ['starter', 512.5]);
});

test('a key is made with a limit of its own', async () => {
  const { key } = await told('keys', 'create', '--spending-limit', '0');
  const answer = await pharlo.rest('GET', '/connections', undefined, { authorization: `Bearer ${key}` });
  assert.equal(answer.status, 402);
  const { body } = await pharlo.rest('GET', '/audit?action=operator.create_key');
  assert.ok(Number(body.total) > 0);
});

test('each command tells its own words', async () => {
  const { code, stdout } = await run('credits', '--help');
  assert.deepEqual([code, stdout], [0, 'Usage:\n  pharlo credits add <credits> [--workspace <slug>] [--json]\n']);
});

test('consents are listed and ended', async () => {
  await getToken(pharlo);
  const { items } = await told('grants', 'list');
  assert.equal(items.length, 1);
  assert.deepEqual(await told('grants', 'revoke', items[0].id), { id: items[0].id, state: 'revoked' });
  const { code, stderr } = await run('grants', 'revoke', items[0].id);
  assert.deepEqual([code, stderr.trim()], [1, 'There is no live grant of that id.']);
});

test('wrong words are answered with one line that says what is allowed', async (t) => {
  const wrong: [string[], RegExp][] = [
    [['workspaces', 'create', 'Not A Slug'], /slug must be/],
    [['workspaces', 'create', 'default'], /already is a workspace/],
    [['workspaces', 'create', 'x', '--plan', 'gold'], /--plan must be one of/],
    [['workspaces', 'suspend', 'nobody'], /no workspace "nobody"/],
    [['credits', 'add', '1.234'], /at most two decimals/],
    [['credits', 'add', '-5'], /decimals|Unknown option/],
    [['plans', 'set', 'gold'], /plan must be one of/],
    [['keys', 'create', '--spending-limit', 'much'], /--spending-limit must be/],
  ];
  for (const [args, text] of wrong) {
    await t.test(args.join(' '), async () => {
      const { code, stdout, stderr } = await run(...args);
      assert.equal(code, 1);
      assert.equal(stdout, '');
      assert.match(stderr, text);
      assert.doesNotMatch(stderr, / at \S+ \(/);
    });
  }
});
