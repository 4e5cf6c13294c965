import assert from 'node:assert/strict';
import { test } from 'node:test';
import { addCredits, setPlan } from '../../src/store/billing.ts';
import { connectChannel } from '../channel.ts';
import { type Harness, startHarness } from '../harness.ts';
import { callTool, getToken, rpc, toolCall } from '../mcp-client.ts';
import { assertRefused, errorOf } from '../refusals.ts';

const plans = [
  { slug: 'small', name: 'Small', monthlyCredits: 20 },
  { slug: 'large', name: 'Large', monthlyCredits: 100 },
  { slug: 'free', name: 'Free of limits' },
];

const onSmallPlan = () =>
  startHarness({ environment: { PHARLO_PLANS: JSON.stringify(plans), PHARLO_DEFAULT_PLAN: 'small' } });

const status = async (pharlo: Harness) => (await pharlo.rest('GET', '/billing/status')).body;
const read = (pharlo: Harness, key = pharlo.key) =>
  pharlo.rest('GET', '/connections', undefined, { authorization: `Bearer ${key}` });
const entries = async (pharlo: Harness, query = '') =>
  (await pharlo.rest('GET', `/billing/ledger${query}`)).body.items as Record<string, unknown>[];

test('the billing status tells plan, balance, use and cycle, for nothing', async () => {
  await using pharlo = await onSmallPlan();
  await read(pharlo);
  const { status: code, headers, body } = await pharlo.rest('GET', '/billing/status');
  assert.equal(code, 200);
  assert.equal(headers.get('x-credits-used'), '0');
  assert.equal(headers.get('x-credits-balance'), '19');
  const { cycleStartedAt, cycleResetsAt, ...rest } = body;
  assert.deepEqual(rest, {
    balance: 19,
    plan: 'small',
    planName: 'Small',
    monthlyCredits: 20,
    creditsUsedThisCycle: 1,
  });
  assert.ok(Date.parse(String(cycleStartedAt)) <= pharlo.app.deps.now());
  assert.ok(Date.parse(String(cycleResetsAt)) > pharlo.app.deps.now());
});

test('an unlimited plan has neither balance nor monthly credits; its use is still counted', async () => {
  await using pharlo = await startHarness();
  await read(pharlo);
  const body = await status(pharlo);
  assert.deepEqual([body.plan, body.creditsUsedThisCycle], ['unlimited', 1]);
  assert.equal('balance' in body || 'monthlyCredits' in body, false);
});

test('credits that were bought are spent last, are no use, and stay beyond the cycle', async () => {
  await using pharlo = await onSmallPlan();
  await addCredits(pharlo.app.deps.db, pharlo.workspaceId, 500);
  for (let calls = 0; calls < 22; calls++) assert.equal((await read(pharlo)).status, 200);
  assert.deepEqual([(await status(pharlo)).balance, (await status(pharlo)).creditsUsedThisCycle], [3, 22]);
  const bought = (await entries(pharlo, '?limit=100')).find(({ operation }) => operation === 'top_up');
  assert.deepEqual([bought?.credits, bought?.via], [5, 'operator']);
  await pharlo.advance(32 * 24 * 3600 * 1000);
  assert.equal((await status(pharlo)).balance, 23);
});

test('another plan counts at once, what the cycle has used taken off', async () => {
  await using pharlo = await onSmallPlan();
  const { db } = pharlo.app.deps;
  for (let calls = 0; calls < 5; calls++) await read(pharlo);
  await db.transaction((tx) => setPlan(tx, pharlo.workspaceId, 'large'));
  assert.equal((await status(pharlo)).balance, 95);
  await db.transaction((tx) => setPlan(tx, pharlo.workspaceId, 'free'));
  assert.equal('balance' in (await status(pharlo)), false);
  await db.transaction((tx) => setPlan(tx, pharlo.workspaceId, 'small'));
  assert.equal((await status(pharlo)).balance, 20);
  assert.equal(await db.transaction((tx) => setPlan(tx, pharlo.workspaceId, 'gold')), false);
});

