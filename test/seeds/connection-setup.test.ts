import assert from 'node:assert/strict';
import { after, before, test } from 'node:test';
import type { Harness } from '../harness.ts';
import {
  type Answer,
  authorizeUrl,
  callMcp,
  consent,
  curl,
  exchange,
  getCode,
  getTokens,
  issuer,
  makePkce,
  outcome,
  redirectUri,
  refresh,
  register,
  send,
  startPublic,
} from './wire.ts';

// The guide "MCP Connection Setup", step by step. Where the product decided otherwise, the title names the subject.

let pharlo: Harness;
before(async () => {
  pharlo = await startPublic();
});
after(() => pharlo[Symbol.asyncDispose]());

const asked = 'assignments:read assignments:write connections:read stats:read';

const registration = `curl -X POST https://pharlo.io/oauth/mcp/register \\
-H "Content-Type: application/json" \\
-d '{
"client_name": "My AI Agent",
"redirect_uris": ["https://my-agent.example.com/oauth/callback"],
"grant_types": ["authorization_code", "refresh_token"],
"response_types": ["code"],
"token_endpoint_auth_method": "none",
"scope": "assignments:read assignments:write connections:read stats:read"
}'`;

const exchangeOf = (
  clientId: string,
  code: string,
  verifier: string,
) => `curl -X POST https://pharlo.io/oauth/mcp/token \\
-H "Content-Type: application/x-www-form-urlencoded" \\
-d "grant_type=authorization_code\\
&client_id=${clientId}\\
&code=${code}\\
&redirect_uri=https://my-agent.example.com/oauth/callback\\
&code_verifier=${verifier}"`;

const refreshOf = (clientId: string, token: string) => `curl -X POST https://pharlo.io/oauth/mcp/token \\
-H "Content-Type: application/x-www-form-urlencoded" \\
-d "grant_type=refresh_token\\
&client_id=${clientId}\\
&refresh_token=${token}"`;

function assertTokens({ status, headers, json }: Answer, scope: string): { access: string; refresh: string } {
  assert.equal(status, 200);
  assert.equal(headers.get('cache-control'), 'no-store');
  assert.deepEqual(Object.keys(json), ['access_token', 'token_type', 'expires_in', 'refresh_token', 'scope']);
  assert.match(String(json.access_token), /^mcp_at_[\w-]{43}$/);
  assert.match(String(json.refresh_token), /^mcp_rt_[\w-]{43}$/);
  assert.equal(json.token_type, 'Bearer');
  assert.equal(json.expires_in, 3600);
  assert.equal(json.scope, scope);
  return { access: String(json.access_token), refresh: String(json.refresh_token) };
}

test('discover server metadata [scopes: both vocabularies are offered]', async () => {
  const { status, json } = await curl(pharlo, 'curl https://pharlo.io/.well-known/oauth-authorization-server');
  assert.equal(status, 200);
  assert.equal(json.issuer, 'https://pharlo.io');
  assert.equal(json.authorization_endpoint, 'https://pharlo.io/oauth/mcp/authorize');
  assert.equal(json.token_endpoint, 'https://pharlo.io/oauth/mcp/token');
  assert.equal(json.registration_endpoint, 'https://pharlo.io/oauth/mcp/register');
  assert.deepEqual(json.scopes_supported, [
    'assignments:read',
    'assignments:write',
    'connections:read',
    'connections:write',
    'platforms:read',
    'webhooks:read',
    'stats:read',
    'mcp.read',
    'mcp.write',
  ]);
  assert.deepEqual(json.code_challenge_methods_supported, ['S256']);
  assert.deepEqual(json.grant_types_supported, ['authorization_code', 'refresh_token']);
});

test('register your client [register answer: no client_secret member for a public client]', async () => {
  const { status, json } = await curl(pharlo, registration);
  assert.equal(status, 201);
  assert.match(String(json.client_id), /^mcp_client_\w/);
  assert.ok(!('client_secret' in json));
  assert.deepEqual(json.redirect_uris, ['https://my-agent.example.com/oauth/callback']);
  assert.equal(json.scope, asked);
  assert.equal((await curl(pharlo, registration)).json.client_id, json.client_id, 'registering once is enough');
});

test('the whole flow as printed: register, authorize, exchange, call, refresh', async () => {
  const clientId = String((await curl(pharlo, registration)).json.client_id);
  const { codeVerifier, codeChallenge } = makePkce();
  const url = `https://pharlo.io/oauth/mcp/authorize?client_id=${clientId}&response_type=code\
&redirect_uri=https://my-agent.example.com/oauth/callback\
&scope=assignments:read%20assignments:write%20connections:read%20stats:read\
&code_challenge=${codeChallenge}&code_challenge_method=S256&state=RANDOM_CSRF_TOKEN`;
  const callback = await consent(pharlo, url);
  assert.equal(callback.origin + callback.pathname, redirectUri);
  assert.equal(callback.searchParams.get('state'), 'RANDOM_CSRF_TOKEN');
  const code = callback.searchParams.get('code') ?? '';
  assert.ok(code);

  const first = assertTokens(await curl(pharlo, exchangeOf(clientId, code, codeVerifier)), asked);
  assert.equal((await callMcp(pharlo, `Bearer ${first.access}`)).status, 200);
  const printed = await curl(pharlo, `curl https://pharlo.io/_mcp \\\n-H "Authorization: Bearer ${first.access}"`);
  assert.equal(printed.status, 405, 'the bearer is accepted; the transport takes POST');
  assert.equal(printed.headers.get('allow'), 'POST');

  await pharlo.advance(3_601_000);
  assert.equal((await callMcp(pharlo, `Bearer ${first.access}`)).status, 401);
  const second = assertTokens(await curl(pharlo, refreshOf(clientId, first.refresh)), asked);
  assert.notEqual(second.access, first.access);
  assert.notEqual(second.refresh, first.refresh);
  assert.equal((await callMcp(pharlo, `Bearer ${second.access}`)).status, 200);
});

