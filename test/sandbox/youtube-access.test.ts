import assert from 'node:assert/strict';
import { randomUUID } from 'node:crypto';
import { test } from 'node:test';
import {
  at,
  begin,
  bothScopes,
  connect,
  decide,
  exchange,
  get,
  openConsent,
  publish,
  redirectUri,
  scopePrefix,
  start,
  token,
} from './client.ts';

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
