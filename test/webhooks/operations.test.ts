import assert from 'node:assert/strict';
import { randomUUID } from 'node:crypto';
import { after, before, test } from 'node:test';
import { makeKey } from '../../src/commands/keys.ts';
import type { Caller } from '../../src/domain/caller.ts';
import { newId } from '../../src/domain/ids.ts';
import { execute } from '../../src/operation.ts';
import { getWebhookSecret, rotateWebhookSecret } from '../../src/operations/webhooks.ts';
import { insertWorkspace } from '../../src/store/workspaces.ts';
import { eventually } from '../engine/rig.ts';
import { callTool, getToken } from '../mcp-client.ts';
import { assertRefused, errorOf, refusal } from '../refusals.ts';
import {
  assertSigned,
  type Delivery,
  deliveriesOf,
  insertChannel,
  secretOf,
  startSender,
  untilDelivery,
} from './receiver.ts';

type Sender = Awaited<ReturnType<typeof startSender>>;
type List = { items: Delivery[]; total: number; page: number; limit: number; nextCursor?: string };

let sender: Sender;
/** Newest first. */
const ids: string[] = [];
let failedId: string;
let other: { key: string; deliveryId: string; assignmentId: string; organizationId: string };
let foreign: { key: string; deliveryId: string };

const as = (key: string) => ({ authorization: `Bearer ${key}` });
const list = async (query = '', key = sender.pharlo.key): Promise<List> => {
  const { status, body } = await sender.pharlo.rest('GET', `/webhooks/deliveries${query}`, undefined, as(key));
  assert.equal(status, 200, JSON.stringify(body));
  return body as unknown as List;
};

/** An assignment whose one transition was told; answers its delivery's id. */
async function told(given: Parameters<Sender['cancelled']>[0] = {}): Promise<{ id: string; assignmentId: string }> {
  const assignmentId = await sender.cancelled(given);
  const query = `?assignmentId=${assignmentId}`;
  const { key = sender.pharlo.key } = given;
  await eventually(async () => (await list(query, key)).items[0]?.status === 'delivered');
  return { id: (await list(query, key)).items[0]?.id ?? '', assignmentId };
}

before(async () => {
  sender = await startSender();
  const { pharlo, db } = sender;
  const { deps } = pharlo.app;
  for (let index = 0; index < 5; index++) ids.unshift((await told()).id);
  sender.receiver.answer = () => ({ status: 500 });
  await sender.cancelled();
  const failed = await untilDelivery(pharlo, '', ({ nextAttemptAt, attempts }) => attempts === 1 && !!nextAttemptAt);
  await db.query({ text: `update deliveries set status = 'failed', due_at = null where id = $1`, values: [failed.id] });
  failedId = failed.id;
  sender.receiver.answer = () => ({ status: 204 });

  const organizationId = randomUUID();
  await db.query({
    text: `insert into organizations (id, workspace_id, name, slug) values ($1, $2, 'Other', 'other')`,
    values: [organizationId, pharlo.workspaceId],
  });
  const key = await pharlo.newKey({ organizationId });
  const connectionId = await insertChannel(deps, pharlo.workspaceId, organizationId);
  const otherTold = await told({ key, connectionId });
  other = { key, organizationId, deliveryId: otherTold.id, assignmentId: otherTold.assignmentId };

  const workspace = { id: newId(deps.now(), deps.random), organizationId: newId(deps.now(), deps.random) };
  await db.transaction((tx) => insertWorkspace(tx, { ...workspace, slug: 'x', name: 'X', plan: 'unlimited' }));
  const made = await makeKey(deps, { workspaceId: workspace.id, name: 'X' });
  const foreignTold = await told({ key: made.key, connectionId: await insertChannel(deps, workspace.id) });
  foreign = { key: made.key, deliveryId: foreignTold.id };
});
after(() => sender[Symbol.asyncDispose]());

test('the list: newest first, pages and cursors agree, filters filter', async () => {
  const all = await list();
  assert.deepEqual(
    all.items.map(({ id }) => id),
    [other.deliveryId, failedId, ...ids],
  );
  assert.deepEqual([all.total, all.page, all.limit, all.nextCursor], [7, 1, 20, undefined]);
  assert.deepEqual(Object.keys(all.items[2] ?? {}).sort(), [
    'assignmentId',
    'attempts',
    'createdAt',
    'durationMs',
    'event',
    'httpStatusCode',
    'id',
    'lastAttemptAt',
    'sequence',
    'status',
    'url',
  ]);
  const seen: string[] = [];
  for (let query = '?limit=3'; ; ) {
    const { items, nextCursor } = await list(query);
    seen.push(...items.map(({ id }) => id));
    if (nextCursor === undefined) break;
    query = `?limit=3&cursor=${nextCursor}`;
  }
  assert.deepEqual(
    seen,
    all.items.map(({ id }) => id),
  );
  assert.deepEqual(
    (await list('?limit=3&page=2')).items.map(({ id }) => id),
    seen.slice(3, 6),
  );
  const found = async (query: string) => (await list(query)).items.map(({ id }) => id);
  assert.deepEqual(await found('?status=failed'), [failedId]);
  assert.deepEqual(await found('?status=pending'), []);
  assert.deepEqual(await found(`?assignmentId=${other.assignmentId}`), [other.deliveryId]);
  assert.deepEqual(await found(`?organizationId=${other.organizationId}`), [other.deliveryId]);
  assert.deepEqual(await found(`?assignmentId=${randomUUID()}`), []);
  const middle = encodeURIComponent(all.items[3]?.createdAt ?? '');
  assert.deepEqual(await found(`?from=${middle}`), seen.slice(0, 4));
  assert.deepEqual(await found(`?to=${middle}`), seen.slice(3));
});

