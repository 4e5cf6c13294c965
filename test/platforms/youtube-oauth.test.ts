import assert from 'node:assert/strict';
import { test } from 'node:test';
import { youtube } from '../../src/platforms/youtube/index.ts';
import { codeVerifier, createWorld, failing, googleError, redirectUri, signal } from './world.ts';

const { oauth } = youtube;
const prefix = 'https://www.googleapis.com/auth/';

test('a consent opens one channel', async (t) => {
  const world = createWorld(t);
  const { url, code, state } = await world.consent();
  assert.equal(state, 'a&b');
  assert.equal(url.searchParams.get('access_type'), 'offline');
  assert.equal(url.searchParams.get('prompt'), 'consent');
  assert.equal(url.searchParams.get('code_challenge_method'), 'S256');
  const tokens = await oauth.exchange(world.network, { code, redirectUri, codeVerifier }, world.clock.now, signal);
  assert.equal(tokens.expiresAt, world.clock.now + 3_599_000);
  assert.deepEqual(tokens.scopes, [`${prefix}youtube.upload`, `${prefix}youtube.readonly`]);
  assert.ok(tokens.refreshToken);

  const accounts = await oauth.accounts(world.network, tokens, signal);
  assert.equal(accounts.length, 1);
  assert.match(accounts[0]?.id ?? '', /^UC/);
  assert.equal(accounts[0]?.name, 'Sandbox Channel');
  assert.equal(accounts[0]?.handle, '@sandbox-channel');
  assert.ok(accounts[0]?.thumbnailUrl?.startsWith('http://127.0.0.1:3000/youtube/'));
  assert.equal(accounts[0]?.tokens, tokens);
});

test('a code works once, and only with its verifier', async (t) => {
  const world = createWorld(t);
  const { code } = await world.consent();
  const exchange = (verifier: string) =>
    oauth.exchange(world.network, { code, redirectUri, codeVerifier: verifier }, world.clock.now, signal);
  await assert.rejects(exchange('w'.repeat(43)), failing('reauthorize', 'grant_invalid'));
  await exchange(codeVerifier);
  await assert.rejects(exchange(codeVerifier), failing('reauthorize', 'grant_invalid'));
});

for (const granted of ['youtube.upload', 'youtube.readonly']) {
  test(`a consent with nothing but ${granted} is refused`, async (t) => {
    const world = createWorld(t);
    const { code } = await world.consent([granted]);
    const exchange = oauth.exchange(world.network, { code, redirectUri, codeVerifier }, world.clock.now, signal);
    await assert.rejects(exchange, failing('rejected', 'scope_missing'));
  });
}

test('a refresh keeps the refresh token that the answer does not repeat', async (t) => {
  const world = createWorld(t);
  const { tokens } = await world.connect();
  world.clock.now += 3_000_000;
  const fresh = await oauth.refresh(world.network, tokens, world.clock.now, signal);
  assert.notEqual(fresh.accessToken, tokens.accessToken);
  assert.equal(fresh.refreshToken, tokens.refreshToken);
  assert.equal(fresh.expiresAt, world.clock.now + 3_599_000);
  assert.deepEqual(fresh.scopes, tokens.scopes);
});

test('only invalid_grant ends a grant', async (t) => {
  const world = createWorld(t);
  const { tokens } = await world.connect();
  const refresh = () => oauth.refresh(world.network, tokens, world.clock.now, signal);
  world.around = () => Promise.reject(new Error('reset'));
  await assert.rejects(refresh, failing('retry', 'platform_unreachable'));
  world.around = () => Response.json({ error: 'invalid_grant' }, { status: 503 });
  await assert.rejects(refresh, failing('retry', 'platform_unavailable'));
  world.around = () => Response.json({ error: 'invalid_client' }, { status: 401 });
  await assert.rejects(refresh, failing('rejected', 'client_refused'));
  world.around = () => Response.json({ token: 'elsewhere' });
  await assert.rejects(refresh, failing('retry', 'platform_unexpected'));
  world.around = () => Response.json({ error: 'invalid_grant' }, { status: 400 });
  await assert.rejects(refresh, failing('reauthorize', 'grant_invalid'));
});

test('a revoked grant is dead, and revoking it again is no error', async (t) => {
  const world = createWorld(t);
  const { tokens } = await world.connect();
  await oauth.revoke?.(world.network, tokens, signal);
  await assert.rejects(
    oauth.refresh(world.network, tokens, world.clock.now, signal),
    failing('reauthorize', 'grant_invalid'),
  );
  await assert.rejects(oauth.accounts(world.network, tokens, signal), failing('reauthorize', 'token_rejected'));
  await oauth.revoke?.(world.network, tokens, signal);
});

test('an account without a channel cannot be connected', async (t) => {
  const world = createWorld(t);
  const { tokens } = await world.connect();
  const accounts = () => oauth.accounts(world.network, tokens, signal);
  world.around = () => Response.json({ kind: 'youtube#channelListResponse' });
  await assert.rejects(accounts, failing('rejected', 'no_channel'));
  world.around = () => googleError(401, 'youtubeSignupRequired');
  await assert.rejects(accounts, failing('rejected', 'no_channel'));
});

test('an abort is told apart from a failure', async (t) => {
  const world = createWorld(t);
  const { tokens } = await world.connect();
  const controller = new AbortController();
  const reason = new Error('stopping');
  world.around = () => {
    controller.abort(reason);
    throw new DOMException('aborted', 'AbortError');
  };
  await assert.rejects(oauth.accounts(world.network, tokens, controller.signal), reason);
});
