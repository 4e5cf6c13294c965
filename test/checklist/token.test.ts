import assert from 'node:assert/strict';
import { createHash } from 'node:crypto';
import { after, before, test } from 'node:test';
import {
  type Answer,
  begin,
  callMcp,
  codeVerifier,
  decide,
  exchange,
  type Fields,
  get,
  getCode,
  getTokens,
  type Harness,
  inspector,
  introspect,
  issuer,
  mcpStatus,
  newClient,
  outcome,
  post,
  query,
  redirectUri,
  refresh,
  register,
  resource,
  revoke,
  send,
  startPharlo,
  token,
  tokensOf,
} from './outside.ts';

// Items 34 to 44 of the security checklist.

let pharlo: Harness;
before(async () => {
  pharlo = await startPharlo();
});
after(() => pharlo[Symbol.asyncDispose]());

const invalidGrant = [400, 'invalid_grant'];

test('34 Code replay: the second exchange fails and the first pair dies', async () => {
  const id = await newClient(pharlo);
  const code = await getCode(pharlo, id, { resource });
  const pair = tokensOf(await exchange(pharlo, id, code));
  assert.equal(await mcpStatus(pharlo, pair.access_token), 200);
  assert.deepEqual(outcome(await exchange(pharlo, id, code)), invalidGrant);
  assert.deepEqual(outcome(await refresh(pharlo, id, pair.refresh_token)), invalidGrant);
  assert.equal(await mcpStatus(pharlo, pair.access_token), 401);
});

test('35 Code race: of eight exchanges at once exactly one gets tokens', async () => {
  const id = await newClient(pharlo);
  for (let round = 0; round < 5; round++) {
    const code = await getCode(pharlo, id);
    const answers = await Promise.all(Array.from({ length: 8 }, () => exchange(pharlo, id, code)));
    const outcomes = answers.map((answer) => outcome(answer).join(' ')).sort();
    assert.deepEqual(outcomes, ['200 ok', ...Array.from({ length: 7 }, () => '400 invalid_grant')]);
  }
  const rows = await query(
    pharlo,
    'select kind, count(*) as n from oauth_tokens t join oauth_grants g on g.id = t.grant_id where g.client_id = $1 group by 1 order by 1',
    [id],
  );
  assert.deepEqual(rows, [
    { kind: 'access', n: 5 },
    { kind: 'refresh', n: 5 },
  ]);
});

test('36 What a code is bound to: client, redirect URI, verifier, minutes; a wrong try neither burns nor leaks it', async () => {
  const id = await newClient(pharlo, {
    redirect_uris: [redirectUri, 'https://a.example/other', 'http://localhost/cb'],
  });
  const other = await newClient(pharlo, { client_name: 'Other' });
  const code = await getCode(pharlo, id);
  const wrong: [string, Fields][] = [
    [other, {}],
    [id, { redirect_uri: 'https://a.example/other' }],
    [id, { redirect_uri: `${redirectUri}/` }],
    [id, { code_verifier: 'w'.repeat(43) }],
    [id, { code: `${code}x` }],
    [id, { code: code.slice(0, -1) }],
  ];
  const never = outcome(await exchange(pharlo, other, `mcp_ac_${'x'.repeat(43)}`));
  for (const [client, changes] of wrong) {
    const answer = await exchange(pharlo, client, code, changes);
    assert.deepEqual(outcome(answer), invalidGrant, JSON.stringify(changes));
    assert.deepEqual(outcome(answer), never, 'as if there were no such code');
  }
  tokensOf(await exchange(pharlo, id, code));
  const at = (port: number) => ({ redirect_uri: `http://localhost:${port}/cb` });
  const local = await getCode(pharlo, id, at(1000));
  assert.deepEqual(outcome(await exchange(pharlo, id, local, at(1001))), invalidGrant, 'the port of the request');
  tokensOf(await exchange(pharlo, id, local, at(1000)));
  const [early, late] = [await getCode(pharlo, id), await getCode(pharlo, id)];
  await pharlo.advance(170_000);
  tokensOf(await exchange(pharlo, id, early));
  await pharlo.advance(11_000);
  assert.deepEqual(outcome(await exchange(pharlo, id, late)), invalidGrant, 'three minutes');
});