test('a key spends up to its own limit, its grants included, and not beyond, at 64 at once', async () => {
  await using pharlo = await startHarness();
  const key = await pharlo.newKey({ spendingLimit: 500 });
  const answers = await Promise.all(Array.from({ length: 64 }, () => read(pharlo, key)));
  assert.equal(answers.filter((answer) => answer.status === 200).length, 5);
  const refused = answers.filter((answer) => answer.status === 402);
  assert.equal(refused.length, 59);
  for (const answer of refused) {
    assert.equal(errorOf(answer).code, 'user_spending_limit_exceeded');
    assert.equal(answer.headers.get('x-credits-required'), '1');
  }
  const token = await getToken(pharlo, { key });
  const result = await callTool(pharlo, token, 'list_connections', {});
  assert.equal(result._meta['pharlo.io/error']?.code, 'user_spending_limit_exceeded');
  assert.equal((await read(pharlo)).status, 200, 'other keys go on');
  await pharlo.advance(32 * 24 * 3600 * 1000);
  assert.equal((await read(pharlo, key)).status, 200, 'a new cycle, a new budget');
});

test('what comes back to the workspace comes back to the limit of its key', async () => {
  await using pharlo = await startHarness();
  const connectionId = await connectChannel(pharlo);
  const key = await pharlo.newKey({ spendingLimit: 600 });
  const authorization = `Bearer ${key}`;
  const video = {
    connectionId,
    type: 'video',
    payload: { title: 'A title' },
    mediaUrl: `${pharlo.sandboxUrl}/sample.mp4`,
    scheduledAt: new Date(pharlo.app.deps.now() + 3_600_000).toISOString(),
  };
  const made = await pharlo.rest('POST', '/assignments', video, { authorization });
  const cancelled = await pharlo.rest('DELETE', `/assignments/${made.body.id}`, undefined, { authorization });
  assert.deepEqual([made.status, cancelled.status], [201, 204]);
  for (let calls = 0; calls < 4; calls++) assert.equal((await read(pharlo, key)).status, 200);
  assert.equal((await read(pharlo, key)).status, 402, '600 − 300 + 300 − 200 − 4 × 100 = 0');
});

test('the ledger lists each debit and each refund, page by page', async () => {
  await using pharlo = await onSmallPlan();
  const connectionId = await connectChannel(pharlo);
  const bad = { connectionId, type: 'video', payload: {} };
  await pharlo.rest('POST', '/assignments', bad);
  assert.deepEqual(await entries(pharlo), [], 'a failed call costs nothing');
  const video = { ...bad, payload: { title: 'x' }, mediaUrl: `${pharlo.sandboxUrl}/sample.mp4` };
  const { body } = await pharlo.rest('POST', '/assignments', {
    ...video,
    scheduledAt: new Date(pharlo.app.deps.now() + 3_600_000).toISOString(),
  });
  await pharlo.rest('DELETE', `/assignments/${body.id}`);
  const all = await entries(pharlo);
  assert.deepEqual(
    all.map(({ operation, credits, state }) => [operation, credits, state]).sort(),
    [
      ['cancel_assignment', -2, 'settled'],
      ['create_assignment', -3, 'refunded'],
      ['create_assignment', 3, 'settled'],
    ].sort(),
  );
  const debit = all.find(({ credits }) => credits === -3);
  assert.equal(all.find(({ credits }) => credits === 3)?.refunds, debit?.id);
  const seen: unknown[] = [];
  for (let query = '?limit=1'; ; ) {
    const page = (await pharlo.rest('GET', `/billing/ledger${query}`)).body;
    seen.push(...(page.items as unknown[]));
    if (page.nextCursor === undefined) break;
    query = `?limit=1&cursor=${page.nextCursor}`;
  }
  assert.deepEqual(seen, all);
  const usage = (await pharlo.rest('GET', '/billing/usage')).body;
  assert.deepEqual([usage.credits, usage.calls], [2, 1]);
  assert.deepEqual(usage.items, [
    { key: 'cancel_assignment', calls: 1, credits: 2 },
    { key: 'create_assignment', calls: 0, credits: 0 },
  ]);
  for (const groupBy of ['day', 'door', 'key']) {
    const { items } = (await pharlo.rest('GET', `/billing/usage?groupBy=${groupBy}`)).body;
    assert.equal(
      (items as { credits: number }[]).reduce((sum, { credits }) => sum + credits, 0),
      2,
      groupBy,
    );
  }
});

