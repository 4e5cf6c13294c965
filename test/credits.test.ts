import assert from 'node:assert/strict';
import { test } from 'node:test';
import { price } from '../src/domain/credits.ts';
import { operations } from '../src/operations/index.ts';
import { debit, expireReservations, readBalance, refundAssignment, settle } from '../src/store/ledger.ts';
import { connectChannel } from './channel.ts';
import { type Harness, type RestAnswer, startHarness } from './harness.ts';
import { callTool, getToken, rpc } from './mcp-client.ts';
import { startMediaServer } from './media-server.ts';
import { assertRefused, errorOf, ledgerCount, refusal } from './refusals.ts';

const monthly = 20;
const minute = 60_000;
const day = 24 * 60 * minute;

const onSmallPlan = (environment: Record<string, string> = {}) =>
  startHarness({
    environment: {
      ...environment,
      PHARLO_PLANS: JSON.stringify([{ slug: 'small', name: 'Small', monthlyCredits: monthly }]),
      PHARLO_DEFAULT_PLAN: 'small',
    },
  });

/** Sets what is left, in credits. */
async function leave(pharlo: Harness, allocation: number, topup = 0): Promise<void> {
  await pharlo.app.deps.db.query({
    text: 'update workspaces set allocation_left = $1, topup_left = $2',
    values: [allocation * 100, topup * 100],
  });
}

/** What is left, in credits. */
async function left(pharlo: Harness): Promise<{ allocation: number; topup: number; balance: number }> {
  const { db } = pharlo.app.deps;
  const [row] = await db.query<{ allocation: number; topup: number }>({
    text: 'select allocation_left / 100.0::float8 as allocation, topup_left / 100.0::float8 as topup from workspaces',
    values: [],
  });
  const account = await readBalance(db, pharlo.workspaceId);
  return { allocation: row?.allocation ?? -1, topup: row?.topup ?? -1, balance: (account?.balance ?? -100) / 100 };
}

const post = (pharlo: Harness, connectionId: string, more: object = {}): Promise<RestAnswer> =>
  pharlo.rest('POST', '/assignments', {
    connectionId,
    type: 'video',
    payload: { title: 'A title' },
    mediaUrl: `${pharlo.sandboxUrl}/sample.mp4`,
    ...more,
  });

const creditsOf = ({ headers }: RestAnswer) => ({
  used: headers.get('x-credits-used'),
  balance: headers.get('x-credits-balance'),
});

const statuses = (answers: { status: number }[]) =>
  Object.fromEntries(Object.entries(Object.groupBy(answers, ({ status }) => status)).map(([k, v]) => [k, v?.length]));

test('every operation costs exactly 1.2 times its REST price through MCP', () => {
  assert.deepEqual(
    (['FREE', 'READ', 'WRITE', 'PLATFORM'] as const).map((tier) => price(tier, 'rest')),
    [0, 100, 200, 300],
  );
  for (const { credits, name } of operations) {
    assert.equal(price(credits, 'mcp') * 10, price(credits, 'rest') * 12, name);
    assert.ok(Number.isInteger(price(credits, 'mcp')), name);
  }
});

test('REST headers and MCP metadata tell what the ledger holds', async () => {
  await using pharlo = await onSmallPlan();
  const connectionId = await connectChannel(pharlo);
  const token = await getToken(pharlo);
  const scheduledAt = new Date(pharlo.app.deps.now() + day).toISOString();
  const made: string[] = [];
  const calls: [
    tool: string,
    method: string,
    path: () => string,
    input: () => Record<string, unknown>,
    price: number,
  ][] = [
    ['list_assignments', 'GET', () => '/assignments', () => ({}), 1],
    ['get_assignment', 'GET', () => `/assignments/${made[0]}`, () => ({ assignmentId: made[1] }), 1],
    ['cancel_assignment', 'DELETE', () => `/assignments/${made[0]}`, () => ({ assignmentId: made[1] }), 2],
    ['list_connections', 'GET', () => '/connections', () => ({}), 1],
    ['get_connection', 'GET', () => `/connections/${connectionId}`, () => ({ connectionId }), 1],
    ['list_platforms', 'GET', () => '/platforms', () => ({}), 0],
    ['get_platform_capabilities', 'GET', () => '/platforms/youtube/capabilities', () => ({ platform: 'youtube' }), 0],
  ];
  for (const title of ['one', 'two']) {
    const answer = await post(pharlo, connectionId, { payload: { title }, scheduledAt });
    assert.equal(creditsOf(answer).used, '3');
    made.push(String(answer.body.id));
  }
  for (const [tool, method, path, input, cost] of calls) {
    await leave(pharlo, monthly);
    const rows = await ledgerCount(pharlo);
    const refund = tool === 'cancel_assignment' ? 3 : 0;
    const rest = await pharlo.rest(method, path());
    assert.ok(rest.status < 300, tool);
    const afterRest = monthly - cost + refund;
    assert.deepEqual(creditsOf(rest), { used: String(cost), balance: String(afterRest) }, tool);
    const mcp = await callTool(pharlo, token, tool, input());
    const used = (cost * 12) / 10;
    const balance = Math.round((afterRest - used + refund) * 100) / 100;
    assert.deepEqual(mcp._meta['pharlo.io/credits'], { used, balance }, tool);
    assert.equal((await left(pharlo)).balance, balance, tool);
    assert.equal((await ledgerCount(pharlo)) - rows, cost ? 2 + 2 * Math.sign(refund) : 0, tool);
  }
});

