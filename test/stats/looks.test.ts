import assert from 'node:assert/strict';
import { randomUUID } from 'node:crypto';
import { after, before, test } from 'node:test';
import type { Caller } from '../../src/domain/caller.ts';
import { execute } from '../../src/operation.ts';
import { getChannelStats } from '../../src/operations/stats.ts';
import type { Around, Call } from '../engine/platform.ts';
import { ended, eventually, type Rig, startRig } from '../engine/rig.ts';
import { callRest, type RestAnswer } from '../harness.ts';
import { callTool, getToken } from '../mcp-client.ts';
import { errorOf } from '../refusals.ts';

const monthly = 1000;
let rig: Rig;
let token: string;
let postId: string;
let scheduledId: string;
let organizationKey: string;

before(async () => {
  rig = await startRig({
    environment: {
      PHARLO_PLANS: JSON.stringify([{ slug: 'small', name: 'Small', monthlyCredits: monthly }]),
      PHARLO_DEFAULT_PLAN: 'small',
    },
  });
  token = await getToken(rig.pharlo);
  postId = (await rig.create()).id;
  await rig.until(postId, ended);
  const scheduledAt = new Date(rig.pharlo.app.deps.now() + 24 * 3_600_000).toISOString();
  scheduledId = (await rig.create({ scheduledAt })).id;
  const organizationId = randomUUID();
  await query(`insert into organizations (id, workspace_id, name, slug) values ($1, $2, 'Other', 'other')`, [
    organizationId,
    rig.pharlo.workspaceId,
  ]);
  organizationKey = await rig.pharlo.newKey({ organizationId });
});
after(() => rig[Symbol.asyncDispose]());

function query<R>(text: string, values: unknown[] = []): Promise<R[]> {
  return rig.pharlo.app.deps.db.query<R>({ text, values });
}

const postPath = (assignmentId = postId, connectionId = rig.connectionId) =>
  `/connections/${connectionId}/posts/${assignmentId}/stats`;
const channelPath = (connectionId = rig.connectionId) => `/connections/${connectionId}/channel-stats`;
const get = (path: string, key = rig.pharlo.key) => callRest(rig.pharlo.url, key, 'GET', path);

/** Both questions through both doors; the REST answers, the tool results. */
async function askAll() {
  const rest = [await get(channelPath()), await get(postPath())];
  const tools = [
    await callTool(rig.pharlo, token, 'get_channel_stats', { connectionId: rig.connectionId }),
    await callTool(rig.pharlo, token, 'get_post_stats', { assignmentId: postId }),
  ];
  return { rest, tools };
}

async function balance(): Promise<number> {
  const [row] = await query<{ left: number }>(
    'select (allocation_left + topup_left) / 100.0::float8 as left from workspaces',
  );
  return row?.left ?? -1;
}

async function assertNothingReserved(): Promise<void> {
  assert.deepEqual(await query(`select id from ledger where state = 'reserved'`), []);
}

/** Both doors refuse, alike and for nothing. */
async function assertFree(status: number, code: string): Promise<RestAnswer[]> {
  const before = await balance();
  const { rest, tools } = await askAll();
  for (const answer of rest) assert.deepEqual([answer.status, errorOf(answer).code], [status, code]);
  for (const tool of tools) {
    assert.equal(tool._meta['pharlo.io/error']?.code, code);
    assert.deepEqual(tool._meta['pharlo.io/credits'], { used: 0 });
  }
  assert.equal(await balance(), before);
  await assertNothingReserved();
  return rest;
}

const isLook = ({ name }: Pick<Call, 'name'>) => /^GET .*\/v3\/(channels|videos)$/.test(name);
const looksSoFar = () => rig.platform.calls.filter((name) => isLook({ name })).length;
const onLook =
  (answer: Around): Around =>
  (call, next) =>
    isLook(call) ? answer(call, next) : next();

/** Puts a fault before the platform while `run` runs. */
async function during(around: Around, run: () => Promise<void>): Promise<void> {
  rig.platform.around = around;
  try {
    await run();
  } finally {
    rig.platform.around = undefined;
  }
}

