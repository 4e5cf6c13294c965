import assert from 'node:assert/strict';
import { test } from 'node:test';
import * as oauth from 'oauth4webapi';
import { createServer, issuer, type Json, outcome, redirectUri, type Server, verifier } from './server.ts';

type Method = 'client_secret_post' | 'client_secret_basic';

async function registerSecret(server: Server, method: Method) {
  const client = await server.register({ token_endpoint_auth_method: method });
  return { id: client.client_id, secret: String(client.client_secret), client };
}

const basic = (id: string, secret: string) => ({ authorization: `Basic ${btoa(`${id}:${secret}`)}` });

/** An exchange with exactly these credentials. */
function exchange(server: Server, code: string, form: Record<string, string>, headers: Record<string, string> = {}) {
  const fixed = { grant_type: 'authorization_code', redirect_uri: redirectUri, code_verifier: verifier };
  return server.token({ ...fixed, code, ...form }, headers);
}

test('a secret is made for each registration, shown once and stored as a hash', async () => {
  await using server = await createServer();
  for (const method of ['client_secret_post', 'client_secret_basic'] as const) {
    const [first, second] = [await registerSecret(server, method), await registerSecret(server, method)];
    assert.notEqual(first.id, second.id, 'never idempotent');
    assert.match(first.secret, /^mcp_cs_[\w-]{43}$/);
    assert.notEqual(first.secret, second.secret);
    assert.equal(first.client.client_secret_expires_at, 0);
    assert.equal(first.client.token_endpoint_auth_method, method);
    const [row] = await server.query('select secret_hash = sha256($2) as same from oauth_clients where id = $1', [
      first.id,
      Buffer.from(first.secret),
    ]);
    assert.equal(row?.same, true);
    assert.ok(
      !(await server.query('select t::text as row from oauth_clients t')).some(({ row: text }) =>
        String(text).includes(first.secret),
      ),
    );
  }
  const open = await server.register();
  assert.ok(!('client_secret' in open) && !('client_secret_expires_at' in open));
});

test('the registered method and the right secret, nothing else, and a wrong try burns no code', async () => {
  await using server = await createServer();
  const { key } = await server.addKey();
  const post = await registerSecret(server, 'client_secret_post');
  const header = await registerSecret(server, 'client_secret_basic');
  const open = (await server.register()).client_id;
  const codes = {
    post: await server.getCode(post.id, key),
    header: await server.getCode(header.id, key),
    open: await server.getCode(open, key),
  };
  const wrong: [number, string, string, Record<string, string>, Record<string, string>?][] = [
    [401, 'invalid_client', codes.post, { client_id: post.id }],
    [401, 'invalid_client', codes.post, { client_id: post.id, client_secret: header.secret }],
    [401, 'invalid_client', codes.post, { client_id: post.id, client_secret: '' }],
    [401, 'invalid_client', codes.post, {}, basic(post.id, post.secret)],
    [400, 'invalid_request', codes.post, { client_secret: post.secret }],
    [
      400,
      'invalid_request',
      codes.post,
      { client_id: post.id, client_secret: post.secret },
      basic(post.id, post.secret),
    ],
    [401, 'invalid_client', codes.header, { client_id: header.id }],
    [401, 'invalid_client', codes.header, { client_id: header.id, client_secret: header.secret }],
    [401, 'invalid_client', codes.header, {}, basic(header.id, post.secret)],
    [401, 'invalid_client', codes.header, {}, basic(header.id, '')],
    [401, 'invalid_client', codes.header, {}, basic(`mcp_client_${'x'.repeat(22)}`, header.secret)],
    [401, 'invalid_client', codes.header, {}, { authorization: 'Basic ###' }],
    [401, 'invalid_client', codes.header, {}, { authorization: `Basic ${btoa('%zz:x')}` }],
    [401, 'invalid_client', codes.header, {}, { authorization: `Bearer ${header.secret}` }],
    [400, 'invalid_request', codes.header, { client_id: post.id }, basic(header.id, header.secret)],
    [401, 'invalid_client', codes.open, { client_id: open, client_secret: post.secret }],
    [401, 'invalid_client', codes.open, {}, basic(open, '')],
    [401, 'invalid_client', codes.open, { client_id: open, client_assertion: 'x', client_assertion_type: '' }],
  ];
  for (const [status, error, code, form, headers] of wrong) {
    const response = await exchange(server, code, form, headers);
    const challenged = headers !== undefined && status === 401;
    assert.equal(/^Basic /.test(response.headers.get('www-authenticate') ?? ''), challenged, JSON.stringify(headers));
    assert.equal(response.headers.get('cache-control'), 'no-store');
    assert.deepEqual(await outcome(response), [status, error], JSON.stringify([form, headers]));
  }
  const good = [
    await exchange(server, codes.post, { client_id: post.id, client_secret: post.secret }),
    await exchange(server, codes.header, {}, basic(header.id, encodeURIComponent(header.secret))),
    await exchange(server, codes.open, { client_id: open }),
  ];
  assert.deepEqual(
    good.map(({ status }) => status),
    [200, 200, 200],
  );
  const { refresh_token } = ((await good[0]?.json()) ?? {}) as Json;
  const refresh = { grant_type: 'refresh_token', refresh_token: String(refresh_token), client_id: post.id };
  assert.deepEqual(await outcome(await server.token(refresh)), [401, 'invalid_client']);
  assert.equal((await server.token({ ...refresh, client_secret: post.secret })).status, 200);
});

test('a strict client authenticates with either method', async () => {
  await using server = await createServer();
  const { key } = await server.addKey();
  const via = { [oauth.customFetch]: (url: string, init: object) => server.fetch(url, init as RequestInit) };
  const discovery = await oauth.discoveryRequest(new URL(issuer), { algorithm: 'oauth2', ...via });
  const as = await oauth.processDiscoveryResponse(new URL(issuer), discovery);
  for (const method of ['client_secret_post', 'client_secret_basic'] as const) {
    const registered = await oauth.dynamicClientRegistrationRequest(
      as,
      { redirect_uris: [redirectUri], token_endpoint_auth_method: method },
      via,
    );
    const client = await oauth.processDynamicClientRegistrationResponse(registered);
    const secret = String(client.client_secret);
    const proof = method === 'client_secret_post' ? oauth.ClientSecretPost(secret) : oauth.ClientSecretBasic(secret);
    const code = await server.getCode(client.client_id, key);
    const callback = new URL(`${redirectUri}?${new URLSearchParams({ code, iss: issuer })}`);
    const parameters = oauth.validateAuthResponse(as, client, callback, oauth.expectNoState);
    const answer = await oauth.authorizationCodeGrantRequest(as, client, proof, parameters, redirectUri, verifier, via);
    const tokens = await oauth.processAuthorizationCodeResponse(as, client, answer);
    assert.match(tokens.access_token, /^mcp_at_/);
  }
});