test('a repeat tells that it was free and what is left', async () => {
  await using pharlo = await onSmallPlan();
  const connectionId = await connectChannel(pharlo);
  const token = await getToken(pharlo);
  const idempotencyKey = 'once';
  assert.deepEqual(creditsOf(await post(pharlo, connectionId, { idempotencyKey })), { used: '3', balance: '17' });
  await leave(pharlo, 1, 0.5);
  const again = await post(pharlo, connectionId, { idempotencyKey });
  assert.equal(again.headers.get('idempotent-replayed'), 'true');
  assert.deepEqual(creditsOf(again), { used: '0', balance: '1.5' });
  const input = {
    connectionId,
    type: 'video',
    payload: { title: 'A title' },
    mediaUrl: `${pharlo.sandboxUrl}/sample.mp4`,
    idempotencyKey,
  };
  const { _meta } = await callTool(pharlo, token, 'create_assignment', input);
  assert.deepEqual(_meta, { 'pharlo.io/credits': { used: 0, balance: 1.5 }, 'pharlo.io/replayed': true });
  const free = await pharlo.rest('GET', '/platforms');
  assert.deepEqual(creditsOf(free), { used: '0', balance: '1.5' });
  await pharlo.advance(40 * day);
  assert.deepEqual(creditsOf(await pharlo.rest('GET', '/platforms')), { used: '0', balance: String(monthly + 0.5) });
});

test('reading a resource tells what it cost', async () => {
  await using pharlo = await onSmallPlan();
  const connectionId = await connectChannel(pharlo);
  const token = await getToken(pharlo);
  const { body } = await post(pharlo, connectionId);
  const read = async (uri: string) => {
    const answer = await rpc(pharlo, token, { jsonrpc: '2.0', id: 1, method: 'resources/read', params: { uri } });
    return (answer.body.result as { _meta: Record<string, unknown> })._meta['pharlo.io/credits'];
  };
  assert.deepEqual(await read(`pharlo://assignments/${body.id}`), { used: 1.2, balance: monthly - 3 - 1.2 });
  assert.deepEqual(await read('pharlo://platforms'), { used: 0, balance: monthly - 3 - 1.2 });
  assert.deepEqual(await read('pharlo://agent-rules'), { used: 0 });
});

test('64 parallel calls never spend more than is left', async (t) => {
  await using pharlo = await onSmallPlan();
  const connectionId = await connectChannel(pharlo);
  const many = (call: (index: number) => Promise<RestAnswer>) =>
    Promise.all(Array.from({ length: 64 }, (_, index) => call(index)));

  await t.test('reads', async () => {
    await leave(pharlo, 7, 3);
    const answers = await many(() => pharlo.rest('GET', '/assignments'));
    assert.deepEqual(statuses(answers), { 200: 10, 402: 54 });
    assert.deepEqual(await left(pharlo), { allocation: 0, topup: 0, balance: 0 });
  });

  await t.test('creates, whose transactions hold other locks too', async () => {
    await leave(pharlo, monthly);
    const rows = await ledgerCount(pharlo);
    const answers = await many((index) => post(pharlo, connectionId, { idempotencyKey: `k${index}` }));
    assert.deepEqual(statuses(answers), { 201: 6, 402: 58 });
    assert.equal((await left(pharlo)).balance, 2);
    assert.equal((await ledgerCount(pharlo)) - rows, 6);
    const listed = await pharlo.rest('GET', '/assignments');
    assert.equal(listed.body.total, 6);
  });
});