test('what the list refuses', async () => {
  const { pharlo } = sender;
  for (const [query, field] of [
    ['limit=51', 'limit'],
    ['status=lost', 'status'],
    ['assignmentId=1', 'assignmentId'],
    ['from=yesterday', 'from'],
    ['cursor=zzz', 'cursor'],
    ['url=x', 'url'],
  ]) {
    const call = () => pharlo.rest('GET', `/webhooks/deliveries?${query}`);
    await assertRefused(pharlo, { status: 400, code: 'validation_failed', field }, call);
  }
  assert.equal((await list('?limit=50')).limit, 50);
  const blind = as(await pharlo.newKey({ scopes: ['assignments:read'] }));
  await assertRefused(pharlo, { status: 403, code: 'insufficient_scope' }, () =>
    pharlo.rest('GET', '/webhooks/deliveries', undefined, blind),
  );
});

test('an organization sees its own deliveries, another workspace none of ours', async () => {
  const { pharlo } = sender;
  assert.deepEqual(
    (await list('', other.key)).items.map(({ id }) => id),
    [other.deliveryId],
  );
  const theirs = await list('', foreign.key);
  assert.deepEqual([theirs.total, theirs.items[0]?.id], [1, foreign.deliveryId]);
  assert.equal((await list(`?assignmentId=${other.assignmentId}`, foreign.key)).total, 0);
  const again = (id: string, key: string) => () =>
    pharlo.rest('POST', `/webhooks/deliveries/${id}/redeliver`, undefined, as(key));
  const nothing = { status: 404, code: 'not_found' };
  const unknown = await refusal(pharlo, nothing, again(randomUUID(), foreign.key));
  const hidden = await refusal(pharlo, nothing, again(other.deliveryId, foreign.key));
  const outside = await refusal(pharlo, nothing, again(ids[0] ?? '', other.key));
  assert.deepEqual(hidden.body, unknown.body);
  assert.deepEqual(outside.body, unknown.body);
});

test('agents read the log through their tool, and nothing else of webhooks', async () => {
  const { pharlo } = sender;
  const token = await getToken(pharlo, { resource: null });
  const answer = await callTool(pharlo, token, 'list_webhook_deliveries', { status: 'failed' });
  const { items } = answer.structuredContent as unknown as List;
  assert.deepEqual(
    items.map(({ id }) => id),
    [failedId],
  );
  assert.match(
    answer.content[0]?.text ?? '',
    /^1 in all\.\nassignment\.cancelled of assignment \S+ to .*: failed .*500/,
  );
  assert.equal(answer._meta['pharlo.io/credits'].used, 1.2);
  for (const [method, path, body] of [
    ['POST', `/webhooks/deliveries/${failedId}/redeliver`, undefined],
    ['POST', '/webhooks/test', { url: sender.receiver.url }],
  ] as const) {
    await assertRefused(pharlo, { status: 403, code: 'key_required' }, () =>
      pharlo.rest(method, path, body, as(token)),
    );
  }
});

test('an ended delivery is sent again under its old id, and only one that has ended', async () => {
  const { pharlo, receiver } = sender;
  const go = Promise.withResolvers<void>();
  receiver.answer = async () => {
    await go.promise;
    return { status: 200 };
  };
  const before = receiver.received.find(({ headers }) => headers['webhook-id'] === failedId);
  const path = `/webhooks/deliveries/${failedId}/redeliver`;
  const { status, body, headers } = await pharlo.rest('POST', path);
  assert.equal(status, 202, JSON.stringify(body));
  assert.equal(headers.get('x-credits-used'), '2');
  assert.deepEqual([body.id, body.status, body.attempts, body.lastError], [failedId, 'pending', 0, undefined]);
  await assertRefused(pharlo, { status: 409, code: 'invalid_state' }, () => pharlo.rest('POST', path));
  go.resolve();
  await eventually(async () => (await list('?status=pending')).total === 0);
  const [one] = (await list()).items.filter(({ id }) => id === failedId);
  assert.deepEqual([one?.status, one?.attempts, one?.httpStatusCode], ['delivered', 1, 200]);
  const sent = receiver.received.filter(({ headers }) => headers['webhook-id'] === failedId);
  assert.equal(sent.length, 2);
  assert.equal(sent[1]?.text, before?.text);
  assert.equal((await list()).total, 7, 'the row is reused');
  receiver.answer = () => ({ status: 204 });
});