const googleError = (status: number, reason: string) =>
  Response.json({ error: { code: status, message: 'upstream words', errors: [{ reason }] } }, { status });

test('both doors tell the same numbers, for 3 and 3.6 credits', async () => {
  const { platformPostId, platformUrl } = (await rig.pharlo.rest('GET', `/assignments/${postId}`)).body;
  for (let views = 0; views < 3; views++) await fetch(String(platformUrl));
  const before = await balance();
  const { rest, tools } = await askAll();
  const fetchedAt = (answer: Record<string, unknown>) => {
    const { fetchedAt: at, ...numbers } = answer;
    assert.ok(Math.abs(Date.parse(String(at)) - rig.pharlo.app.deps.now()) < 60_000);
    return numbers;
  };
  const expected = [
    { connectionId: rig.connectionId, platform: 'youtube', subscribers: 0, totalViews: 3, totalPosts: 1 },
    { assignmentId: postId, platform: 'youtube', platformPostId, views: 3, likes: 0, comments: 0 },
  ];
  assert.deepEqual(
    rest.map(({ body }) => fetchedAt(body)),
    expected,
  );
  assert.deepEqual(
    tools.map(({ structuredContent = {} }) => fetchedAt(structuredContent)),
    expected,
  );
  assert.deepEqual(
    tools.map(({ content }) => content[0]?.text),
    [
      'The youtube channel: 0 subscribers, 3 views, 1 posts.',
      `Post ${platformPostId} on youtube: 3 views, 0 likes, 0 comments.`,
    ],
  );
  assert.deepEqual(
    rest.map(({ headers }) => [headers.get('x-credits-used'), Number(headers.get('x-credits-balance'))]),
    [
      ['3', before - 3],
      ['3', before - 6],
    ],
  );
  assert.deepEqual(
    tools.map(({ _meta }) => _meta['pharlo.io/credits'].used),
    [3.6, 3.6],
  );
  assert.equal(Math.round((before - (await balance())) * 100), 1320);
  await assertNothingReserved();
});

test('numbers that are withheld are absent at both doors', async () => {
  const hiding: Around = async (call, next) => {
    const body = (await (await next()).json()) as { items: { statistics: Record<string, unknown> }[] };
    const video = call.name.endsWith('/videos');
    for (const item of body.items) {
      const hidden = { ...item.statistics, hiddenSubscriberCount: true };
      item.statistics = video ? { viewCount: '3' } : hidden;
    }
    return Response.json(body);
  };
  await during(onLook(hiding), async () => {
    const { rest, tools } = await askAll();
    for (const [channel, post] of [rest.map(({ body }) => body), tools.map((tool) => tool.structuredContent ?? {})]) {
      assert.deepEqual(Object.keys(channel ?? {}), [
        'connectionId',
        'platform',
        'totalViews',
        'totalPosts',
        'fetchedAt',
      ]);
      assert.deepEqual(Object.keys(post ?? {}), ['assignmentId', 'platform', 'platformPostId', 'views', 'fetchedAt']);
    }
  });
});

test('a platform that is down or has had enough costs nothing and says when to come back', async () => {
  await during(
    onLook(async () => new Response('', { status: 503, headers: { 'retry-after': '90' } })),
    async () => {
      for (const { headers } of await assertFree(503, 'platform_unavailable')) {
        assert.equal(headers.get('retry-after'), '90');
      }
    },
  );
  await during(
    onLook(async (call) => call.hangUp()),
    async () => {
      await assertFree(503, 'platform_unavailable');
    },
  );
  await during(
    onLook(async () => googleError(403, 'quotaExceeded')),
    async () => {
      const [answer] = await assertFree(503, 'platform_unavailable');
      assert.ok(Number(answer?.headers.get('retry-after')) > 5, 'until the quota is renewed');
      assert.doesNotMatch(JSON.stringify(answer?.body), /upstream/);
    },
  );
});

