import assert from 'node:assert/strict';
import { randomUUID } from 'node:crypto';
import { after, before, test } from 'node:test';
import { connectChannel } from '../channel.ts';
import { type Harness, startHarness } from '../harness.ts';
import { callTool, getToken } from '../mcp-client.ts';
import { assertRefused } from '../refusals.ts';

type List = {
  items: { id: string; status: string }[];
  total: number;
  page: number;
  limit: number;
  nextCursor?: string;
};

let pharlo: Harness;
let first: string;
/** A second organization with a key, a channel and an assignment of its own. */
let other: { organizationId: string; key: string; connectionId: string; assignmentId: string };
const made: string[] = [];
const start = Date.now() + 24 * 3600 * 1000;
const at = (index: number) => new Date(start + index * 3600 * 1000).toISOString();

const list = async (query = '', headers?: Record<string, string>): Promise<List> => {
  const { status, body } = await pharlo.rest('GET', `/assignments${query}`, undefined, headers);
  assert.equal(status, 200, JSON.stringify(body));
  return body as unknown as List;
};
const ids = ({ items }: List) => items.map(({ id }) => id);
const as = (key: string) => ({ authorization: `Bearer ${key}` });

async function create(connectionId: string, index: number, more: object = {}, headers = {}): Promise<string> {
  const input = {
    connectionId,
    type: 'video',
    payload: { title: `Number ${index}` },
    mediaUrl: `${pharlo.sandboxUrl}/sample.mp4`,
    scheduledAt: at(index),
    ...more,
  };
  const { status, body } = await pharlo.rest('POST', '/assignments', input, headers);
  assert.equal(status, 201, JSON.stringify(body));
  return String(body.id);
}

before(async () => {
  pharlo = await startHarness();
  first = await connectChannel(pharlo);
  for (let index = 0; index < 7; index++)
    made.unshift(await create(first, index, index === 3 ? { externalId: 'mine' } : {}));
  const organizationId = randomUUID();
  await pharlo.app.deps.db.query({
    text: `insert into organizations (id, workspace_id, name, slug) values ($1, $2, 'Other', 'other')`,
    values: [organizationId, pharlo.workspaceId],
  });
  const key = await pharlo.newKey({ organizationId });
  const connectionId = await connectChannel(pharlo, { key, title: 'Other channel' });
  const assignmentId = await create(connectionId, 9, { idempotencyKey: 'other' }, as(key));
  other = { organizationId, key, connectionId, assignmentId };
});
after(() => pharlo[Symbol.asyncDispose]());

test('pages cover the list, newest first, without payload and timeline', async () => {
  const all = await list();
  assert.deepEqual(ids(all), [other.assignmentId, ...made]);
  assert.deepEqual([all.total, all.page, all.limit], [8, 1, 20]);
  assert.ok(!('nextCursor' in all) && !('totalIsMinimum' in all));
  for (const item of all.items) assert.ok(!('payload' in item) && !('timeline' in item));
  const pages = await Promise.all([1, 2, 3, 4].map((page) => list(`?limit=3&page=${page}`)));
  assert.deepEqual(pages.flatMap(ids), ids(all));
  assert.deepEqual(
    pages.map(({ items }) => items.length),
    [3, 3, 2, 0],
  );
});

test('a cursor goes on where it was although rows are added', async () => {
  const before = ids(await list());
  const seen: string[] = [];
  let cursor: string | undefined;
  do {
    const page: List = await list(`?limit=3${cursor ? `&cursor=${cursor}` : ''}`);
    seen.push(...ids(page));
    cursor = page.nextCursor;
    if (seen.length === 3) made.unshift(await create(first, 7));
  } while (cursor);
  assert.deepEqual(seen, before);
  assert.equal((await list()).total, before.length + 1);
});

test('filters narrow items and total alike', async () => {
  const cancelled = made[0] ?? '';
  await pharlo.rest('DELETE', `/assignments/${cancelled}`);
  const time = (name: string, index: number) => `${name}=${encodeURIComponent(at(index))}`;
  const expected: [query: string, count: number][] = [
    ['status=cancelled', 1],
    ['status=pending', made.length],
    [`connectionId=${first}`, made.length],
    [`connectionId=${randomUUID()}`, 0],
    ['platform=youtube', made.length + 1],
    ['platform=facebook', 0],
    ['externalId=mine', 1],
    [time('scheduledFrom', 5), 4],
    [`${time('scheduledFrom', 2)}&${time('scheduledTo', 4)}`, 3],
    [`organizationId=${other.organizationId}`, 1],
    [`status=cancelled&connectionId=${other.connectionId}`, 0],
  ];
  for (const [query, count] of expected) {
    const found = await list(`?${query}`);
    assert.deepEqual([found.items.length, found.total], [count, count], query);
  }
  assert.deepEqual(ids(await list('?status=cancelled')), [cancelled]);
});