test('the consent page takes the key, which is no bearer of /_mcp afterwards', async () => {
  const clientId = await register(pharlo);
  const url = authorizeUrl({ client_id: clientId, code_challenge: makePkce().codeChallenge });
  await assert.rejects(consent(pharlo, url, { key: `ds_live_${'x'.repeat(43)}` }), /status 400/);
  assert.ok((await consent(pharlo, url)).searchParams.get('code'));
  assert.equal((await callMcp(pharlo, `Bearer ${pharlo.key}`)).status, 401);
});

test('an SDK that is given the URL and the token works: handshake, list, "my last 5 assignment statuses"', async () => {
  const bearer = `Bearer ${(await getTokens(pharlo, await register(pharlo))).access_token}`;
  const opened = await callMcp(pharlo, bearer, 'initialize', {
    protocolVersion: '2025-06-18',
    capabilities: {},
    clientInfo: { name: 'agent', version: '1' },
  });
  assert.equal((opened.json.result as { protocolVersion: string }).protocolVersion, '2025-06-18');
  const called = await callMcp(pharlo, bearer, 'tools/call', { name: 'list_assignments', arguments: { limit: 5 } });
  const { isError, structuredContent } = called.json.result as { isError?: boolean; structuredContent: object };
  assert.ok(!isError);
  assert.deepEqual(structuredContent, { items: [], total: 0, page: 1, limit: 5 });
});

test('calls through MCP carry a surcharge of 20 % over REST [surcharge: exact]', async () => {
  const bearer = `Bearer ${(await getTokens(pharlo, await register(pharlo))).access_token}`;
  const rest = await send(pharlo, `${issuer}/api/v1/assignments`, { headers: { authorization: bearer } });
  assert.equal(rest.headers.get('x-credits-used'), '1');
  const { json } = await callMcp(pharlo, bearer, 'tools/call', { name: 'list_assignments', arguments: {} });
  const { _meta } = json.result as { _meta: Record<string, { used: number }> };
  assert.equal(_meta['pharlo.io/credits']?.used, 1.2);
});

test('an authorization code is single-use and ends after a few minutes', async () => {
  const clientId = await register(pharlo);
  const late = await getCode(pharlo, clientId);
  await pharlo.advance(170_000);
  const inTime = await getCode(pharlo, clientId);
  await pharlo.advance(11_000);
  assert.deepEqual(outcome(await exchange(pharlo, late)), [400, 'invalid_grant']);
  assert.deepEqual(outcome(await exchange(pharlo, inTime)), [200, 'ok']);
  assert.deepEqual(outcome(await exchange(pharlo, inTime)), [400, 'invalid_grant']);
  const anew = await getCode(pharlo, clientId);
  assert.deepEqual(outcome(await exchange(pharlo, anew)), [200, 'ok'], 'a restarted flow succeeds');
});

test('redirect_uri must match exactly, trailing slash included, at both endpoints', async () => {
  const clientId = await register(pharlo);
  const { codeChallenge } = makePkce();
  for (const other of [`${redirectUri}/`, `${redirectUri}?a=1`, redirectUri.toUpperCase(), 'https://evil.example/cb']) {
    const url = authorizeUrl({ client_id: clientId, code_challenge: codeChallenge, redirect_uri: other });
    const refused = await send(pharlo, url);
    assert.equal(refused.status, 400, other);
    assert.equal(refused.headers.get('location'), null);
    const form = await getCode(pharlo, clientId);
    const answer = await exchange(pharlo, { ...form, redirect_uri: other });
    assert.deepEqual(outcome(answer), [400, 'invalid_grant'], other);
  }
  const withSlash = await register(pharlo, { client_name: 'Slash', redirect_uris: [`${redirectUri}/`] });
  const form = await getCode(pharlo, withSlash, { redirect_uri: `${redirectUri}/` });
  assert.deepEqual(outcome(await exchange(pharlo, { ...form, redirect_uri: redirectUri })), [400, 'invalid_grant']);
});

test('code_verifier must hash to the challenge', async () => {
  const form = await getCode(pharlo, await register(pharlo));
  for (const verifier of [makePkce().codeVerifier, `${form.code_verifier}A`]) {
    const answer = await exchange(pharlo, { ...form, code_verifier: verifier });
    assert.deepEqual(outcome(answer), [400, 'invalid_grant']);
  }
});