test('37 Refresh: rotates; a race gets one pair; the old token after its successor ends the family', async () => {
  const id = await newClient(pharlo);
  const first = await getTokens(pharlo, id);
  const answers = await Promise.all(Array.from({ length: 8 }, () => refresh(pharlo, id, first.refresh_token)));
  const pairs = answers.map(tokensOf);
  const [second] = pairs;
  assert.ok(second && second.refresh_token !== first.refresh_token && second.access_token !== first.access_token);
  assert.equal(new Set(pairs.map((pair) => `${pair.access_token} ${pair.refresh_token}`)).size, 1);
  const third = tokensOf(await refresh(pharlo, id, second.refresh_token));
  assert.equal(await mcpStatus(pharlo, third.access_token), 200);
  assert.deepEqual(outcome(await refresh(pharlo, id, first.refresh_token)), invalidGrant);
  for (const { access_token } of [first, second, third]) assert.equal(await mcpStatus(pharlo, access_token), 401);
  assert.deepEqual(outcome(await refresh(pharlo, id, third.refresh_token)), invalidGrant);

  const late = await getTokens(pharlo, id);
  const next = tokensOf(await refresh(pharlo, id, late.refresh_token));
  await pharlo.advance(31_000);
  assert.deepEqual(outcome(await refresh(pharlo, id, late.refresh_token)), invalidGrant, 'after 30 s');
  assert.equal(await mcpStatus(pharlo, next.access_token), 401);

  const plain = await newClient(pharlo, { client_name: 'Plain' });
  const open = tokensOf(await exchange(pharlo, plain, await getCode(pharlo, plain)));
  const race = await Promise.all(Array.from({ length: 8 }, () => refresh(pharlo, plain, open.refresh_token)));
  const outcomes = race.map((answer) => outcome(answer).join(' ')).sort();
  assert.deepEqual(outcomes, ['200 ok', ...Array.from({ length: 7 }, () => '401 invalid_token')]);
});

test('38 What a refresh token is bound to: its client and scope; nothing else is one', async () => {
  const id = await newClient(pharlo);
  const other = await newClient(pharlo, { client_name: 'Other' });
  const first = await getTokens(pharlo, id, { scope: 'stats:read platforms:read' });
  assert.deepEqual(outcome(await refresh(pharlo, other, first.refresh_token)), invalidGrant);
  const wider = { scope: 'stats:read webhooks:read' };
  assert.deepEqual(outcome(await refresh(pharlo, id, first.refresh_token, wider)), [400, 'invalid_scope']);
  const narrow = tokensOf(await refresh(pharlo, id, first.refresh_token, { scope: 'stats:read' }));
  assert.equal(narrow.scope, 'stats:read');
  assert.equal(tokensOf(await refresh(pharlo, id, narrow.refresh_token)).scope, 'stats:read platforms:read');
  const { access_token } = await getTokens(pharlo, id);
  for (const secret of [access_token, await getCode(pharlo, id), pharlo.key, 'x']) {
    assert.deepEqual(outcome(await refresh(pharlo, id, secret)), invalidGrant);
  }
  assert.equal(await mcpStatus(pharlo, access_token), 200);
});

test('39 PKCE verifier: 43 to 128 unreserved characters, and never missing', async () => {
  const id = await newClient(pharlo);
  const trade = async (verifier: string | undefined) => {
    const code_challenge = createHash('sha256')
      .update(verifier ?? '')
      .digest('base64url');
    const code = await getCode(pharlo, id, { code_challenge });
    return outcome(await exchange(pharlo, id, code, { code_verifier: verifier }));
  };
  const refused = ['v'.repeat(42), 'v'.repeat(129), `${'v'.repeat(42)}+`, `${'v'.repeat(42)} `, `${'v'.repeat(42)}é`];
  for (const verifier of [...refused, `${'v'.repeat(43)}\n`, '', undefined]) {
    assert.deepEqual(await trade(verifier), [400, 'invalid_request'], JSON.stringify(verifier));
  }
  for (const verifier of ['v'.repeat(43), 'v'.repeat(128), `${'v'.repeat(39)}-._~`]) {
    assert.deepEqual(await trade(verifier), [200, 'ok'], verifier);
  }
});

const basic = (id: string, secret: string) => ({ authorization: `Basic ${btoa(`${id}:${secret}`)}` });

