import assert from 'node:assert/strict';
import { test } from 'node:test';
import * as oauth from 'oauth4webapi';
import { startHarness } from '../harness.ts';
import { allow, auditOf, revokeGrants } from '../interop/person.ts';

const redirect_uri = 'http://127.0.0.1:4321/cb';

test('oauth4webapi goes from the challenge of /_mcp to a call, refreshes, and learns of a revocation', async () => {
  await using pharlo = await startHarness();
  const via = { [oauth.allowInsecureRequests]: true };
  const resource = new URL(`${pharlo.url}/_mcp`);
  const call = async (token: string, method: string, params: object = {}) => {
    const headers = new Headers({ 'content-type': 'application/json', accept: 'application/json, text/event-stream' });
    const body = JSON.stringify({ jsonrpc: '2.0', id: 1, method, params });
    const answer = await oauth.protectedResourceRequest(token, 'POST', resource, headers, body, via);
    return ((await answer.json()) as { result: { tools?: unknown[]; structuredContent?: object } }).result;
  };

  const challenged = (await fetch(resource)).headers.get('www-authenticate') ?? '';
  const url = /resource_metadata="([^"]+)"/.exec(challenged)?.[1];
  assert.equal(url, `${pharlo.url}/.well-known/oauth-protected-resource/_mcp`);
  const found = await oauth.processResourceDiscoveryResponse(
    resource,
    await oauth.resourceDiscoveryRequest(resource, via),
  );
  const issuer = new URL(found.authorization_servers?.[0] ?? '');
  const discovery = await oauth.discoveryRequest(issuer, { algorithm: 'oauth2', ...via });
  const as = await oauth.processDiscoveryResponse(issuer, discovery);
  const metadata = {
    redirect_uris: ['http://127.0.0.1/cb'],
    token_endpoint_auth_method: 'none',
    client_name: 'Strict',
  };
  const client = await oauth.processDynamicClientRegistrationResponse(
    await oauth.dynamicClientRegistrationRequest(as, metadata, via),
  );

  const code_verifier = oauth.generateRandomCodeVerifier();
  const state = oauth.generateRandomState();
  const query = new URLSearchParams({
    client_id: client.client_id,
    redirect_uri,
    response_type: 'code',
    code_challenge: await oauth.calculatePKCECodeChallenge(code_verifier),
    code_challenge_method: 'S256',
    state,
    resource: found.resource,
    scope: found.scopes_supported?.join(' ') ?? '',
  });
  const callback = new URL(await allow(pharlo, `${as.authorization_endpoint}?${query}`));
  assert.ok(callback.href.startsWith(redirect_uri));
  const parameters = oauth.validateAuthResponse(as, client, callback, state);
  const exchange = await oauth.authorizationCodeGrantRequest(
    as,
    client,
    oauth.None(),
    parameters,
    redirect_uri,
    code_verifier,
    { additionalParameters: { resource: resource.href }, ...via },
  );
  const first = await oauth.processAuthorizationCodeResponse(as, client, exchange);
  assert.equal(first.token_type, 'bearer');
  assert.equal(first.scope, found.scopes_supported?.join(' '));
  assert.ok((await call(first.access_token, 'tools/list')).tools?.length);
  const listed = await call(first.access_token, 'tools/call', { name: 'list_platforms', arguments: {} });
  assert.ok(listed.structuredContent);

  await pharlo.advance(3_601_000);
  await assert.rejects(call(first.access_token, 'tools/list'), { status: 401 });
  const renew = (token: string) => oauth.refreshTokenGrantRequest(as, client, oauth.None(), token, via);
  const second = await oauth.processRefreshTokenResponse(as, client, await renew(first.refresh_token ?? ''));
  assert.ok((await call(second.access_token, 'tools/list')).tools?.length);
  assert.deepEqual(await auditOf(pharlo), ['oauth.grant ok', 'oauth.exchange ok', 'oauth.refresh ok']);

  await revokeGrants(pharlo);
  await assert.rejects(call(second.access_token, 'tools/list'), { status: 401 });
  const dead = await renew(second.refresh_token ?? '');
  await assert.rejects(oauth.processRefreshTokenResponse(as, client, dead), { status: 400, error: 'invalid_grant' });
});
