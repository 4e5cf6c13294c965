import assert from 'node:assert/strict';
import { after, before, test } from 'node:test';
import { sweepExpired } from '../../src/store/sweep.ts';
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
  postForm,
  refresh,
  register,
  send,
  startPublic,
} from './wire.ts';

// The reference "MCP OAuth", endpoint by endpoint. Where the product decided otherwise, the title names the subject.

let pharlo: Harness;
before(async () => {
  pharlo = await startPublic();
});
after(() => pharlo[Symbol.asyncDispose]());

const redirectUri = 'https://my-mcp-app.example.com/oauth/callback';
const day = 86_400_000;

const body = {
  client_name: 'My MCP App',
  redirect_uris: [redirectUri],
  grant_types: ['authorization_code', 'refresh_token'],
  token_endpoint_auth_method: 'none',
};

const asked = { redirect_uri: redirectUri, scope: 'mcp.read mcp.write' };

const newClient = (name: string) => register(pharlo, { ...body, client_name: name });

const authorizeWith = (clientId: string, changes: Record<string, string | undefined> = {}) =>
  authorizeUrl({ client_id: clientId, code_challenge: makePkce().codeChallenge, ...asked, ...changes });

const callRest = (token: string, path = '/assignments') =>
  send(pharlo, `${issuer}/api/v1${path}`, { headers: { authorization: `Bearer ${token}` } });

test('discovery: both documents, as printed [scopes: the seven and the two aliases]', async () => {
  const server = await curl(pharlo, 'curl https://pharlo.io/.well-known/oauth-authorization-server');
  assert.equal(server.status, 200);
  const { scopes_supported, ...members } = server.json;
  const printed = {
    issuer: 'https://pharlo.io',
    registration_endpoint: 'https://pharlo.io/oauth/mcp/register',
    authorization_endpoint: 'https://pharlo.io/oauth/mcp/authorize',
    token_endpoint: 'https://pharlo.io/oauth/mcp/token',
    grant_types_supported: ['authorization_code', 'refresh_token'],
    response_types_supported: ['code'],
    code_challenge_methods_supported: ['S256'],
  };
  assert.deepEqual({ ...members, ...printed }, members);
  for (const scope of ['mcp.read', 'mcp.write']) assert.ok((scopes_supported as string[]).includes(scope));

  const resource = await curl(pharlo, 'curl https://pharlo.io/.well-known/oauth-protected-resource');
  assert.equal(resource.status, 200);
  assert.equal(resource.json.resource, 'https://pharlo.io/_mcp');
  assert.deepEqual(resource.json.authorization_servers, ['https://pharlo.io']);
  assert.equal((await send(pharlo, `${issuer}/api/v1/.well-known/oauth-authorization-server`)).status, 404);
});

test('register: 201 with the printed members [client_id: mcp_client_ and more, fits mcp_]', async () => {
  const { status, json } = await send(pharlo, `${issuer}/oauth/mcp/register`, {
    method: 'POST',
    headers: { 'content-type': 'application/json' },
    body: JSON.stringify(body),
  });
  assert.equal(status, 201);
  const { client_id, client_id_issued_at, ...members } = json;
  assert.match(String(client_id), /^mcp_client_\w/);
  assert.ok(Number.isInteger(client_id_issued_at));
  assert.ok(Math.abs(Number(client_id_issued_at) - pharlo.app.deps.now() / 1000) < 60, 'seconds, now');
  const { client_name, ...echoed } = body;
  assert.deepEqual({ ...members, ...echoed }, members);
  assert.ok(!('client_secret' in json));
});

test('a client_id is permanent: it outlives the sweep once it was used', async () => {
  const used = await newClient('Permanent');
  await getTokens(pharlo, used, asked);
  await pharlo.advance(200 * day);
  await sweepExpired(pharlo.app.deps.db);
  assert.equal((await send(pharlo, authorizeWith(used))).status, 302);
});

test('a public client must use PKCE, and S256', async () => {
  const trusted = await newClient('Pkce');
  await getTokens(pharlo, trusted, asked);
  for (const changes of [
    { code_challenge: undefined },
    { code_challenge_method: undefined },
    { code_challenge_method: 'plain' },
    { code_challenge: 'short' },
  ]) {
    const { status, headers } = await send(pharlo, authorizeWith(trusted, changes));
    assert.equal(status, 302);
    const location = new URL(headers.get('location') ?? '');
    assert.equal(location.searchParams.get('error'), 'invalid_request', JSON.stringify(changes));
  }
  const { code_verifier, ...form } = await getCode(pharlo, trusted, asked);
  assert.deepEqual(outcome(await exchange(pharlo, form)), [400, 'invalid_request']);
  assert.ok(code_verifier);
});

test('authorize leads to the consent screen and back with code and state [authorize, decision: two times 302]', async () => {
  const clientId = await newClient('Consent');
  const begun = await send(pharlo, authorizeWith(clientId));
  assert.equal(begun.status, 302);
  assert.ok(begun.headers.get('location')?.startsWith('/oauth/mcp/consent/'));
  for (const state of ['opaque', 'ä &=#+%20/?"', undefined]) {
    const callback = await consent(pharlo, authorizeWith(clientId, { state }));
    assert.equal(callback.origin + callback.pathname, redirectUri);
    assert.ok(callback.searchParams.get('code'));
    assert.equal(callback.searchParams.get('state'), state ?? null);
    assert.equal(callback.searchParams.get('error'), null);
  }
});