test('40 Client authentication: the registered method alone, one at a time, with a challenge for Basic', async () => {
  const add = async (token_endpoint_auth_method: string) => {
    const { json } = await register(pharlo, { redirect_uris: [redirectUri], token_endpoint_auth_method });
    return { client_id: String(json.client_id), client_secret: String(json.client_secret) };
  };
  const [form, header, open] = [await add('client_secret_post'), await add('client_secret_basic'), await add('none')];
  const refused: [number, string, string, Fields, Record<string, string>?][] = [
    [401, 'invalid_client', form.client_id, { client_id: form.client_id }],
    [401, 'invalid_client', form.client_id, { ...form, client_secret: header.client_secret }],
    [401, 'invalid_client', form.client_id, {}, basic(form.client_id, form.client_secret)],
    [401, 'invalid_client', header.client_id, header],
    [401, 'invalid_client', header.client_id, { client_id: header.client_id }],
    [401, 'invalid_client', header.client_id, {}, basic(header.client_id, form.client_secret)],
    [401, 'invalid_client', header.client_id, {}, { authorization: 'Basic ?' }],
    [401, 'invalid_client', open.client_id, { client_id: open.client_id, client_secret: 'x' }],
    [401, 'invalid_client', open.client_id, {}, basic(open.client_id, '')],
    [400, 'invalid_request', form.client_id, form, basic(form.client_id, form.client_secret)],
    [400, 'invalid_request', form.client_id, { ...form, client_assertion: 'x', client_assertion_type: 'y' }],
    [400, 'invalid_request', form.client_id, { client_secret: form.client_secret }],
  ];
  const codes = new Map<string, string>();
  for (const { client_id } of [form, header, open]) codes.set(client_id, await getCode(pharlo, client_id));
  const trade = (id: string, more: Fields, headers: Record<string, string> = {}) => {
    const fixed = { grant_type: 'authorization_code', redirect_uri: redirectUri, code_verifier: codeVerifier };
    return token(pharlo, { ...fixed, code: codes.get(id), ...more }, headers);
  };
  for (const [status, error, id, more, headers] of refused) {
    const answer = await trade(id, more, headers);
    assert.deepEqual(outcome(answer), [status, error], JSON.stringify([more, headers]));
    const challenged = /^Basic realm=/.test(answer.headers.get('www-authenticate') ?? '');
    assert.equal(challenged, headers !== undefined && status === 401);
  }
  tokensOf(await trade(form.client_id, form));
  tokensOf(await trade(header.client_id, {}, basic(header.client_id, header.client_secret)));
  tokensOf(await trade(open.client_id, { client_id: open.client_id }));
});

test('41 Token requests: a form of at most 16 KB, by POST, nothing twice; no answer is stored', async () => {
  const id = await newClient(pharlo);
  const url = `${issuer}/oauth/mcp/token`;
  const { refresh_token } = await getTokens(pharlo, id);
  const form = { grant_type: 'refresh_token', client_id: id, refresh_token };
  const encoded = new URLSearchParams(form).toString();
  const typed = (type: string, body: string) =>
    send(pharlo, url, { method: 'POST', headers: { 'content-type': type }, body });
  const repeated = (name: keyof typeof form) =>
    token(pharlo, [...Object.entries(form), [name, form[name]] as [string, string]]);
  const refused: [number, Answer][] = [
    [400, await typed('application/json', JSON.stringify(form))],
    [400, await typed('text/plain', encoded)],
    [400, await typed('multipart/form-data; boundary=x', encoded)],
    [413, await token(pharlo, { ...form, padding: 'x'.repeat(16 * 1024) })],
    [405, await get(pharlo, `/oauth/mcp/token?${encoded}`)],
    [405, await send(pharlo, url, { method: 'PUT' })],
    [400, await repeated('grant_type')],
    [400, await repeated('client_id')],
    [400, await repeated('refresh_token')],
    [400, await token(pharlo, [...Object.entries(form), ['x', '1'], ['x', '2']])],
    [
      400,
      await send(pharlo, `${url}?${encoded}`, {
        method: 'POST',
        headers: { 'content-type': 'application/x-www-form-urlencoded' },
      }),
    ],
  ];
  for (const [index, [status, answer]] of refused.entries()) {
    assert.deepEqual(outcome(answer), [status, 'invalid_request'], String(index));
  }
  const good = await token(pharlo, form);
  tokensOf(good);
  const wrong = await refresh(pharlo, id, 'x');
  for (const { headers } of [good, wrong, ...refused.map(([, answer]) => answer)]) {
    assert.deepEqual([headers.get('cache-control'), headers.get('pragma')], ['no-store', 'no-cache']);
    assert.match(headers.get('content-type') ?? '', /^application\/json/);
  }
});