test('64 redeliveries at once: one is taken', async () => {
  const { pharlo, receiver } = sender;
  const go = Promise.withResolvers<void>();
  receiver.answer = async () => {
    await go.promise;
    return { status: 204 };
  };
  const [id = ''] = ids;
  const sent = () => receiver.received.filter(({ headers }) => headers['webhook-id'] === id).length;
  const before = sent();
  const path = `/webhooks/deliveries/${id}/redeliver`;
  const answers = await Promise.all(Array.from({ length: 64 }, () => pharlo.rest('POST', path)));
  assert.deepEqual(answers.map(({ status }) => status).sort(), [202, ...Array(63).fill(409)]);
  go.resolve();
  await eventually(async () => (await list('?status=pending')).total === 0);
  assert.equal(sent(), before + 1);
  receiver.answer = () => ({ status: 204 });
});

test('a test goes out once, signed, and says that it is one', async () => {
  const { pharlo, receiver } = sender;
  const seen = receiver.received.length;
  receiver.answer = () => ({ status: 500 });
  const { status, body } = await pharlo.rest('POST', '/webhooks/test', { url: receiver.url });
  assert.equal(status, 202, JSON.stringify(body));
  assert.deepEqual([body.event, body.status, body.assignmentId, body.sequence], ['test', 'pending', undefined, 0]);
  const done = await untilDelivery(pharlo, '', (one) => one.id === body.id && one.status !== 'pending');
  assert.deepEqual([done.status, done.attempts, done.httpStatusCode], ['failed', 1, 500]);
  assert.equal(receiver.received.length, seen + 1);
  const sent = receiver.received[seen] ?? assert.fail();
  assertSigned(sent, await secretOf(pharlo));
  assert.equal((sent.body as unknown as { test: boolean }).test, true);
  assert.equal(sent.headers['webhook-id'], body.id);
  receiver.answer = () => ({ status: 204 });
  assert.equal((await pharlo.rest('POST', `/webhooks/deliveries/${body.id}/redeliver`)).status, 202);
  await untilDelivery(pharlo, '', (one) => one.id === body.id && one.status === 'delivered');
  assert.ok(!(await list('', other.key)).items.some(({ id }) => id === body.id));
  for (const url of [
    'http://example.com/hook',
    'https://10.0.0.1/',
    'https://user:word@example.com/',
    'nonsense',
    '',
  ]) {
    const call = () => pharlo.rest('POST', '/webhooks/test', { url });
    await assertRefused(pharlo, { status: 400, code: 'validation_failed', field: 'url' }, call);
  }
});

test('the secret is for people: no key, no token', async () => {
  const { pharlo } = sender;
  const token = await getToken(pharlo, { resource: null });
  const before = await secretOf(pharlo);
  for (const bearer of [pharlo.key, token]) {
    for (const [method, path] of [
      ['GET', '/webhooks/secret'],
      ['POST', '/webhooks/secret/rotate'],
    ] as const) {
      const { status, body } = await pharlo.rest(method, path, undefined, as(bearer));
      assert.deepEqual([status, errorOf({ body }).code], [403, 'session_required']);
      assert.ok(!JSON.stringify(body).includes(before));
    }
  }
  assert.equal(await secretOf(pharlo), before);
});

test('a person sees the secret and changes it', async () => {
  const { pharlo, db } = sender;
  const { deps } = pharlo.app;
  const [row] = await db.query<{ id: string }>({
    text: 'select id from api_keys where workspace_id = $1 limit 1',
    values: [pharlo.workspaceId],
  });
  const { workspaceId } = pharlo;
  const person: Caller = { via: 'console', workspaceId, keyId: row?.id ?? '', scopes: new Set() };
  const secret = await secretOf(pharlo);
  assert.deepEqual((await execute(deps, getWebhookSecret, {}, person)).output, { secret });
  const rotated = (await execute(deps, rotateWebhookSecret, {}, person)).output as Record<string, string>;
  assert.equal(rotated.previousSecret, secret);
  assert.ok(Date.parse(rotated.previousSecretUntil ?? '') > deps.now());
  assert.deepEqual((await execute(deps, getWebhookSecret, {}, person)).output, rotated);
  const last = (await execute(deps, rotateWebhookSecret, { now: true }, person)).output as Record<string, string>;
  assert.deepEqual(Object.keys(last), ['secret']);
  assert.notEqual(last.secret, rotated.secret);
  assert.deepEqual((await deliveriesOf(pharlo, '?status=pending')).length, 0);
});