test('too little is a 402 that tells price and balance, and nothing else happens', async () => {
  await using pharlo = await onSmallPlan();
  const connectionId = await connectChannel(pharlo);
  const token = await getToken(pharlo);
  await leave(pharlo, 1, 1.5);
  const idempotencyKey = 'short of credits';
  const expected = { status: 402, code: 'insufficient_credits' };
  const answer = await refusal(pharlo, expected, () => post(pharlo, connectionId, { idempotencyKey }));
  assert.deepEqual(
    { ...answer.body },
    {
      error: { ...errorOf(answer), required: 3, balance: 2.5 },
    },
  );
  assert.equal(answer.headers.get('x-credits-required'), '3');
  assert.equal(answer.headers.get('x-credits-balance'), '2.5');

  await leave(pharlo, 1);
  await assertRefused(pharlo, expected, () => pharlo.rest('POST', `/connections/${connectionId}/refresh-token`));
  const { isError, _meta } = await callTool(pharlo, token, 'list_connections', {});
  assert.equal(isError, true);
  assert.equal(_meta['pharlo.io/error']?.code, 'insufficient_credits');
  assert.equal(_meta['pharlo.io/error']?.required, 1.2);
  assert.deepEqual(_meta['pharlo.io/credits'], { used: 0 });
  assert.equal((await pharlo.rest('GET', '/connections')).status, 200);

  await leave(pharlo, monthly);
  const later = await post(pharlo, connectionId, { idempotencyKey });
  assert.equal(later.status, 201);
  assert.equal(later.headers.get('idempotent-replayed'), null);
});

test('the monthly allocation is spent before top-ups, and a cancel returns each part to its source, once', async () => {
  await using pharlo = await onSmallPlan();
  const connectionId = await connectChannel(pharlo);
  await leave(pharlo, 2, 5);
  const scheduledAt = new Date(pharlo.app.deps.now() + day).toISOString();
  const { body } = await post(pharlo, connectionId, { scheduledAt });
  assert.deepEqual(await left(pharlo), { allocation: 0, topup: 4, balance: 4 });
  const cancels = await Promise.all(Array.from({ length: 32 }, () => pharlo.rest('DELETE', `/assignments/${body.id}`)));
  assert.deepEqual(statuses(cancels), { 204: 1, 409: 31 });
  assert.deepEqual(await left(pharlo), { allocation: 0, topup: 5, balance: 5 });
  const again = pharlo.app.deps.db.transaction((tx) => refundAssignment(tx, pharlo.workspaceId, String(body.id)));
  await assert.doesNotReject(again, 'a refund that was made is not owed');
  assert.deepEqual(await left(pharlo), { allocation: 0, topup: 5, balance: 5 });
  const rows = await pharlo.app.deps.db.query<{ amount: number; state: string }>({
    text: 'select amount, state from ledger order by id',
    values: [],
  });
  assert.deepEqual(
    rows.map(({ amount, state }) => [amount, state]),
    [
      [-300, 'refunded'],
      [300, 'settled'],
      [-200, 'settled'],
    ],
  );
});

test('a new cycle starts with the full allocation; top-ups stay, and old charges return to the new cycle', async () => {
  await using pharlo = await onSmallPlan();
  const connectionId = await connectChannel(pharlo);
  const scheduledAt = new Date(pharlo.app.deps.now() + 200 * day).toISOString();
  const create = async (title: string) =>
    String((await post(pharlo, connectionId, { payload: { title }, scheduledAt })).body.id);
  const [first, second] = [await create('one'), await create('two')];
  await leave(pharlo, 1, 4);

  await pharlo.advance(32 * day);
  assert.equal((await left(pharlo)).balance, monthly + 4);
  const listed = await pharlo.rest('GET', '/assignments');
  assert.equal(creditsOf(listed).balance, String(monthly + 4 - 1));
  await pharlo.rest('DELETE', `/assignments/${first}`);
  assert.deepEqual(await left(pharlo), { allocation: monthly - 1 + 3 - 2, topup: 4, balance: monthly + 4 });

  await pharlo.advance(64 * day);
  const cancelled = await pharlo.rest('DELETE', `/assignments/${second}`);
  assert.equal(cancelled.status, 204);
  assert.deepEqual(
    await left(pharlo),
    { allocation: monthly + 3 - 2, topup: 4, balance: monthly + 1 + 4 },
    'a refund into a cycle that nobody has opened yet is not lost when it opens',
  );
  const account = await readBalance(pharlo.app.deps.db, pharlo.workspaceId);
  assert.ok((account?.cycleResetsAt.getTime() ?? 0) > pharlo.app.deps.now());
});

