import assert from 'node:assert/strict';
import { createHash, randomBytes } from 'node:crypto';
import { test } from 'node:test';
import {
  at,
  authorization,
  begin,
  connect,
  origin,
  plainMetadata,
  published,
  put,
  sample,
  session,
  start,
  unit,
} from './client.ts';

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
