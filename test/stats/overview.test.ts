import assert from 'node:assert/strict';
import { randomUUID } from 'node:crypto';
import { after, before, test } from 'node:test';
import { connectChannel } from '../channel.ts';
import { callRest, type Harness, startHarness } from '../harness.ts';
import { callTool, getToken } from '../mcp-client.ts';
import { assertRefused, errorOf } from '../refusals.ts';

const monthly = 1000;
let pharlo: Harness;
let token: string;
let first: string;
let second: string;
let other: { key: string; organizationId: string };

type Row = { status: string; made: string; changed?: string; due?: string; connectionId?: string };

/** Puts an assignment there as jobs leave it: `changed` is its last change, its end if it ended. */
async function put({ status, made, changed = made, due, connectionId = first }: Row): Promise<void> {
  await pharlo.app.deps.db.query({
    text: `insert into assignments (id, workspace_id, organization_id, connection_id, sandbox, platform, type, status, payload,
                                    input_hash, given_hash, content_hash, handler_version, created_at, updated_at, scheduled_at)
           select $1, workspace_id, organization_id, id, sandbox, platform, 'video', $2, '{}', '', '', '', 1, $3, $4, $5
           from connections where id = $6`,
    values: [randomUUID(), status, made, changed, due ?? null, connectionId],
  });
}

before(async () => {
  pharlo = await startHarness({
    environment: {
      PHARLO_PLANS: JSON.stringify([{ slug: 'small', name: 'Small', monthlyCredits: monthly }]),
      PHARLO_DEFAULT_PLAN: 'small',
    },
  });
  token = await getToken(pharlo);
  first = await connectChannel(pharlo);
  const organizationId = randomUUID();
  await pharlo.app.deps.db.query({
    text: `insert into organizations (id, workspace_id, name, slug) values ($1, $2, 'Other', 'other')`,
    values: [organizationId, pharlo.workspaceId],
  });
  other = { organizationId, key: await pharlo.newKey({ organizationId }) };
  second = await connectChannel(pharlo, { key: other.key, title: 'Other channel' });

  const day = (time: string) => `2031-03-${time}Z`;
  await put({ status: 'published', made: day('01T10:00:00'), changed: day('01T10:00:10') });
  await put({ status: 'published', made: day('01T10:00:00'), due: day('02T09:00:00'), changed: day('02T09:00:40') });
  await put({ status: 'published', made: day('01T23:59:59'), changed: day('03T00:00:00') });
  await put({ status: 'failed', made: day('01T10:00:00'), changed: day('02T23:59:59.999') });
  await put({ status: 'cancelled', made: day('01T10:00:00'), changed: day('02T10:00:00') });
  await put({ status: 'pending', made: day('02T10:00:00'), changed: day('04T10:00:00') });
  await put({ status: 'processing', made: day('02T10:00:00'), changed: day('02T10:00:09') });
  await put({ status: 'published', made: day('02T10:00:00'), changed: day('02T10:00:20'), connectionId: second });
});
after(() => pharlo[Symbol.asyncDispose]());

const march = (from: number, to: number) => ({
  from: new Date(Date.UTC(2031, 2, from)).toISOString(),
  to: new Date(Date.UTC(2031, 2, to)).toISOString(),
});

type Answer = Record<string, unknown> & { groups?: ({ key: string } & Record<string, unknown>)[] };

/** The overview, which both doors must tell alike. */
async function overview(input: Record<string, string> = {}, key = pharlo.key, bearer = token): Promise<Answer> {
  const rest = await callRest(pharlo.url, key, 'GET', `/stats?${new URLSearchParams(input)}`);
  assert.equal(rest.status, 200, JSON.stringify(rest.body));
  const { structuredContent } = await callTool(pharlo, bearer, 'get_stats_overview', input);
  assert.deepEqual(structuredContent, rest.body);
  return rest.body;
}

test('an assignment counts when it ended, an open one when it was made; the end of the span is excluded', async () => {
  assert.deepEqual(await overview(march(2, 3)), {
    ...march(2, 3),
    total: 6,
    published: 2,
    failed: 1,
    cancelled: 1,
    pending: 1,
    inProgress: 1,
    successRate: 0.6667,
    medianSecondsToPublish: 30,
  });
  const { total, published } = await overview(march(3, 4));
  assert.deepEqual([total, published], [1, 1]);
});

test('the median is of the time from due to published', async () => {
  assert.equal((await overview(march(1, 2))).medianSecondsToPublish, 10);
  assert.equal((await overview(march(1, 3))).medianSecondsToPublish, 20, 'of 10, 20 and 40');
  assert.equal((await overview(march(3, 4))).medianSecondsToPublish, 24 * 3600 + 1);
});