test('/_mcp answers 401 to a token that expired, was revoked, is missing or has extra whitespace', async () => {
  const clientId = await register(pharlo);
  const key = await pharlo.newKey();
  const { access_token: token, refresh_token: renewal } = await getTokens(pharlo, clientId, {}, { key });
  const refused = [
    undefined,
    token,
    `Bearer  ${token}`,
    `Bearer\t${token}`,
    `Bearer ${token.slice(0, 20)} ${token.slice(20)}`,
    `Bearer "${token}"`,
  ];
  for (const authorization of refused) {
    const answer = await callMcp(pharlo, authorization);
    assert.equal(answer.status, 401, String(authorization));
    const metadata = 'resource_metadata="https://pharlo.io/.well-known/oauth-protected-resource/_mcp"';
    assert.ok(answer.headers.get('www-authenticate')?.includes(metadata));
  }
  assert.equal((await callMcp(pharlo, `Bearer ${token}`)).status, 200);

  await pharlo.advance(3_590_000);
  assert.equal((await callMcp(pharlo, `Bearer ${token}`)).status, 200, 'one hour is not over');
  await pharlo.advance(11_000);
  assert.equal((await callMcp(pharlo, `Bearer ${token}`)).status, 401);
  const { json } = await refresh(pharlo, clientId, renewal);
  assert.equal((await callMcp(pharlo, `Bearer ${json.access_token}`)).status, 200, 'the refresh flow repairs it');

  const revoked = { client_id: clientId, token: String(json.refresh_token) };
  const body = new URLSearchParams(revoked).toString();
  const headers = { 'content-type': 'application/x-www-form-urlencoded' };
  const answer = await send(pharlo, `${issuer}/oauth/mcp/revoke`, { method: 'POST', headers, body });
  assert.equal(answer.status, 200);
  assert.equal((await callMcp(pharlo, `Bearer ${json.access_token}`)).status, 401);
  const again = await getTokens(pharlo, clientId, {}, { key });
  assert.equal((await callMcp(pharlo, `Bearer ${again.access_token}`)).status, 200, 'authorizing again repairs it');
});

test('a refresh invalidates the old refresh token; the new one lives 30 days [dead refresh token: 401 for plain clients]', async () => {
  const clientId = await register(pharlo);
  const first = await getTokens(pharlo, clientId);
  const { json: second } = await refresh(pharlo, clientId, first.refresh_token);
  assert.deepEqual(outcome(await refresh(pharlo, clientId, first.refresh_token)), [401, 'invalid_token']);
  const day = 86_400_000;
  await pharlo.advance(30 * day - 10_000);
  const third = await refresh(pharlo, clientId, String(second.refresh_token));
  assert.equal(third.status, 200, 'not over yet');
  await pharlo.advance(30 * day + 1_000);
  assert.deepEqual(outcome(await refresh(pharlo, clientId, String(third.json.refresh_token))), [401, 'invalid_token']);
  assert.equal((await exchange(pharlo, await getCode(pharlo, clientId))).status, 200, 'authorizing again repairs it');
});

test('only https://claude.ai and https://claude.com may call from a browser; servers send no origin', async () => {
  const bearer = `Bearer ${(await getTokens(pharlo, await register(pharlo))).access_token}`;
  const asking = { 'access-control-request-method': 'POST', 'access-control-request-headers': 'authorization' };
  const preflight = (path: string, origin: string) =>
    send(pharlo, issuer + path, { method: 'OPTIONS', headers: { origin, ...asking } });
  for (const origin of ['https://claude.ai', 'https://claude.com']) {
    for (const path of ['/_mcp', '/oauth/mcp/token', '/oauth/mcp/register']) {
      const answer = await preflight(path, origin);
      assert.equal(answer.status, 204, path);
      assert.equal(answer.headers.get('access-control-allow-origin'), origin, path);
      assert.match(answer.headers.get('access-control-allow-headers') ?? '', /authorization/, path);
      assert.equal(answer.headers.get('access-control-allow-credentials'), null, path);
    }
    const answer = await callMcp(pharlo, bearer, 'tools/list', {}, { origin });
    assert.equal(answer.status, 200);
    assert.equal(answer.headers.get('access-control-allow-origin'), origin);
  }
  const foreign = [
    'http://claude.ai',
    'https://www.claude.ai',
    'https://claude.ai.evil.example',
    'https://claude.ai:8443',
    'https://evil.example',
    'null',
  ];
  for (const origin of foreign) {
    const answer = await callMcp(pharlo, bearer, 'tools/list', {}, { origin });
    assert.equal(answer.status, 403, origin);
    assert.equal(answer.headers.get('access-control-allow-origin'), null, origin);
    for (const path of ['/_mcp', '/oauth/mcp/token', '/oauth/mcp/register']) {
      assert.equal((await preflight(path, origin)).headers.get('access-control-allow-origin'), null, path + origin);
    }
  }
  assert.equal((await callMcp(pharlo, bearer)).status, 200);
});
