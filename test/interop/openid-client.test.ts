import assert from 'node:assert/strict';
import { test } from 'node:test';
import * as openid from 'openid-client';
import { startHarness } from '../harness.ts';
import { allow, auditOf, revokeGrants } from './person.ts';

const redirectUri = 'http://127.0.0.1:4321/callback';

test('openid-client goes from discovery to a call, refreshes, and learns of a revocation', async () => {
  await using pharlo = await startHarness();
  const resource = `${pharlo.url}/_mcp`;
  const config = await openid.dynamicClientRegistration(
    new URL(pharlo.url),
    { client_name: 'openid-client', redirect_uris: [redirectUri], token_endpoint_auth_method: 'none' },
    openid.None(),
    { algorithm: 'oauth2', execute: [openid.allowInsecureRequests] },
  );
  assert.equal(config.serverMetadata().supportsPKCE(), true);
  const call = async (token: string, method: string, params: object = {}) => {
    const headers = { 'content-type': 'application/json', accept: 'application/json, text/event-stream' };
    const body = JSON.stringify({ jsonrpc: '2.0', id: 1, method, params });
    const url = new URL(resource);
    const answer = await openid.fetchProtectedResource(config, token, url, 'POST', body, new Headers(headers));
    return ((await answer.json()) as { result: { tools?: unknown[]; structuredContent?: object } }).result;
  };

  const pkceCodeVerifier = openid.randomPKCECodeVerifier();
  const expectedState = openid.randomState();
  const link = openid.buildAuthorizationUrl(config, {
    redirect_uri: redirectUri,
    code_challenge: await openid.calculatePKCECodeChallenge(pkceCodeVerifier),
    code_challenge_method: 'S256',
    state: expectedState,
    resource,
  });
  const callback = new URL(await allow(pharlo, link));
  const checks = { pkceCodeVerifier, expectedState };
  const first = await openid.authorizationCodeGrant(config, callback, checks, { resource });
  assert.ok((await call(first.access_token, 'tools/list')).tools?.length);
  const listed = await call(first.access_token, 'tools/call', { name: 'list_platforms', arguments: {} });
  assert.ok(listed.structuredContent);

  await pharlo.advance(3_601_000);
  await assert.rejects(call(first.access_token, 'tools/list'), (error: unknown) => {
    assert.ok(error instanceof openid.WWWAuthenticateChallengeError);
    assert.equal(error.status, 401);
    assert.equal(error.cause[0]?.parameters.error, 'invalid_token');
    return true;
  });
  const second = await openid.refreshTokenGrant(config, first.refresh_token ?? '', { resource });
  assert.ok((await call(second.access_token, 'tools/list')).tools?.length);
  assert.deepEqual((await auditOf(pharlo)).slice(-3), ['oauth.grant ok', 'oauth.exchange ok', 'oauth.refresh ok']);

  await revokeGrants(pharlo);
  await assert.rejects(call(second.access_token, 'tools/list'), { status: 401 });
  const refused = openid.refreshTokenGrant(config, second.refresh_token ?? '', { resource });
  await assert.rejects(refused, { status: 400, error: 'invalid_grant' });
});