test('an empty span has counts, and neither rate nor median nor groups', async () => {
  const none = { total: 0, published: 0, failed: 0, cancelled: 0, pending: 0, inProgress: 0 };
  assert.deepEqual(await overview(march(20, 21)), { ...march(20, 21), ...none });
  assert.deepEqual((await overview({ ...march(20, 21), groupBy: 'day' })).groups, []);
});

test('groups add up to the whole', async () => {
  const keys: Record<string, [string, number][]> = {
    day: [
      ['2031-03-01', 1],
      ['2031-03-02', 6],
      ['2031-03-03', 1],
    ],
    platform: [['youtube', 8]],
    connection: [first, second].sort().map((id) => [id, id === first ? 7 : 1]),
    status: [
      ['cancelled', 1],
      ['failed', 1],
      ['pending', 1],
      ['processing', 1],
      ['published', 4],
    ],
  };
  for (const [groupBy, expected] of Object.entries(keys)) {
    const { groups = [], ...whole } = await overview({ ...march(1, 4), groupBy });
    assert.deepEqual(
      groups.map(({ key, total }) => [key, total]),
      expected,
    );
    for (const name of ['total', 'published', 'failed', 'cancelled', 'pending', 'inProgress']) {
      assert.equal(
        groups.reduce((sum, group) => sum + Number(group[name]), 0),
        whole[name],
        `${groupBy} ${name}`,
      );
    }
  }
});

test('an organization sees its own, by key and by header', async () => {
  const bearer = await getToken(pharlo, { key: other.key });
  const own = await overview(march(1, 4), other.key, bearer);
  assert.deepEqual([own.total, own.published, own.medianSecondsToPublish], [1, 1, 20]);
  const headers = { 'x-organization-id': other.organizationId };
  const { body } = await pharlo.rest('GET', `/stats?${new URLSearchParams(march(1, 4))}`, undefined, headers);
  assert.deepEqual(body, own);
});

test('without a span, the last 30 UTC days count, today included', async () => {
  const dayMs = 24 * 3_600_000;
  const now = pharlo.app.deps.now();
  const tomorrow = (Math.floor(now / dayMs) + 1) * dayMs;
  const iso = (ms: number) => new Date(ms).toISOString();
  await put({ status: 'published', made: iso(now - 1000), changed: iso(now) });
  await put({ status: 'failed', made: iso(now - 60 * dayMs), changed: iso(tomorrow - 30 * dayMs) });
  await put({ status: 'failed', made: iso(now - 60 * dayMs), changed: iso(tomorrow - 30 * dayMs - 1) });
  const { from, to, published, failed } = await overview();
  assert.deepEqual(
    { from, to, published, failed },
    { from: iso(tomorrow - 30 * dayMs), to: iso(tomorrow), published: 1, failed: 1 },
  );
});

test('it costs 1 and 1.2 credits', async () => {
  const rest = await pharlo.rest('GET', '/stats');
  assert.equal(rest.headers.get('x-credits-used'), '1');
  const { _meta, content } = await callTool(pharlo, token, 'get_stats_overview', march(2, 3));
  assert.equal(_meta['pharlo.io/credits'].used, 1.2);
  assert.match(content[0]?.text ?? '', /6 assignments, 2 published, 1 failed, .*66\.7 % of those tried/);
});

test('spans and groups that make no sense are refused by field', async () => {
  const cases: [string, Record<string, string>][] = [
    ['from', { from: march(3, 4).from, to: march(3, 4).from }],
    ['from', { from: march(5, 5).from, to: march(3, 3).to }],
    ['from', { from: '2030-01-01T00:00:00Z', to: '2031-01-02T00:00:00.001Z' }],
    ['from', { from: '2031-03-01' }],
    ['to', { to: 'tomorrow' }],
    ['groupBy', { groupBy: 'hour' }],
    ['until', { until: march(1, 1).to }],
  ];
  for (const [field, input] of cases) {
    const expected = { status: 400, code: 'validation_failed', field };
    await assertRefused(pharlo, expected, () => pharlo.rest('GET', `/stats?${new URLSearchParams(input)}`));
    const { _meta } = await callTool(pharlo, token, 'get_stats_overview', input);
    assert.ok(_meta['pharlo.io/error']?.details?.[field], field);
  }
  const twice = await pharlo.rest('GET', '/stats?from=2031-03-01T00:00:00Z&from=2031-03-02T00:00:00Z');
  assert.deepEqual([twice.status, errorOf(twice).code], [400, 'validation_failed']);
});
