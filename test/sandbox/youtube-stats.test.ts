import assert from 'node:assert/strict';
import { test } from 'node:test';
import {
  at,
  begin,
  bothScopes,
  connect,
  decide,
  exchange,
  get,
  type Network,
  openConsent,
  publish,
  put,
  sample,
  start,
} from './client.ts';

async function channelOf(network: Network, access: string) {
  const { body } = await get(network, '/youtube/youtube/v3/channels?mine=true&part=statistics', access);
  return at(body, 'items', 0, 'statistics');
}

async function videoOf(network: Network, access: string, id: string) {
  const { body } = await get(network, `/youtube/youtube/v3/videos?id=${id}&part=statistics`, access);
  return at(body, 'items', 0, 'statistics');
}

const watch = (network: Network, id: string, method = 'GET') =>
  network.call(`/youtube/watch?v=${id}`, { method }).then((response) => response.text());

test('numbers are strings, and views rise with every look at a video that plays', async (t) => {
  const network = start(t);
  const { access } = await connect(network);
  const id = await publish(network, access);
  const other = await publish(network, access);
  await watch(network, id);
  const none = { viewCount: '0', likeCount: '0', dislikeCount: '0', favoriteCount: '0', commentCount: '0' };
  assert.deepEqual(await videoOf(network, access, id), none, 'nobody can watch what is still being processed');
  network.clock.now += 3000;
  assert.match(await watch(network, id), /1 view /);
  await watch(network, id, 'HEAD');
  await network.call(`/youtube/media/${id}`);
  assert.match(await watch(network, id), /2 views /);
  await watch(network, other);
  assert.deepEqual(await videoOf(network, access, id), { ...none, viewCount: '2' });
  assert.deepEqual(await channelOf(network, access), {
    viewCount: '3',
    subscriberCount: '0',
    hiddenSubscriberCount: false,
    videoCount: '2',
  });
  network.restart();
  assert.deepEqual(await videoOf(network, access, other), { ...none, viewCount: '1' });
});

test('a new channel may hide its number of subscribers', async (t) => {
  const network = start(t);
  const open = async (...extra: [string, string][]) => {
    const { request, page } = await openConsent(network);
    assert.match(page, /name="hidesSubscribers"/);
    const { answer } = await decide(network, [
      ['request', request],
      ['channel', 'new'],
      ['title', 'A quiet one'],
      ...bothScopes.split(' ').map((scope): [string, string] => ['scope', scope]),
      ['decision', 'allow'],
      ...extra,
    ]);
    const { body } = await exchange(network, answer.get('code') ?? '');
    return at(await channelOf(network, String(body.access_token)), 'hiddenSubscriberCount');
  };
  assert.equal(await open(['hidesSubscribers', 'yes']), true);
  assert.equal(await open(), false);
});

test('a video made for children has no comments to count', async (t) => {
  const network = start(t);
  const { access } = await connect(network);
  const metadata = { snippet: { title: 'A story' }, status: { selfDeclaredMadeForKids: true } };
  const location = (await begin(network, access, metadata)).headers.get('Location') ?? '';
  const { body } = await put(network, location, undefined, sample);
  const statistics = await videoOf(network, access, String(body?.id));
  assert.equal(at(statistics, 'likeCount'), '0');
  assert.equal(at(statistics, 'commentCount'), undefined);
});