test('a platform that never answers is given up', async (t) => {
  const deadlines: AbortController[] = [];
  t.mock.method(AbortSignal, 'timeout', () => {
    const deadline = new AbortController();
    deadlines.push(deadline);
    return deadline.signal;
  });
  const silent: Around = async (call) => {
    for (const deadline of deadlines.splice(0)) deadline.abort(new DOMException('Too late.', 'TimeoutError'));
    return call.hangUp();
  };
  await during(onLook(silent), async () => {
    for (const answer of await assertFree(503, 'platform_unavailable'))
      assert.match(errorOf(answer).message, /in time/);
  });
});

test('what the platform refuses for good is told as what it is', async () => {
  const cases: [reason: string, status: number, code: string][] = [
    ['forbidden', 409, 'invalid_state'],
    ['insufficientPermissions', 409, 'reconnect_required'],
    ['accessNotConfigured', 422, 'platform_unconfigured'],
  ];
  for (const [reason, status, code] of cases) {
    await during(
      onLook(async () => googleError(403, reason)),
      async () => {
        await assertFree(status, code);
      },
    );
  }
  await during(
    onLook(async () => Response.json({ items: [] })),
    async () => {
      const gone = await get(postPath());
      assert.deepEqual([gone.status, errorOf(gone).code], [409, 'invalid_state']);
      assert.match(errorOf(gone).message, /no longer/);
    },
  );
});

test('a refused token is renewed once, and a refusal of the new one is no reason to renew again', async () => {
  const renewals = () => rig.platform.calls.filter((call) => call === 'POST /youtube/token').length;
  const before = renewals();
  let refused = 0;
  const once: Around = async (_call, next) => (refused++ === 0 ? googleError(401, 'authError') : next());
  await during(onLook(once), async () => {
    assert.equal((await get(channelPath())).status, 200);
  });
  assert.equal(renewals() - before, 1);
  await during(
    onLook(async () => googleError(401, 'authError')),
    async () => {
      const answer = await get(postPath());
      assert.deepEqual([answer.status, errorOf(answer).code], [409, 'reconnect_required']);
    },
  );
  assert.equal(renewals() - before, 2);
  await assertNothingReserved();
});

test('a token that ended is renewed before the question', async () => {
  await rig.pharlo.advance(2 * 3_600_000);
  token = await getToken(rig.pharlo);
  const answers: number[] = [];
  const noting: Around = async (_call, next) => {
    const response = await next();
    answers.push(response.status);
    return response;
  };
  await during(onLook(noting), async () => {
    assert.equal((await get(channelPath())).status, 200);
  });
  assert.deepEqual(answers, [200]);
});

test('who goes away before the platform answers pays nothing', async () => {
  const before = await balance();
  const { deps } = rig.pharlo.app;
  const [key] = await query<{ id: string }>('select id from api_keys where organization_id is null limit 1');
  const caller: Caller = {
    via: 'rest',
    workspaceId: rig.pharlo.workspaceId,
    keyId: key?.id ?? '',
    scopes: new Set(['connections:read']),
  };
  const headers = { authorization: `Bearer ${rig.pharlo.key}` };
  const ways = [
    (signal: AbortSignal) => fetch(`${rig.pharlo.url}/api/v1${channelPath()}`, { headers, signal }),
    (signal: AbortSignal) =>
      execute(deps, getChannelStats, { connectionId: rig.connectionId }, caller, { signal }).catch((error) => {
        assert.equal(error.code, 'call_cancelled');
        throw error;
      }),
  ];
  for (const ask of ways) {
    const gone = new AbortController();
    const answer = Promise.withResolvers<void>();
    const hanging: Around = async (_call, next) => {
      gone.abort();
      await answer.promise;
      return next();
    };
    await during(onLook(hanging), async () => {
      await assert.rejects(ask(gone.signal), ({ name }) => name !== 'AssertionError');
      await eventually(async () => (await query(`select 1 from ledger where state = 'reserved'`)).length === 0);
      answer.resolve();
    });
    assert.equal(await balance(), before);
  }
  assert.deepEqual(
    rig.pharlo.logs.filter((line) => line.includes('"level":"error"')),
    [],
  );
});