test('a denial is redirected with error, error_description and state', async () => {
  const clientId = await newClient('Denied');
  const { searchParams } = await consent(pharlo, authorizeWith(clientId), { deny: true });
  assert.equal(searchParams.get('error'), 'access_denied');
  assert.ok(searchParams.get('error_description'));
  assert.equal(searchParams.get('state'), 'RANDOM_CSRF_TOKEN');
  assert.equal(searchParams.get('code'), null);
});

test('a malformed request of a client somebody let in is redirected with error and error_description', async () => {
  const clientId = await newClient('Malformed');
  await getTokens(pharlo, clientId, asked);
  const cases: [changes: Record<string, string | undefined>, error: string][] = [
    [{ response_type: undefined }, 'invalid_request'],
    [{ response_type: 'token' }, 'unsupported_response_type'],
    [{ scope: 'unknown' }, 'invalid_scope'],
    [{ code_challenge: undefined }, 'invalid_request'],
  ];
  for (const [changes, error] of cases) {
    const { status, headers } = await send(pharlo, authorizeWith(clientId, changes));
    assert.equal(status, 302);
    const location = new URL(headers.get('location') ?? '');
    assert.equal(location.origin + location.pathname, redirectUri);
    assert.equal(location.searchParams.get('error'), error);
    assert.ok(location.searchParams.get('error_description'));
    assert.equal(location.searchParams.get('state'), 'RANDOM_CSRF_TOKEN');
  }
});

test('the same of a client nobody let in yet waits on a page for a click', async () => {
  const clientId = await newClient('Stranger');
  const { status, headers, text } = await send(pharlo, authorizeWith(clientId, { scope: 'unknown' }));
  assert.equal(status, 400);
  assert.equal(headers.get('location'), null);
  assert.ok(text.includes('error=invalid_scope'));
});

test('client_id and redirect_uri must be known: nothing is sent anywhere', async () => {
  const clientId = await newClient('Unknown');
  for (const changes of [
    { client_id: undefined },
    { client_id: 'mcp_3f9e2a1b4c5d6e7f' },
    { redirect_uri: undefined },
    { redirect_uri: `${redirectUri}/` },
  ]) {
    const { status, headers } = await send(pharlo, authorizeWith(clientId, changes));
    assert.equal(status, 400, JSON.stringify(changes));
    assert.equal(headers.get('location'), null);
  }
});

const exchangeOf = (form: Record<string, string>) => `curl -X POST https://pharlo.io/oauth/mcp/token \\
  -H "Content-Type: application/x-www-form-urlencoded" \\
  -d "grant_type=authorization_code" \\
  -d "code=${form.code}" \\
  -d "redirect_uri=https://my-mcp-app.example.com/oauth/callback" \\
  -d "client_id=${form.client_id}" \\
  -d "code_verifier=${form.code_verifier}"`;

const refreshOf = (clientId: string, token: string) => `curl -X POST https://pharlo.io/oauth/mcp/token \\
  -H "Content-Type: application/x-www-form-urlencoded" \\
  -d "grant_type=refresh_token" \\
  -d "refresh_token=${token}" \\
  -d "client_id=${clientId}"`;

function assertTokens({ status, json }: Answer): { access: string; refresh: string } {
  assert.equal(status, 200);
  assert.equal(json.token_type, 'Bearer');
  assert.equal(json.expires_in, 3600);
  assert.equal(json.scope, 'mcp.read mcp.write');
  assert.match(String(json.access_token), /^mcp_at_/);
  assert.match(String(json.refresh_token), /^mcp_rt_/);
  return { access: String(json.access_token), refresh: String(json.refresh_token) };
}

test('exchange and refresh as printed; the token opens API calls and /_mcp [access token, refresh token, what a token opens]', async () => {
  const clientId = await newClient('Printed');
  const first = assertTokens(await curl(pharlo, exchangeOf(await getCode(pharlo, clientId, asked))));
  const second = assertTokens(await curl(pharlo, refreshOf(clientId, first.refresh)));
  for (const { access } of [first, second]) {
    assert.equal((await callRest(access)).status, 200);
    assert.equal((await callMcp(pharlo, `Bearer ${access}`)).status, 200);
  }
  assert.equal((await callRest(second.access, '/billing/status')).status, 403, 'what takes a key');
  await pharlo.advance(3_601_000);
  assert.equal((await callRest(second.access)).status, 401);
});

test('a token asked for with a resource opens /_mcp alone [what a token opens]', async () => {
  const clientId = await newClient('Bound');
  const resource = 'https://pharlo.io/_mcp';
  const form = await getCode(pharlo, clientId, { ...asked, resource });
  const { access } = assertTokens(await exchange(pharlo, { ...form, resource }));
  assert.equal((await callMcp(pharlo, `Bearer ${access}`)).status, 200);
  assert.equal((await callRest(access)).status, 401);
});