test('42 Errors: each as the table of both profiles says, in ASCII, without our insides', async () => {
  const mcp = await newClient(pharlo, { client_name: 'MCP' });
  const plain = await newClient(pharlo, { client_name: 'Plain' });
  await getTokens(pharlo, mcp);
  const dead = async (id: string, changes: Fields = {}) => {
    const tokens = tokensOf(await exchange(pharlo, id, await getCode(pharlo, id, changes)));
    await revoke(pharlo, id, tokens.refresh_token);
    return tokens.refresh_token;
  };
  const gone = `mcp_client_${'x'.repeat(22)}`;
  const fixed = { client_id: plain, redirect_uri: redirectUri, code_verifier: codeVerifier };
  const cases: [number, string, Answer][] = [
    [400, 'invalid_grant', await refresh(pharlo, mcp, await dead(mcp))],
    [400, 'invalid_grant', await refresh(pharlo, plain, await dead(plain), { resource })],
    [401, 'invalid_token', await refresh(pharlo, plain, await dead(plain))],
    [400, 'invalid_grant', await refresh(pharlo, mcp, `mcp_rt_${'x'.repeat(43)}`)],
    [400, 'invalid_grant', await refresh(pharlo, plain, `mcp_rt_${'x'.repeat(43)}`)],
    [400, 'invalid_client', await refresh(pharlo, gone, 'x')],
    [401, 'invalid_client', await refresh(pharlo, gone, 'x', { resource })],
    [401, 'invalid_client', await refresh(pharlo, 'https://127.0.0.1/client.json', 'x')],
    [400, 'invalid_grant', await token(pharlo, { grant_type: 'authorization_code', code: 'x', ...fixed })],
    [400, 'invalid_request', await token(pharlo, { client_id: plain })],
    [400, 'invalid_request', await token(pharlo, { grant_type: 'refresh_token', client_id: plain })],
    [400, 'invalid_request', await token(pharlo, { grant_type: 'refresh_token', refresh_token: 'x' })],
    [400, 'unsupported_grant_type', await token(pharlo, { grant_type: 'password', client_id: plain, username: 'a' })],
    [400, 'unsupported_grant_type', await token(pharlo, { grant_type: '__proto__', client_id: plain })],
    [400, 'invalid_target', await refresh(pharlo, plain, 'x', { resource: 'https://é.example/' })],
    [400, 'invalid_grant', await refresh(pharlo, plain, '\u0000')],
    [400, 'invalid_client', await refresh(pharlo, '\u0000', 'x')],
  ];
  for (const [index, [status, error, answer]] of cases.entries()) {
    assert.deepEqual(outcome(answer), [status, error], String(index));
    assert.deepEqual(Object.keys(answer.json), ['error', 'error_description'], String(index));
    assert.match(String(answer.json.error_description), /^[\x20-\x21\x23-\x5b\x5d-\x7e]+$/, 'RFC 6749 §5.2');
    assert.doesNotMatch(answer.text, /\bat \S+ \(|node_modules|\.ts\b|select |duplicate key|syntax/);
  }
});

test('43 CORS: for the listed origins only, never with credentials', async () => {
  const listed = ['https://claude.ai', 'https://claude.com', inspector];
  const foreign = [
    'https://evil.example',
    'https://claude.ai.evil.example',
    'http://claude.ai',
    'https://CLAUDE.ai',
    'null',
  ];
  const paths: [string, string][] = [
    ['GET', '/.well-known/oauth-authorization-server'],
    ['GET', '/.well-known/oauth-authorization-server/_mcp'],
    ['GET', '/.well-known/oauth-protected-resource'],
    ['GET', '/.well-known/oauth-protected-resource/_mcp'],
    ['GET', '/.well-known/jwks.json'],
    ['POST', '/oauth/mcp/register'],
    ['POST', '/oauth/mcp/token'],
    ['POST', '/oauth/mcp/revoke'],
    ['POST', '/_mcp'],
  ];
  for (const [method, path] of paths) {
    for (const origin of [...listed, ...foreign, issuer]) {
      const preflight = await send(pharlo, issuer + path, {
        method: 'OPTIONS',
        headers: { origin, 'access-control-request-method': method },
      });
      const answers = [preflight, await send(pharlo, issuer + path, { method, headers: { origin } })];
      for (const { status, headers } of answers) {
        const expected = listed.includes(origin) ? origin : null;
        assert.equal(headers.get('access-control-allow-origin'), expected, `${method} ${path} ${origin}`);
        assert.equal(headers.get('access-control-allow-credentials'), null);
        if (path === '/_mcp' && foreign.includes(origin)) assert.equal(status, 403, origin);
        if (expected !== null) assert.match(headers.get('vary') ?? '', /origin/i, path);
      }
      const methods = preflight.headers.get('access-control-allow-methods');
      if (listed.includes(origin)) assert.ok(methods?.split(/, ?/).includes(method), `${path} ${methods}`);
    }
  }
  for (const path of ['/oauth/mcp/authorize', '/oauth/mcp/introspect', '/oauth/mcp/consent/x']) {
    const { headers } = await send(pharlo, issuer + path, { method: 'POST', headers: { origin: 'https://claude.ai' } });
    assert.equal(headers.get('access-control-allow-origin'), null, path);
  }
});

test('44 Revocation and introspection: one’s own tokens only; a refresh token takes its access tokens along', async () => {
  const id = await newClient(pharlo);
  const other = await newClient(pharlo, { client_name: 'Other' });
  const pair = await getTokens(pharlo, id);
  const active = async (client: string, secret: string) => (await introspect(pharlo, client, secret)).json;
  for (const secret of ['unknown', `mcp_rt_${'x'.repeat(43)}`, pharlo.key]) {
    assert.equal((await revoke(pharlo, id, secret)).status, 200);
    assert.deepEqual(await active(id, secret), { active: false });
  }
  for (const secret of [pair.access_token, pair.refresh_token]) {
    assert.equal((await revoke(pharlo, other, secret)).status, 200);
    assert.deepEqual(await active(other, secret), { active: false });
    assert.equal((await active(id, secret)).active, true);
  }
  assert.equal(await mcpStatus(pharlo, pair.access_token), 200);

  const { json } = await register(pharlo, {
    redirect_uris: [redirectUri],
    token_endpoint_auth_method: 'client_secret_post',
  });
  const page = await begin(pharlo, String(json.client_id));
  const code = new URL((await decide(pharlo, page, 'authorize', pharlo.key)).headers.get('location') ?? '')
    .searchParams;
  const proof = { client_id: String(json.client_id), client_secret: String(json.client_secret) };
  const own = tokensOf(await exchange(pharlo, proof.client_id, code.get('code') ?? '', proof));
  const asking: [Fields, unknown[]][] = [
    [{}, [400, 'invalid_request']],
    [{ client_id: proof.client_id }, [401, 'invalid_client']],
    [{ ...proof, client_secret: 'x' }, [401, 'invalid_client']],
    [{ client_id: `mcp_client_${'x'.repeat(22)}` }, [400, 'invalid_client']],
    [proof, [200, 'ok']],
  ];
  for (const path of ['/oauth/mcp/introspect', '/oauth/mcp/revoke']) {
    for (const [who, expected] of asking) {
      const answer = await post(pharlo, path, { ...who, token: own.access_token });
      assert.deepEqual(outcome(answer), expected, `${path} ${JSON.stringify(who)}`);
    }
  }

  const next = tokensOf(await refresh(pharlo, id, pair.refresh_token));
  assert.equal((await revoke(pharlo, id, next.refresh_token)).status, 200);
  for (const secret of [pair.access_token, next.access_token]) assert.equal(await mcpStatus(pharlo, secret), 401);
  assert.deepEqual(outcome(await refresh(pharlo, id, next.refresh_token)), invalidGrant);
  assert.deepEqual(await active(id, next.refresh_token), { active: false });
  assert.equal((await callMcp(pharlo, undefined)).status, 401);
});