test('a call to a platform reserves first, then pays or gets everything back', async (t) => {
  await using pharlo = await onSmallPlan();
  const connectionId = await connectChannel(pharlo);
  const { db } = pharlo.app.deps;
  const refresh = () => pharlo.rest('POST', `/connections/${connectionId}/refresh-token`);
  const open = () =>
    db.query<{ state: string }>({ text: `select state from ledger where state = 'reserved'`, values: [] });
  const refused = async (expected: { status: number; code: string }, call: () => Promise<RestAnswer>) => {
    const before = await left(pharlo);
    const answer = await call();
    assert.equal(answer.status, expected.status);
    assert.equal(errorOf(answer).code, expected.code);
    assert.deepEqual(await left(pharlo), before);
    assert.deepEqual(await open(), []);
  };

  await t.test('a renewal that works costs 2', async () => {
    const answer = await refresh();
    assert.equal(answer.status, 200);
    assert.deepEqual(creditsOf(answer), { used: '2', balance: String(monthly - 2) });
    assert.equal((await left(pharlo)).balance, monthly - 2);
    assert.deepEqual(await open(), []);
  });

  await t.test('a connection nobody has', () =>
    refused({ status: 404, code: 'not_found' }, () =>
      pharlo.rest('POST', '/connections/01900000-0000-7000-8000-000000000000/refresh-token'),
    ),
  );

  await t.test('a connection that only a person can repair', async () => {
    await db.query({ text: 'update connections set token_revoked_at = now()', values: [] });
    await refused({ status: 409, code: 'reconnect_required' }, refresh);
  });

  await t.test('a reservation nobody settled returns after 15 minutes, once, and can then not be settled', async () => {
    await leave(pharlo, 1, 3);
    const [key] = await db.query<{ id: string }>({ text: 'select id from api_keys limit 1', values: [] });
    const caller = {
      via: 'rest' as const,
      workspaceId: pharlo.workspaceId,
      keyId: key?.id ?? '',
      scopes: new Set<never>(),
    };
    const entry = await debit(db, { caller, operation: 'refresh_connection_token', amount: 200, reserve: true });
    assert.ok(entry);
    await pharlo.advance(14 * minute);
    await expireReservations(db);
    assert.deepEqual(await left(pharlo), { allocation: 0, topup: 2, balance: 2 });
    await pharlo.advance(15 * minute + 1000);
    await Promise.all([expireReservations(db), expireReservations(db)]);
    await expireReservations(db);
    assert.deepEqual(await left(pharlo), { allocation: 1, topup: 3, balance: 4 });
    assert.equal(await settle(db, entry.id), false);
  });
});

test('an unlimited plan writes the ledger and names no balance', async () => {
  await using pharlo = await startHarness();
  const answer = await pharlo.rest('GET', '/assignments');
  assert.deepEqual(creditsOf(answer), { used: '1', balance: null });
  assert.deepEqual(creditsOf(await pharlo.rest('GET', '/platforms')), { used: '0', balance: null });
  assert.equal(await ledgerCount(pharlo), 1);
});

test('nothing is fetched for somebody who cannot pay for the post', async () => {
  await using media = await startMediaServer();
  await using pharlo = await onSmallPlan({ PHARLO_ALLOWED_PRIVATE_HOSTS: media.host });
  const connectionId = await connectChannel(pharlo);
  await leave(pharlo, 0);
  const mediaUrl = `${media.url}/video.mp4`;
  assert.equal((await post(pharlo, connectionId, { mediaUrl })).status, 402);
  assert.deepEqual(media.requests, []);
  await leave(pharlo, 3);
  assert.equal((await post(pharlo, connectionId, { mediaUrl })).status, 201);
  assert.deepEqual(media.requests, ['/video.mp4']);
});