test('access tokens are RS256 JWTs where the operator wants that [access token]', async () => {
  await using jwt = await startPublic({ PHARLO_ACCESS_TOKEN_FORMAT: 'jwt' });
  const clientId = await register(jwt);
  const { access_token, refresh_token } = await getTokens(jwt, clientId, { scope: 'mcp.read mcp.write' });
  const header = JSON.parse(Buffer.from(access_token.split('.')[0] ?? '', 'base64url').toString());
  assert.equal(header.alg, 'RS256');
  assert.ok(access_token.startsWith('eyJ'));
  const authorization = `Bearer ${access_token}`;
  assert.equal((await callMcp(jwt, authorization)).status, 200);
  assert.equal((await send(jwt, `${issuer}/api/v1/assignments`, { headers: { authorization } })).status, 200);
  await postForm(jwt, '/oauth/mcp/revoke', { client_id: clientId, token: refresh_token });
  assert.equal((await callMcp(jwt, authorization)).status, 401);
});

test('400 invalid_request: a parameter is missing or malformed', async () => {
  const clientId = await newClient('Requests');
  const form = await getCode(pharlo, clientId, asked);
  for (const name of ['grant_type', 'code', 'redirect_uri', 'code_verifier', 'client_id']) {
    const { [name]: _, ...rest } = form;
    const answer = await exchange(pharlo, rest);
    assert.deepEqual(outcome(answer), [400, 'invalid_request'], name);
    assert.ok(answer.json.error_description);
  }
  assert.deepEqual(outcome(await exchange(pharlo, { ...form, code_verifier: 'short' })), [400, 'invalid_request']);
  const repeated = await curl(pharlo, `${exchangeOf(form)} \\\n  -d "code=${form.code}"`);
  assert.deepEqual(outcome(repeated), [400, 'invalid_request']);
  const noToken = { grant_type: 'refresh_token', client_id: clientId };
  assert.deepEqual(outcome(await exchange(pharlo, noToken)), [400, 'invalid_request']);
  assert.deepEqual(outcome(await exchange(pharlo, form)), [200, 'ok'], 'none of that used the code up');
});

test('400 invalid_grant: the code expired, was used, or the verifier does not match', async () => {
  const clientId = await newClient('Grants');
  const mismatched = await getCode(pharlo, clientId, asked);
  const wrong = { ...mismatched, code_verifier: makePkce().codeVerifier };
  assert.deepEqual(outcome(await exchange(pharlo, wrong)), [400, 'invalid_grant']);
  const used = await getCode(pharlo, clientId, asked);
  const tokens = assertTokens(await exchange(pharlo, used));
  assert.deepEqual(outcome(await exchange(pharlo, used)), [400, 'invalid_grant']);
  assert.equal((await callRest(tokens.access)).status, 401, 'a replayed code ends what it gave');
  const expired = await getCode(pharlo, clientId, asked);
  await pharlo.advance(181_000);
  assert.deepEqual(outcome(await exchange(pharlo, expired)), [400, 'invalid_grant']);
});

test('400 invalid_client: the client_id is not known', async () => {
  const form = await getCode(pharlo, await newClient('Known'), asked);
  const unknown = 'mcp_3f9e2a1b4c5d6e7f';
  assert.deepEqual(outcome(await exchange(pharlo, { ...form, client_id: unknown })), [400, 'invalid_client']);
  assert.deepEqual(outcome(await refresh(pharlo, unknown, 'mcp_rt_x')), [400, 'invalid_client']);
});

test('401 invalid_token: the refresh token was revoked or expired [dead refresh token: plain clients]', async () => {
  const clientId = await newClient('Dead');
  const revoked = await getTokens(pharlo, clientId, asked);
  await postForm(pharlo, '/oauth/mcp/revoke', { client_id: clientId, token: revoked.refresh_token });
  assert.deepEqual(outcome(await refresh(pharlo, clientId, revoked.refresh_token)), [401, 'invalid_token']);
  const rotated = await getTokens(pharlo, clientId, asked);
  assert.equal((await refresh(pharlo, clientId, rotated.refresh_token)).status, 200);
  assert.deepEqual(outcome(await refresh(pharlo, clientId, rotated.refresh_token)), [401, 'invalid_token']);
  const expired = await getTokens(pharlo, clientId, asked);
  await pharlo.advance(30 * day + 1_000);
  assert.deepEqual(outcome(await refresh(pharlo, clientId, expired.refresh_token)), [401, 'invalid_token']);
});

test('a client that sends resource is told invalid_grant instead [dead refresh token: MCP clients]', async () => {
  const clientId = await newClient('Mcp');
  const resource = 'https://pharlo.io/_mcp';
  const form = await getCode(pharlo, clientId, { ...asked, resource });
  const { refresh: token } = assertTokens(await exchange(pharlo, { ...form, resource }));
  await pharlo.advance(30 * day + 1_000);
  assert.deepEqual(outcome(await refresh(pharlo, clientId, token)), [400, 'invalid_grant']);
});