test('bad periods and foreign cursors are refused by field', async (t) => {
  await using pharlo = await startHarness();
  const bad: [string, string][] = [
    ['/billing/usage?from=2026-01-02T00:00:00Z&to=2026-01-01T00:00:00Z', 'from'],
    ['/billing/usage?from=2020-01-02T00:00:00Z&to=2026-01-01T00:00:00Z', 'from'],
    ['/billing/usage?groupBy=colour', 'groupBy'],
    ['/billing/ledger?from=yesterday', 'from'],
    [
      `/billing/ledger?cursor=${Buffer.from('1700000000000.01900000-0000-7000-8000-000000000000').toString('base64url')}`,
      'cursor',
    ],
    [`/audit?cursor=${Buffer.from('1700000000000.x').toString('base64url')}`, 'cursor'],
    [`/grants?cursor=${Buffer.from('1700000000000.12').toString('base64url')}`, 'cursor'],
    ['/audit?limit=101', 'limit'],
  ];
  for (const [path, field] of bad) {
    await t.test(path.slice(0, 60), () =>
      assertRefused(pharlo, { status: 400, code: 'validation_failed', field }, () => pharlo.rest('GET', path)),
    );
  }
});

test('the audit tells what was done, by whom and to what, and no reading', async () => {
  await using pharlo = await startHarness();
  const connectionId = await connectChannel(pharlo);
  await pharlo.rest('PATCH', `/connections/${connectionId}`, { name: 'New' });
  await read(pharlo);
  const { body } = await pharlo.rest('GET', '/audit?action=update_connection');
  const [entry] = body.items as Record<string, unknown>[];
  assert.equal(body.total, 1);
  assert.deepEqual([entry?.action, entry?.outcome, entry?.target], ['update_connection', 'ok', connectionId]);
  assert.ok(typeof entry?.keyId === 'string');
  const all = (await pharlo.rest('GET', '/audit')).body.items as { action: string }[];
  assert.equal(
    all.some(({ action }) => action === 'list_connections'),
    false,
  );
});

test('a consent is listed, and ended with the next request', async () => {
  await using pharlo = await startHarness();
  const token = await getToken(pharlo);
  const call = () => rpc(pharlo, token, toolCall('list_platforms', {}));
  assert.equal((await call()).status, 200);
  const { body } = await pharlo.rest('GET', '/grants');
  const [grant] = body.items as { id: string; isActive: boolean; scopes: string[] }[];
  assert.ok(grant);
  assert.equal(grant.isActive, true);
  assert.equal(grant.scopes.length, 7);
  assert.equal((await pharlo.rest('DELETE', `/grants/${grant.id}`)).status, 204);
  assert.equal((await call()).status, 401);
  assert.equal((await pharlo.rest('DELETE', `/grants/${grant.id}`)).status, 404, 'ended is ended');
  const after = (await pharlo.rest('GET', '/grants')).body.items as { isActive: boolean; revokedAt?: string }[];
  assert.deepEqual([after[0]?.isActive, typeof after[0]?.revokedAt], [false, 'string']);
});

test('tokens reach none of it, and the key of one organization sees its own only', async () => {
  await using pharlo = await startHarness();
  const token = await getToken(pharlo, { resource: null });
  for (const path of ['/billing/status', '/billing/ledger', '/billing/usage', '/audit', '/grants']) {
    const answer = await pharlo.rest('GET', path, undefined, { authorization: `Bearer ${token}` });
    assert.deepEqual([answer.status, errorOf(answer).code], [403, 'key_required'], path);
  }
  const narrow = { authorization: `Bearer ${await pharlo.newKey({ scopes: ['platforms:read'] })}` };
  assert.equal((await pharlo.rest('GET', '/billing/status', undefined, narrow)).status, 200);
  for (const path of ['/billing/ledger', '/billing/usage', '/audit', '/grants']) {
    const answer = await pharlo.rest('GET', path, undefined, narrow);
    assert.deepEqual([answer.status, errorOf(answer).code], [403, 'insufficient_scope'], path);
  }
  const { db } = pharlo.app.deps;
  const [organization] = await db.query<{ id: string }>({ text: 'select id from organizations', values: [] });
  const key = await pharlo.newKey({ organizationId: String(organization?.id) });
  await read(pharlo);
  await read(pharlo, key);
  const own = await pharlo.rest('GET', '/billing/ledger', undefined, { authorization: `Bearer ${key}` });
  assert.equal(own.body.total, 1);
  assert.equal((await entries(pharlo)).length, 2);
  const grants = await pharlo.rest('GET', '/grants', undefined, { authorization: `Bearer ${key}` });
  assert.equal(grants.body.total, 0);
});
