import assert from 'node:assert/strict';
import { randomUUID } from 'node:crypto';
import { test } from 'node:test';
import { at, begin, connect, get, type Json, publish, published, put, sample, start } from './client.ts';

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
