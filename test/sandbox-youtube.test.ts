import assert from 'node:assert/strict';
import { createHash, randomBytes, randomUUID } from 'node:crypto';
import { mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { type TestContext, test } from 'node:test';
import { createSandbox } from '../src/sandbox/index.ts';

const origin = 'http://127.0.0.1:3000';
const redirectUri = 'http://localhost:3000/api/v1/oauth/youtube/callback';
const scopePrefix = 'https://www.googleapis.com/auth/';
const bothScopes = `${scopePrefix}youtube.upload ${scopePrefix}youtube.readonly`;
const sample = readFileSync(new URL('../src/sandbox/assets/sample.mp4', import.meta.url));
const unit = 256 * 1024;

type Json = Record<string, unknown>;

/** Walks into JSON by keys and indexes; undefined when something on the way is missing. */
function at(value: unknown, ...path: (string | number)[]): unknown {
  return path.reduce<unknown>((inner, key) => (inner as Json | undefined)?.[key], value);
}

function start(t: TestContext, dataDir = mkdtempSync(join(tmpdir(), 'pharlo-sandbox-'))) {
  const clock = { now: Date.UTC(2030, 0, 1) };
  const open = () =>
    createSandbox({ origin, dataDir, now: () => clock.now, random: (bytes) => new Uint8Array(randomBytes(bytes)) });
  let sandbox = open();
  t.after(() => {
    sandbox.dispose();
    rmSync(dataDir, { recursive: true, force: true });
  });
  const clientId = `pharlo-sandbox.${randomUUID()}`;
  return {
    clock,
    clientId,
    call: async (path: string, init?: RequestInit & { duplex?: 'half' }) =>
      sandbox.fetch(new Request(new URL(path, origin), init)),
    restart() {
      sandbox.dispose();
      sandbox = open();
    },
  };
}
type Network = ReturnType<typeof start>;

const verifier = 'v'.repeat(43);
const challenge = createHash('sha256').update(verifier).digest('base64url');

async function openConsent(network: Network, extra: Record<string, string> = {}) {
  const query = new URLSearchParams({
    response_type: 'code',
    client_id: network.clientId,
    redirect_uri: redirectUri,
    scope: bothScopes,
    state: 'a&b',
    access_type: 'offline',
    code_challenge: challenge,
    code_challenge_method: 'S256',
    ...extra,
  });
  const response = await network.call(`/youtube/o/oauth2/v2/auth?${query}`);
  const page = await response.text();
  const field = (name: string) => new RegExp(`name="${name}" value="([^"]+)"`).exec(page)?.[1] ?? '';
  return { response, page, request: field('request'), channel: field('channel') };
}

async function decide(network: Network, form: [string, string][]) {
  const response = await network.call('/youtube/o/oauth2/v2/auth', { method: 'POST', body: new URLSearchParams(form) });
  return { response, answer: new URL(response.headers.get('Location') ?? 'x:').searchParams };
}

async function consent(network: Network, options: { scopes?: string; extra?: Record<string, string> } = {}) {
  const { request, channel } = await openConsent(network, options.extra);
  const scopes = (options.scopes ?? bothScopes).split(' ').map((scope): [string, string] => ['scope', scope]);
  const { answer } = await decide(network, [
    ['request', request],
    ['channel', channel],
    ['decision', 'allow'],
    ...scopes,
  ]);
  return answer.get('code') ?? '';
}

async function token(network: Network, form: Record<string, string>) {
  const credentials = { client_id: network.clientId, client_secret: 'sandbox' };
  const body = new URLSearchParams({ ...credentials, ...form });
  const response = await network.call('/youtube/token', { method: 'POST', body });
  return { status: response.status, body: (await response.json()) as Json };
}

function exchange(network: Network, code: string, extra: Record<string, string> = {}) {
  const form = { grant_type: 'authorization_code', code, redirect_uri: redirectUri, code_verifier: verifier, ...extra };
  return token(network, form);
}

async function connect(network: Network, options: { scopes?: string; extra?: Record<string, string> } = {}) {
  const { body } = await exchange(network, await consent(network, options));
  return { access: String(body.access_token), refresh: body.refresh_token as string | undefined, body };
}

function authorization(access: string) {
  return { Authorization: `Bearer ${access}` };
}

async function get(network: Network, path: string, access: string) {
  const response = await network.call(path, { headers: authorization(access) });
  return { status: response.status, headers: response.headers, body: (await response.json()) as Json };
}

const plainMetadata = {
  snippet: { title: 'First light' },
  status: { privacyStatus: 'private' },
};

function begin(
  network: Network,
  access: string,
  metadata: unknown = plainMetadata,
  headers: Record<string, string> = {},
) {
  return network.call('/youtube/upload/youtube/v3/videos?uploadType=resumable&part=snippet,status', {
    method: 'POST',
    headers: {
      ...authorization(access),
      'Content-Type': 'application/json; charset=UTF-8',
      Slug: 'a%20b.mp4',
      ...headers,
    },
    body: JSON.stringify(metadata),
  });
}

async function session(network: Network, access: string, headers: Record<string, string> = {}) {
  return (await begin(network, access, plainMetadata, headers)).headers.get('Location') ?? '';
}

async function put(network: Network, location: string, range: string | undefined, body?: RequestInit['body']) {
  const headers = {
    ...(range !== undefined && { 'Content-Range': range }),
    ...(body === undefined && { 'Content-Length': '0' }),
  };
  const response = await network.call(location, {
    method: 'PUT',
    headers,
    ...(body !== undefined && { body, duplex: 'half' as const }),
  });
  const text = await response.text();
  return {
    status: response.status,
    range: response.headers.get('Range'),
    body: text === '' ? undefined : (JSON.parse(text) as Json),
  };
}

async function publish(network: Network, access: string, bytes: Uint8Array<ArrayBuffer> = sample) {
  const location = await session(network, access);
  const done = await put(
    network,
    location,
    bytes.length === 0 ? 'bytes */0' : `bytes 0-${bytes.length - 1}/${bytes.length}`,
    bytes.length === 0 ? undefined : bytes,
  );
  assert.equal(done.status, 200);
  return String(done.body?.id);
}

async function published(network: Network, clientId = network.clientId) {
  const { items } = (await (await network.call(`/youtube/_videos?client_id=${clientId}`)).json()) as { items: Json[] };
  return items;
}

test('consent gives a code once, with PKCE, the same redirect_uri and the state', async (t) => {
  const network = start(t);
  const { response, page, request, channel } = await openConsent(network);
  assert.equal(response.status, 200);
  assert.match(page, /not YouTube/);
  assert.match(response.headers.get('Content-Security-Policy') ?? '', /default-src 'none'.*frame-ancestors 'none'/);
  const form: [string, string][] = [
    ['request', request],
    ['channel', channel],
    ['decision', 'allow'],
    ['scope', `${scopePrefix}youtube.upload`],
  ];
  const decided = await decide(network, form);
  assert.equal(decided.response.status, 302);
  assert.equal(decided.answer.get('state'), 'a&b');
  assert.equal(decided.answer.get('scope'), `${scopePrefix}youtube.upload`);
  assert.equal((await decide(network, form)).response.status, 400, 'the form is good once');

  const code = decided.answer.get('code') ?? '';
  assert.equal(
    (await exchange(network, code, { redirect_uri: `${redirectUri}/` })).body.error,
    'redirect_uri_mismatch',
  );
  assert.equal((await exchange(network, code, { code_verifier: 'w'.repeat(43) })).body.error, 'invalid_grant');
  assert.equal((await exchange(network, code, { client_secret: 'wrong' })).status, 401);
  const { status, body } = await exchange(network, code);
  assert.equal(status, 200);
  assert.deepEqual(Object.keys(body).sort(), ['access_token', 'expires_in', 'refresh_token', 'scope', 'token_type']);
  assert.equal(body.expires_in, 3599);
  assert.deepEqual((await exchange(network, code)).body.error, 'invalid_grant');
});

test('consent refuses bad requests without a redirect, and Deny goes back with access_denied', async (t) => {
  const network = start(t);
  const bad = [
    { client_id: 'someone-else' },
    { redirect_uri: 'javascript:alert(1)' },
    { response_type: 'token' },
    { scope: `${scopePrefix}drive` },
    { code_challenge_method: 'plain' },
  ];
  for (const extra of bad)
    assert.equal((await openConsent(network, extra)).response.status, 400, JSON.stringify(extra));
  const { request, channel } = await openConsent(network);
  const denied = await decide(network, [
    ['request', request],
    ['channel', channel],
    ['decision', 'deny'],
  ]);
  assert.equal(denied.answer.get('error'), 'access_denied');
  const late = await openConsent(network);
  network.clock.now += 10 * 60_000;
  assert.equal(
    (
      await decide(network, [
        ['request', late.request],
        ['decision', 'deny'],
      ])
    ).response.status,
    400,
  );
});

test('a new channel can be made at the consent, and its name is escaped', async (t) => {
  const network = start(t);
  const { request } = await openConsent(network);
  const form = (title: string): [string, string][] => [
    ['request', request],
    ['channel', 'new'],
    ['title', title],
    ['decision', 'allow'],
    ...bothScopes.split(' ').map((scope): [string, string] => ['scope', scope]),
  ];
  assert.equal((await decide(network, form(' '))).response.status, 400);
  const { answer } = await decide(network, form('Über <b>Vögel</b>'));
  const { body } = await exchange(network, answer.get('code') ?? '');
  const channels = await get(network, '/youtube/youtube/v3/channels?mine=true&part=snippet', String(body.access_token));
  assert.equal(at(channels.body, 'items', 0, 'snippet', 'title'), 'Über <b>Vögel</b>');
  assert.match((await openConsent(network)).page, /Über &lt;b&gt;Vögel&lt;\/b&gt;/);
});

test('refresh tokens come with the first offline consent and with prompt=consent; revoke ends the grant', async (t) => {
  const network = start(t);
  assert.equal((await connect(network, { extra: { access_type: 'online' } })).refresh, undefined);
  const first = await connect(network);
  assert.ok(first.refresh);
  assert.equal((await connect(network)).refresh, undefined);
  assert.ok((await connect(network, { extra: { prompt: 'consent' } })).refresh);

  const again = await token(network, { grant_type: 'refresh_token', refresh_token: first.refresh });
  assert.equal(again.status, 200);
  assert.equal('refresh_token' in again.body, false);
  const stranger = { ...network, clientId: `pharlo-sandbox.${randomUUID()}` };
  assert.equal(
    (await token(stranger, { grant_type: 'refresh_token', refresh_token: first.refresh })).body.error,
    'invalid_grant',
  );

  network.clock.now += 3_599_000;
  const expired = await get(network, '/youtube/youtube/v3/channels?mine=true&part=snippet', first.access);
  assert.equal(expired.status, 401);
  assert.equal(at(expired.body, 'error', 'errors', 0, 'reason'), 'authError');
  assert.match(expired.headers.get('WWW-Authenticate') ?? '', /invalid_token/);

  const revoke = () =>
    network.call(`/youtube/revoke?token=${encodeURIComponent(first.refresh ?? '')}`, { method: 'POST' });
  assert.equal((await revoke()).status, 200);
  assert.equal((await revoke()).status, 400);
  const dead = await token(network, { grant_type: 'refresh_token', refresh_token: first.refresh });
  assert.equal(dead.status, 400);
  assert.equal(dead.body.error, 'invalid_grant');
});

test('an unticked scope is missing from the answer and refused with insufficientPermissions', async (t) => {
  const network = start(t);
  const { access, body } = await connect(network, { scopes: `${scopePrefix}youtube.upload` });
  assert.equal(body.scope, `${scopePrefix}youtube.upload`);
  const refused = await get(network, '/youtube/youtube/v3/channels?mine=true&part=snippet', access);
  assert.equal(refused.status, 403);
  assert.equal(at(refused.body, 'error', 'errors', 0, 'reason'), 'insufficientPermissions');
  assert.equal((await begin(network, access)).status, 200);
});

test('the channel resource has the real shape, with numbers as strings', async (t) => {
  const network = start(t);
  const { access } = await connect(network);
  const video = await publish(network, access);
  await network.call(`/youtube/watch?v=${video}`);
  network.clock.now += 3000;
  for (const method of ['GET', 'GET', 'HEAD']) await network.call(`/youtube/watch?v=${video}`, { method });
  const { body } = await get(
    network,
    '/youtube/youtube/v3/channels?mine=true&part=snippet,statistics,contentDetails',
    access,
  );
  const channel = at(body, 'items', 0);
  assert.match(String(at(channel, 'id')), /^UC[\w-]{22}$/);
  assert.equal(at(channel, 'snippet', 'customUrl'), '@sandbox-channel');
  assert.deepEqual(at(channel, 'statistics'), {
    viewCount: '2',
    subscriberCount: '0',
    hiddenSubscriberCount: false,
    videoCount: '1',
  });
  const parts = await get(network, '/youtube/youtube/v3/channels?mine=true&part=snippet,nonsense', access);
  assert.equal(at(parts.body, 'error', 'errors', 0, 'reason'), 'unknownPart');
});

test('an insert is refused with the reasons of YouTube', async (t) => {
  const network = start(t);
  const { access } = await connect(network);
  const snippet = { title: 'x' };
  const cases: [reason: string, metadata: unknown][] = [
    ['invalidTitle', {}],
    ['invalidTitle', { snippet: { title: '' } }],
    ['invalidTitle', { snippet: { title: 'x'.repeat(101) } }],
    ['invalidTitle', { snippet: { title: 'a > b' } }],
    ['invalidDescription', { snippet: { ...snippet, description: 'é'.repeat(2501) } }],
    ['invalidTags', { snippet: { ...snippet, tags: ['x'.repeat(498), 'y'.repeat(2)] } }],
    ['invalidTags', { snippet: { ...snippet, tags: [`${'x'.repeat(497)} y`] } }],
    ['invalidCategoryId', { snippet: { ...snippet, categoryId: '9999' } }],
    ['invalidVideoMetadata', { snippet, status: { privacyStatus: 'secret' } }],
    ['invalidVideoMetadata', { snippet, status: { selfDeclaredMadeForKids: 'no' } }],
    ['invalidPublishAt', { snippet, status: { privacyStatus: 'public', publishAt: '2030-01-02T00:00:00Z' } }],
    ['badRequest', { snippet: { ...snippet, colour: 'red' } }],
    ['badRequest', { snippet, comments: [] }],
  ];
  for (const [reason, metadata] of cases) {
    const response = await begin(network, access, metadata);
    assert.equal(response.status, 400, JSON.stringify(metadata));
    assert.equal(
      at(await response.json(), 'error', 'errors', 0, 'reason'),
      reason,
      JSON.stringify(metadata).slice(0, 80),
    );
  }
  const allowed = { snippet: { title: '🎬'.repeat(100), description: 'é'.repeat(2500), tags: ['x'.repeat(498), 'y'] } };
  assert.equal((await begin(network, access, allowed)).status, 200);
  const huge = await begin(network, access, { snippet: { title: 'x', description: 'x'.repeat(1024 * 1024) } });
  assert.equal(huge.status, 413);
  assert.equal((await begin(network, access, plainMetadata, { 'X-Upload-Content-Type': 'text/html' })).status, 400);
  assert.equal((await begin(network, 'ya29.unknown')).status, 401);
});

test('chunks: 308 tells what is kept, and a wrong offset changes nothing', async (t) => {
  const network = start(t);
  const { access } = await connect(network);
  const total = sample.length;
  const location = await session(network, access, { 'X-Upload-Content-Length': String(total) });
  assert.ok(location.startsWith(`${origin}/youtube/upload/youtube/v3/videos?`));
  assert.deepEqual(await put(network, location, `bytes */${total}`), { status: 308, range: null, body: undefined });
  const odd = await put(network, location, `bytes 0-99999/${total}`, sample.subarray(0, 100_000));
  assert.equal(odd.status, 400);
  const ahead = await put(network, location, `bytes ${unit}-${total - 1}/${total}`, sample.subarray(unit));
  assert.deepEqual([ahead.status, ahead.range], [308, null]);
  const chunk = await put(network, location, `bytes 0-${unit - 1}/*`, sample.subarray(0, unit));
  assert.deepEqual([chunk.status, chunk.range], [308, `bytes=0-${unit - 1}`]);
  assert.equal(
    (await put(network, location, `bytes ${unit}-${total}/${total + 1}`, sample.subarray(unit))).status,
    400,
  );
  assert.equal((await put(network, location, 'bytes nonsense')).status, 400);
  assert.equal((await published(network)).length, 0, 'no video before the last byte');

  const last = await put(network, location, `bytes ${unit}-${total - 1}/${total}`, sample.subarray(unit));
  assert.equal(last.status, 200);
  assert.equal(at(last.body, 'status', 'uploadStatus'), 'uploaded');
  assert.match(String(last.body?.id), /^[\w-]{11}$/);
  for (const range of [`bytes */${total}`, 'bytes */*']) {
    const probe = await put(network, location, range);
    assert.deepEqual([probe.status, probe.body?.id], [200, last.body?.id]);
  }
  const [item, ...others] = await published(network);
  assert.deepEqual(others, []);
  assert.equal(item?.sha256, createHash('sha256').update(sample).digest('hex'));
  assert.deepEqual([item?.slug, item?.bytes], ['a b.mp4', total]);
});

test('an unknown total, a whole file without Content-Range, and overlapping bytes', async (t) => {
  const network = start(t);
  const { access } = await connect(network);
  const unknown = await session(network, access);
  const ahead = await put(network, unknown, `bytes ${unit}-${2 * unit - 1}/*`, sample.subarray(0, unit));
  assert.deepEqual([ahead.status, ahead.range], [308, null], 'a gap keeps nothing');
  assert.equal((await put(network, unknown, `bytes 0-${unit - 1}/*`, sample.subarray(0, unit))).status, 308);
  assert.equal((await put(network, unknown, 'bytes */*')).range, `bytes=0-${unit - 1}`);
  assert.equal((await put(network, unknown, `bytes 0-${sample.length - 1}/${sample.length}`, sample)).status, 200);

  assert.equal((await put(network, await session(network, access), undefined, sample)).status, 200);

  const exact = sample.subarray(0, unit);
  const late = await session(network, access);
  await put(network, late, `bytes 0-${unit - 1}/*`, exact);
  assert.equal(
    (await put(network, late, `bytes */${unit}`)).status,
    200,
    'the probe names the total that is already kept',
  );
  const hashes = (await published(network)).map((item) => item.sha256);
  assert.deepEqual(
    hashes,
    [sample, sample, exact].map((bytes) => createHash('sha256').update(bytes).digest('hex')),
  );
});

test('what arrived before the connection broke is kept, in whole units', async (t) => {
  const network = start(t);
  const { access } = await connect(network);
  const bytes = new Uint8Array(randomBytes(3 * unit + 500));
  bytes.set(sample.subarray(0, 4096));
  const range = `bytes 0-${bytes.length - 1}/${bytes.length}`;
  const broken = new ReadableStream({
    start(controller) {
      controller.enqueue(bytes.slice(0, 2 * unit + 100));
    },
    pull: (controller) => controller.error(new Error('connection lost')),
  });
  const location = await session(network, access);
  const answer = await put(network, location, range, broken);
  assert.deepEqual([answer.status, answer.range], [308, `bytes=0-${2 * unit - 1}`]);
  network.restart();
  assert.equal((await put(network, location, `bytes */${bytes.length}`)).range, `bytes=0-${2 * unit - 1}`);
  const rest = `bytes ${2 * unit}-${bytes.length - 1}/${bytes.length}`;
  assert.equal((await put(network, location, rest, bytes.slice(2 * unit))).status, 200);
  assert.equal((await published(network))[0]?.sha256, createHash('sha256').update(bytes).digest('hex'));
});

test('a probe ends a stalled writer and learns what it left', async (t) => {
  const network = start(t);
  const { access } = await connect(network);
  const location = await session(network, access);
  const taken = Promise.withResolvers<void>();
  const stalled = new ReadableStream({
    start: (controller) => controller.enqueue(sample.subarray(0, unit + 10)),
    pull: () => taken.resolve(),
  });
  const writing = put(network, location, `bytes 0-${sample.length - 1}/${sample.length}`, stalled);
  await taken.promise;
  const probe = await put(network, location, `bytes */${sample.length}`);
  assert.deepEqual([probe.status, probe.range], [308, `bytes=0-${unit - 1}`]);
  assert.deepEqual(await writing, probe);
});

test('sessions are unknown (404) or expired (410), and a dead bearer is refused', async (t) => {
  const network = start(t);
  const { access } = await connect(network);
  const location = await session(network, access);
  assert.equal((await put(network, `${location}x`, 'bytes */*')).status, 404);
  network.clock.now += 3_600_000;
  const response = await network.call(location, {
    method: 'PUT',
    headers: { ...authorization(access), 'Content-Range': 'bytes */*' },
  });
  assert.equal(response.status, 401);
  network.clock.now += 7 * 24 * 3_600_000;
  assert.equal((await put(network, location, 'bytes */*')).status, 410);
});

test('processing follows the clock; what is no video fails', async (t) => {
  const network = start(t);
  const { access } = await connect(network);
  const good = await publish(network, access);
  const text = await publish(network, access, new TextEncoder().encode('<?xml version="1.0"?><html/>'));
  const empty = await publish(network, access, new Uint8Array());
  const look = async (id: string) => {
    const path = `/youtube/youtube/v3/videos?id=${id}&part=status,processingDetails,statistics,fileDetails`;
    return at((await get(network, path, access)).body, 'items', 0);
  };
  const states = async (id: string) => {
    const item = await look(id);
    return [
      at(item, 'status', 'uploadStatus'),
      at(item, 'status', 'failureReason'),
      at(item, 'processingDetails', 'processingStatus'),
    ];
  };
  network.clock.now += 2999;
  assert.deepEqual(await states(good), ['uploaded', undefined, 'processing']);
  assert.deepEqual(await states(text), ['uploaded', undefined, 'processing']);
  network.clock.now += 1;
  assert.deepEqual(await states(good), ['processed', undefined, 'succeeded']);
  assert.deepEqual(await states(text), ['failed', 'invalidFile', 'failed']);
  assert.deepEqual(await states(empty), ['failed', 'emptyFile', 'failed']);
  const item = await look(good);
  assert.equal(at(item, 'snippet'), undefined, 'only the parts asked for');
  assert.deepEqual(at(item, 'fileDetails'), {
    fileName: 'a b.mp4',
    fileSize: String(sample.length),
    fileType: 'video',
  });
  assert.equal((await network.call(`/youtube/media/${text}`)).status, 404);
});

test('clients do not see each other', async (t) => {
  const network = start(t);
  const other = { ...network, clientId: `pharlo-sandbox.${randomUUID()}` };
  const mine = await connect(network);
  const theirs = await connect(other);
  const id = await publish(network, mine.access);
  const path = `/youtube/youtube/v3/videos?id=${id}&part=snippet`;
  assert.equal(at((await get(network, path, mine.access)).body, 'items', 0, 'id'), id);
  assert.deepEqual((await get(network, path, theirs.access)).body.items, []);
  assert.equal((await published(other)).length, 0);
  const channels = await get(network, '/youtube/youtube/v3/channels?mine=true&part=contentDetails', mine.access);
  const uploads = at(channels.body, 'items', 0, 'contentDetails', 'relatedPlaylists', 'uploads');
  const playlist = `/youtube/youtube/v3/playlistItems?playlistId=${uploads}&part=contentDetails`;
  assert.equal(at((await get(network, playlist, mine.access)).body, 'items', 0, 'contentDetails', 'videoId'), id);
  const refused = await get(network, playlist, theirs.access);
  assert.equal(refused.status, 404);
  assert.equal(at(refused.body, 'error', 'errors', 0, 'reason'), 'playlistNotFound');
});

test('equal uploads are never merged, are listed newest first by pages, and outlive a restart', async (t) => {
  const network = start(t);
  const { access } = await connect(network);
  const ids: string[] = [];
  for (let number = 0; number < 5; number++) ids.unshift(await publish(network, access));
  assert.equal(new Set(ids).size, 5);
  network.restart();
  const channels = await get(network, '/youtube/youtube/v3/channels?mine=true&part=contentDetails', access);
  const uploads = at(channels.body, 'items', 0, 'contentDetails', 'relatedPlaylists', 'uploads');
  const listed: unknown[] = [];
  const positions: unknown[] = [];
  let token = '';
  do {
    const query = `playlistId=${uploads}&part=snippet,contentDetails&maxResults=2${token && `&pageToken=${token}`}`;
    const { body } = await get(network, `/youtube/youtube/v3/playlistItems?${query}`, access);
    const items = body.items as Json[];
    listed.push(...items.map((item) => at(item, 'contentDetails', 'videoId')));
    positions.push(...items.map((item) => at(item, 'snippet', 'position')));
    token = String(body.nextPageToken ?? '');
  } while (token !== '');
  assert.deepEqual(listed, ids);
  assert.deepEqual(positions, [0, 1, 2, 3, 4]);
});

test('media and the sample answer ranges and HEAD; the watch page escapes its texts', async (t) => {
  const network = start(t);
  const { access } = await connect(network);
  const id = await publish(network, access);
  for (const path of ['/sample.mp4', `/youtube/media/${id}`]) {
    const part = await network.call(path, { headers: { Range: 'bytes=4-7' } });
    assert.deepEqual([part.status, part.headers.get('Content-Range')], [206, `bytes 4-7/${sample.length}`]);
    assert.equal(await part.text(), 'ftyp');
    const head = await network.call(path, { method: 'HEAD' });
    assert.deepEqual(
      [head.headers.get('Content-Length'), head.headers.get('Content-Type')],
      [String(sample.length), 'video/mp4'],
    );
    assert.equal((await network.call(path, { headers: { Range: `bytes=${sample.length}-` } })).status, 416);
    const tail = await network.call(path, { headers: { Range: 'bytes=-5' } });
    assert.deepEqual(new Uint8Array(await tail.arrayBuffer()), new Uint8Array(sample.subarray(-5)));
    assert.equal(tail.headers.get('X-Content-Type-Options'), 'nosniff');
  }
  const metadata = { snippet: { title: '"A" & \'B\'', tags: ['&amp;'] } };
  const location = (await begin(network, access, metadata)).headers.get('Location') ?? '';
  const { body } = await put(network, location, undefined, sample);
  network.clock.now += 3000;
  const page = await (await network.call(`/youtube/watch?v=${body?.id}`)).text();
  assert.match(page, /<h1>&quot;A&quot; &amp; &#39;B&#39;<\/h1>/);
  assert.match(page, /<video[^>]+controls/);
  assert.match(page, /#&amp;amp;/);
});

test('unknown paths and methods are refused in the right shape', async (t) => {
  const network = start(t);
  const wrong = await network.call('/youtube/token');
  assert.deepEqual([wrong.status, wrong.headers.get('Allow')], [405, 'POST']);
  assert.equal((await network.call('/youtube/watch', { method: 'DELETE' })).status, 405);
  const unknown = await network.call('/youtube/youtube/v3/search');
  assert.equal(unknown.status, 404);
  assert.equal(at(await unknown.json(), 'error', 'code'), 404);
  assert.equal((await network.call('/health')).status, 200);
  assert.equal((await network.call('/youtube/watch?v=nothing')).status, 404);
});
