import assert from 'node:assert/strict';
import { test } from 'node:test';
import * as oauth from 'oauth4webapi';
import { authenticate, challenge } from '../../src/oauth/index.ts';
import { createServer, issuer } from './server.ts';

test('a strict client goes from the challenge of /_mcp to a refreshed token', async () => {
  await using server = await createServer();
  const { key } = await server.addKey();
  const via = { [oauth.customFetch]: (url: string, init: object) => server.fetch(url, init as RequestInit) };

  const resource = new URL(`${issuer}/_mcp`);
  const url = /resource_metadata="([^"]+)"/.exec(challenge(server.deps, false))?.[1];
  assert.equal(url, `${issuer}/.well-known/oauth-protected-resource/_mcp`);
  const found = await oauth.processResourceDiscoveryResponse(
    resource,
    await oauth.resourceDiscoveryRequest(resource, via),
  );
  const server1 = new URL(found.authorization_servers?.[0] ?? '');
  const discovery = await oauth.discoveryRequest(server1, { algorithm: 'oauth2', ...via });
  const as = await oauth.processDiscoveryResponse(server1, discovery);

  const redirect_uri = 'http://127.0.0.1:4321/cb';
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
  const started = await server.authorize(client.client_id, {
    redirect_uri,
    code_challenge: await oauth.calculatePKCECodeChallenge(code_verifier),
    state,
    resource: found.resource,
    scope: found.scopes_supported?.join(' '),
  });
  const cookie = started.headers.get('set-cookie')?.split(';')[0] ?? '';
  const decided = await server.allow({ page: started.headers.get('location') ?? '', cookie }, key);
  const callback = new URL(decided.headers.get('location') ?? '');
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

  await server.advance(3601);
  assert.equal((await authenticate(server.deps, `Bearer ${first.access_token}`, 'mcp')).ok, false);
  const renew = (token: string) => oauth.refreshTokenGrantRequest(as, client, oauth.None(), token, via);
  const second = await oauth.processRefreshTokenResponse(as, client, await renew(first.refresh_token ?? ''));
  assert.equal((await authenticate(server.deps, `Bearer ${second.access_token}`, 'mcp')).ok, true);

  await server.query('update oauth_grants set revoked_at = pharlo_now()');
  const dead = await renew(second.refresh_token ?? '');
  await assert.rejects(oauth.processRefreshTokenResponse(as, client, dead), { status: 400, error: 'invalid_grant' });
});