test('only a published post has statistics', async () => {
  const before = await balance();
  const answer = await get(postPath(scheduledId));
  assert.deepEqual([answer.status, errorOf(answer).code], [409, 'invalid_state']);
  assert.match(errorOf(answer).message, /pending/);
  const tool = await callTool(rig.pharlo, token, 'get_post_stats', { assignmentId: scheduledId });
  assert.equal(tool._meta['pharlo.io/error']?.code, 'invalid_state');
  assert.equal(await balance(), before);
});

test('what belongs to others answers as what does not exist, and so does another channel in the path', async () => {
  const random = randomUUID();
  const calls = looksSoFar();
  const missing = await get(postPath(random, random));
  assert.equal(missing.status, 404);
  for (const answer of [
    await get(postPath(), organizationKey),
    await get(postPath(postId, random)),
    await get(postPath(random)),
  ]) {
    assert.deepEqual([answer.status, answer.body], [404, missing.body]);
  }
  const channel = await get(channelPath(random));
  assert.equal(channel.status, 404);
  const foreign = await get(channelPath(), organizationKey);
  assert.deepEqual([foreign.status, foreign.body], [404, channel.body]);
  const stranger = await getToken(rig.pharlo, { key: organizationKey });
  const tool = async (assignmentId: string) =>
    (await callTool(rig.pharlo, stranger, 'get_post_stats', { assignmentId }))._meta['pharlo.io/error'];
  assert.deepEqual(await tool(postId), await tool(random));
  assert.equal(looksSoFar(), calls, 'no platform was asked');
  await assertNothingReserved();
});

test('the path of REST says the input in its own names', async () => {
  const bad = await get(postPath('42'));
  assert.deepEqual([bad.status, Object.keys(errorOf(bad).details ?? {})], [400, ['postId']]);
  const twice = await get(`${postPath()}?postId=${postId}`);
  assert.deepEqual([twice.status, Object.keys(errorOf(twice).details ?? {})], [400, ['postId']]);
  const unknown = await get(`${postPath()}?assignmentId=${postId}`);
  assert.deepEqual([unknown.status, Object.keys(errorOf(unknown).details ?? {})], [400, ['assignmentId']]);
  const tool = await callTool(rig.pharlo, token, 'get_post_stats', {
    assignmentId: postId,
    connectionId: rig.connectionId,
  });
  assert.equal(tool._meta['pharlo.io/error']?.code, 'validation_failed');
});

test('each question needs its scope', async () => {
  const key = await rig.pharlo.newKey({ scopes: ['connections:read', 'assignments:read'] });
  const other = await rig.pharlo.newKey({ scopes: ['stats:read'] });
  assert.deepEqual([(await get(channelPath(), key)).status, (await get(postPath(), key)).status], [200, 403]);
  assert.deepEqual([(await get(channelPath(), other)).status, (await get(postPath(), other)).status], [403, 200]);
  assert.deepEqual([(await get('/stats', key)).status, (await get('/stats', other)).status], [403, 200]);
});

test('a channel that only a person can repair says so', async () => {
  await query('update connections set token_revoked_at = now()');
  const calls = looksSoFar();
  await assertFree(409, 'reconnect_required');
  assert.equal(looksSoFar(), calls);
});

test('a post outlives its channel here, but its numbers cannot be asked for', async () => {
  assert.equal((await rig.pharlo.rest('DELETE', `/connections/${rig.connectionId}`)).status, 204);
  const post = await get(postPath());
  assert.deepEqual([post.status, errorOf(post).code], [409, 'reconnect_required']);
  const tool = await callTool(rig.pharlo, token, 'get_post_stats', { assignmentId: postId });
  assert.equal(tool._meta['pharlo.io/error']?.code, 'reconnect_required');
  assert.equal((await get(channelPath())).status, 404);
});