test('X-Organization-Id narrows a key of the workspace', async () => {
  const narrow = { 'x-organization-id': other.organizationId };
  assert.deepEqual(ids(await list('', narrow)), [other.assignmentId]);
  const mine = await pharlo.rest('GET', `/assignments/${made[0]}`, undefined, narrow);
  assert.equal(mine.status, 404);
  const connections = await pharlo.rest('GET', '/connections', undefined, narrow);
  assert.deepEqual(
    (connections.body.items as { id: string }[]).map(({ id }) => id),
    [other.connectionId],
  );
  await assertRefused(pharlo, { status: 404, code: 'not_found' }, () =>
    pharlo.rest('GET', '/assignments', undefined, { 'x-organization-id': randomUUID() }),
  );
});

test('a key of one organization sees that one alone; all else answers as what does not exist', async () => {
  const headers = as(other.key);
  assert.deepEqual(ids(await list('', headers)), [other.assignmentId]);
  assert.equal((await pharlo.rest('GET', `/assignments/${other.assignmentId}`, undefined, headers)).status, 200);
  const { body: ticket } = await pharlo.rest('POST', '/oauth/tickets', { platform: 'youtube' });
  const own = String((await list(`?connectionId=${first}`)).items[0]?.id);
  const { body: connection } = await pharlo.rest('GET', `/connections/${first}`);
  const foreign = {
    assignment: own,
    connection: first,
    ticket: String(ticket.ticketId),
    organization: String(connection.organizationId),
  };
  const calls: [
    noun: keyof typeof foreign,
    method: string,
    path: (id: string) => string,
    body?: (id: string) => object,
  ][] = [
    ['assignment', 'GET', (id) => `/assignments/${id}`],
    ['assignment', 'DELETE', (id) => `/assignments/${id}`],
    ['connection', 'GET', (id) => `/connections/${id}`],
    ['connection', 'POST', (id) => `/connections/${id}/refresh-token`],
    ['connection', 'POST', () => '/oauth/tickets', (connectionId) => ({ platform: 'youtube', connectionId })],
    [
      'connection',
      'POST',
      () => '/assignments',
      (connectionId) => ({
        connectionId,
        type: 'video',
        payload: { title: 'x' },
        mediaUrl: `${pharlo.sandboxUrl}/sample.mp4`,
      }),
    ],
    ['organization', 'POST', () => '/oauth/tickets', (organizationId) => ({ platform: 'youtube', organizationId })],
    ['organization', 'GET', (id) => `/assignments?organizationId=${id}`],
    ['organization', 'GET', (id) => `/connections?organizationId=${id}`],
    ['ticket', 'GET', (id) => `/oauth/tickets/${id}`],
  ];
  const ask = async (key: string, [, method, path, body]: (typeof calls)[number], id: string) => {
    const response = await fetch(`${pharlo.url}/api/v1${path(id)}`, {
      method,
      headers: { ...as(key), ...(body && { 'content-type': 'application/json' }) },
      ...(body && { body: JSON.stringify(body(id)) }),
    });
    const told = [...response.headers].filter(([name]) => name !== 'date');
    return { status: response.status, headers: told, bytes: await response.text() };
  };
  for (const call of calls) {
    const answer = await ask(other.key, call, foreign[call[0]]);
    assert.equal(answer.status, 404, `${call[1]} ${call[2]('id')}`);
    assert.deepEqual(answer, await ask(other.key, call, randomUUID()));
  }
  const byHeader = (id: string) =>
    pharlo.rest('GET', '/assignments', undefined, { ...headers, 'x-organization-id': id });
  const refused = await byHeader(foreign.organization);
  assert.equal(refused.status, 404);
  assert.deepEqual(refused.body, (await byHeader(randomUUID())).body);
  assert.equal((await byHeader(other.organizationId)).status, 200);
  for (const call of calls) {
    if (call[1] === 'DELETE') continue;
    const { status } = await ask(pharlo.key, call, foreign[call[0]]);
    assert.ok(status < 300, `the owner may: ${call[1]} ${call[2]('id')} answered ${status}`);
  }
});

test('a token given by a key of one organization sees that one alone, and keys stay unique across them', async () => {
  const token = await getToken(pharlo, { key: other.key });
  const { structuredContent } = await callTool(pharlo, token, 'list_assignments', {});
  assert.deepEqual(
    (structuredContent as unknown as List).items.map(({ id }) => id),
    [other.assignmentId],
  );
  const { _meta } = await callTool(pharlo, token, 'get_connection', { connectionId: first });
  assert.equal(_meta['pharlo.io/error']?.code, 'not_found');
  await assertRefused(pharlo, { status: 409, code: 'idempotency_conflict' }, () =>
    pharlo.rest('POST', '/assignments', {
      connectionId: first,
      type: 'video',
      payload: { title: 'Number 9' },
      mediaUrl: `${pharlo.sandboxUrl}/sample.mp4`,
      idempotencyKey: 'other',
    }),
  );
});
