import assert from 'node:assert/strict';
import { randomBytes } from 'node:crypto';
import { test } from 'node:test';
import { authenticate } from '../../src/oauth/index.ts';
import { revokeKey } from '../../src/store/api-keys.ts';
import { createServer, issuer, type Json, outcome, type Server, verifier } from './server.ts';

type Tokens = { access_token: string; refresh_token: string; scope: string };

async function isLive(server: Server, token: string): Promise<boolean> {
  return (await authenticate(server.deps, `Bearer ${token}`, 'mcp')).ok;
}

test('a code gives a pair of opaque tokens, once; its replay ends what it gave', async () => {
  await using server = await createServer();
  const { client_id } = await server.register();
  const { key } = await server.addKey();
  const code = await server.getCode(client_id, key);
  assert.match(code, /^mcp_ac_[\w-]{43}$/);
  const response = await server.exchange(client_id, code);
  assert.equal(response.status, 200);
  assert.equal(response.headers.get('cache-control'), 'no-store');
  assert.equal(response.headers.get('pragma'), 'no-cache');
  const tokens = (await response.json()) as Tokens & Json;
  assert.match(tokens.access_token, /^mcp_at_[\w-]{43}$/);
  assert.match(tokens.refresh_token, /^mcp_rt_[\w-]{43}$/);
  assert.equal(tokens.token_type, 'Bearer');
  assert.equal(tokens.expires_in, 3600);
  assert.ok(await isLive(server, tokens.access_token));

  assert.deepEqual(await outcome(await server.exchange(client_id, code)), [400, 'invalid_grant']);
  assert.equal(await isLive(server, tokens.access_token), false);
  assert.deepEqual(await outcome(await server.refresh(client_id, tokens.refresh_token)), [401, 'invalid_token']);
  const reuse = await server.query(
    `select action, outcome, target from audit where action like 'oauth.re%' order by id`,
  );
  assert.deepEqual(reuse, [
    { action: 'oauth.reuse', outcome: 'invalid_grant', target: 'code' },
    { action: 'oauth.revoke', outcome: 'ok', target: null },
  ]);
});

test('64 parallel exchanges of one code: exactly one 200', async () => {
  await using server = await createServer();
  const { client_id } = await server.register();
  const { key } = await server.addKey();
  const code = await server.getCode(client_id, key);
  const answers = await Promise.all(Array.from({ length: 64 }, () => server.exchange(client_id, code)));
  const outcomes = (await Promise.all(answers.map(outcome))).map((each) => each.join(' ')).sort();
  assert.deepEqual(outcomes, ['200 ok', ...Array.from({ length: 63 }, () => '400 invalid_grant')]);
  const tokens = await server.query('select kind from oauth_tokens order by kind');
  assert.deepEqual(tokens, [{ kind: 'access' }, { kind: 'refresh' }]);
});

test('64 parallel refreshes of one token: exactly one 200, and the grant lives', async () => {
  await using server = await createServer();
  const { client_id } = await server.register();
  const { key } = await server.addKey();
  const { refresh_token } = await server.getTokens(client_id, key);
  const answers = await Promise.all(Array.from({ length: 64 }, () => server.refresh(client_id, refresh_token)));
  const winners = answers.filter(({ status }) => status === 200);
  assert.equal(winners.length, 1);
  for (const answer of answers) {
    if (answer.status !== 200) assert.deepEqual(await outcome(answer), [401, 'invalid_token']);
  }
  const won = (await winners[0]?.json()) as Tokens;
  assert.ok(await isLive(server, won.access_token));
  assert.equal((await server.refresh(client_id, won.refresh_token)).status, 200);
});

test('neither an access token nor a code is a refresh token', async () => {
  await using server = await createServer();
  const { client_id } = await server.register();
  const { key } = await server.addKey();
  const { access_token } = await server.getTokens(client_id, key);
  for (const secret of [access_token, await server.getCode(client_id, key)]) {
    assert.deepEqual(await outcome(await server.refresh(client_id, secret)), [400, 'invalid_grant']);
  }
  assert.ok(await isLive(server, access_token));
});

test('what a code is bound to: a wrong try neither uses nor burns it', async () => {
  await using server = await createServer();
  const { client_id } = await server.register();
  const other = await server.register({ client_name: 'Other' });
  const { key } = await server.addKey();
  const code = await server.getCode(client_id, key);
  const wrong: [string, Record<string, string>][] = [
    [other.client_id, {}],
    [client_id, { redirect_uri: 'https://app.example/other' }],
    [client_id, { redirect_uri: '\0' }],
    [client_id, { code_verifier: 'w'.repeat(43) }],
    [client_id, { code: `${code}x` }],
  ];
  for (const [id, changes] of wrong) {
    assert.deepEqual(
      await outcome(await server.exchange(id, code, changes)),
      [400, 'invalid_grant'],
      JSON.stringify(changes),
    );
  }
  for (const code_verifier of ['v'.repeat(42), 'v'.repeat(129), `${'v'.repeat(42)}+`, '']) {
    assert.deepEqual(await outcome(await server.exchange(client_id, code, { code_verifier })), [
      400,
      'invalid_request',
    ]);
  }
  for (const missing of ['code', 'redirect_uri', 'code_verifier']) {
    assert.deepEqual(await outcome(await server.exchange(client_id, code, { [missing]: '' })), [
      400,
      'invalid_request',
    ]);
  }
  assert.equal((await server.exchange(client_id, code)).status, 200);
});

test('a code dies after three minutes of database time', async () => {
  await using server = await createServer();
  const { client_id } = await server.register();
  const { key } = await server.addKey();
  const [early, late] = [await server.getCode(client_id, key), await server.getCode(client_id, key)];
  await server.advance(175);
  assert.equal((await server.exchange(client_id, early)).status, 200);
  await server.advance(6);
  assert.deepEqual(await outcome(await server.exchange(client_id, late)), [400, 'invalid_grant']);
});

test('refresh rotates; an access token lives an hour, a refresh token thirty days', async () => {
  await using server = await createServer();
  const { client_id } = await server.register();
  const { key } = await server.addKey();
  const first = await server.getTokens(client_id, key, { scope: 'mcp.read' });
  assert.equal(first.scope, 'mcp.read');
  await server.advance(3595);
  assert.ok(await isLive(server, first.access_token));
  await server.advance(10);
  assert.equal(await isLive(server, first.access_token), false);
  const second = (await (await server.refresh(client_id, first.refresh_token)).json()) as Tokens;
  assert.equal(second.scope, 'mcp.read');
  assert.notEqual(second.refresh_token, first.refresh_token);
  assert.ok(await isLive(server, second.access_token));
  await server.advance(30 * 24 * 3600 + 1);
  assert.deepEqual(await outcome(await server.refresh(client_id, second.refresh_token)), [401, 'invalid_token']);
});

test('a rotated token again: within 30 s an error and no more, afterwards the end of the grant', async () => {
  await using server = await createServer();
  const { client_id } = await server.register();
  const { key } = await server.addKey();
  const first = await server.getTokens(client_id, key);
  const second = (await (await server.refresh(client_id, first.refresh_token)).json()) as Tokens;
  await server.advance(25);
  assert.deepEqual(await outcome(await server.refresh(client_id, first.refresh_token)), [401, 'invalid_token']);
  assert.ok(await isLive(server, second.access_token));
  await server.advance(6);
  assert.deepEqual(await outcome(await server.refresh(client_id, first.refresh_token)), [401, 'invalid_token']);
  assert.equal(await isLive(server, second.access_token), false);
  assert.deepEqual(await outcome(await server.refresh(client_id, second.refresh_token)), [401, 'invalid_token']);
});

test('a rotated token again for another scope ends the grant', async () => {
  await using server = await createServer();
  const { client_id } = await server.register();
  const { key } = await server.addKey();
  const asked = { scope: 'stats:read platforms:read' };
  const again = async (first: Record<string, string>, second: Record<string, string>) => {
    const { refresh_token } = await server.getTokens(client_id, key, asked);
    const next = (await (await server.refresh(client_id, refresh_token, first)).json()) as Tokens;
    assert.deepEqual(await outcome(await server.refresh(client_id, refresh_token, second)), [401, 'invalid_token']);
    return isLive(server, next.access_token);
  };
  assert.equal(await again({}, { scope: 'platforms:read stats:read' }), true);
  assert.equal(await again({ scope: 'stats:read' }, { scope: 'stats:read' }), true);
  assert.equal(await again({}, { scope: 'stats:read' }), false);
  assert.equal(await again({ scope: 'stats:read' }, {}), false);
  assert.equal(await again({}, { scope: 'unknown' }), false);
});

test('a rotated token whose successor was used, or sent by another client, ends the grant at once', async () => {
  await using server = await createServer();
  const { client_id } = await server.register();
  const other = await server.register({ client_name: 'Other' });
  const { key } = await server.addKey();
  const first = await server.getTokens(client_id, key);
  const second = (await (await server.refresh(client_id, first.refresh_token)).json()) as Tokens;
  const third = (await (await server.refresh(client_id, second.refresh_token)).json()) as Tokens;
  assert.deepEqual(await outcome(await server.refresh(client_id, first.refresh_token)), [401, 'invalid_token']);
  assert.equal(await isLive(server, third.access_token), false);

  const stolen = await server.getTokens(client_id, key);
  assert.deepEqual(await outcome(await server.refresh(other.client_id, stolen.refresh_token)), [400, 'invalid_grant']);
  const next = (await (await server.refresh(client_id, stolen.refresh_token)).json()) as Tokens;
  assert.ok(await isLive(server, next.access_token), 'an unused token is not burnt by another client');
  assert.deepEqual(await outcome(await server.refresh(other.client_id, stolen.refresh_token)), [400, 'invalid_grant']);
  assert.equal(await isLive(server, next.access_token), false);
});

test('nothing revives a grant whose key, workspace or self has ended', async () => {
  await using server = await createServer();
  const { client_id } = await server.register();
  const revoked = await server.addKey();
  const expiring = await server.addKey({ expiresAt: new Date(Date.now() + 60_000) });
  const kept = await server.addKey();
  const [a, b, c, d] = await Promise.all(
    [revoked, expiring, kept, kept].map(({ key }) => server.getTokens(client_id, key)),
  );
  assert.ok(a && b && c && d);
  await revokeKey(server.deps.db, server.workspaceId, revoked.id);
  await server.query(
    'update oauth_grants set revoked_at = pharlo_now() where id in (select grant_id from oauth_tokens where token_hash = sha256($1))',
    [Buffer.from(d.refresh_token)],
  );
  await server.advance(61);
  for (const dead of [a, b, d]) {
    assert.equal(await isLive(server, dead.access_token), false);
    assert.deepEqual(await outcome(await server.refresh(client_id, dead.refresh_token)), [401, 'invalid_token']);
  }
  assert.ok(await isLive(server, c.access_token));
  await server.query(`update workspaces set status = 'suspended'`);
  assert.equal(await isLive(server, c.access_token), false);
  assert.deepEqual(await outcome(await server.refresh(client_id, c.refresh_token)), [401, 'invalid_token']);
  await server.query(`update workspaces set status = 'active'`);
  assert.equal((await server.refresh(client_id, c.refresh_token)).status, 200);
});

test('a refresh keeps its scope; a narrower one narrows the access token only, a wider one burns nothing', async () => {
  await using server = await createServer();
  const { client_id } = await server.register();
  const { key } = await server.addKey();
  const first = await server.getTokens(client_id, key, { scope: 'stats:read platforms:read' });
  const wider = await server.refresh(client_id, first.refresh_token, { scope: 'stats:read webhooks:read' });
  assert.deepEqual(await outcome(wider), [400, 'invalid_scope']);
  const narrow = (await (
    await server.refresh(client_id, first.refresh_token, { scope: 'stats:read' })
  ).json()) as Tokens;
  assert.equal(narrow.scope, 'stats:read');
  const held = await authenticate(server.deps, `Bearer ${narrow.access_token}`, 'mcp');
  assert.deepEqual(held.ok && [...held.caller.scopes], ['stats:read']);
  const full = (await (await server.refresh(client_id, narrow.refresh_token)).json()) as Tokens;
  assert.equal(full.scope, 'stats:read platforms:read');
});

test('clients that name a resource get the errors they recover from, now and ever after', async () => {
  await using server = await createServer();
  const resource = `${issuer}/_mcp`;
  const { client_id } = await server.register();
  const { key } = await server.addKey();
  const dead = async () => {
    const { refresh_token } = await server.getTokens(client_id, key);
    await server.query('update oauth_grants set revoked_at = pharlo_now()');
    return refresh_token;
  };
  assert.deepEqual(await outcome(await server.refresh(client_id, await dead())), [401, 'invalid_token']);
  assert.deepEqual(await outcome(await server.refresh(client_id, await dead(), { resource })), [400, 'invalid_grant']);
  assert.deepEqual(
    await outcome(await server.refresh(client_id, await dead())),
    [401, 'invalid_token'],
    'a stranger cannot set it',
  );
  await server.getTokens(client_id, key, { resource });
  assert.deepEqual(await outcome(await server.refresh(client_id, await dead())), [400, 'invalid_grant']);
  const unknown = `mcp_rt_${randomBytes(32).toString('base64url')}`;
  assert.deepEqual(await outcome(await server.refresh(client_id, unknown)), [400, 'invalid_grant']);
});

test('the resource is kept, may narrow a token, and must be ours', async () => {
  await using server = await createServer();
  const { client_id } = await server.register();
  const { key } = await server.addKey();
  const rest = async (token: string) => (await authenticate(server.deps, `Bearer ${token}`, 'rest')).ok;
  const open = await server.getTokens(client_id, key);
  assert.ok((await rest(open.access_token)) && (await isLive(server, open.access_token)));
  const bound = await server.getTokens(client_id, key, { resource: `${issuer}/` });
  assert.ok(!(await rest(bound.access_token)) && (await isLive(server, bound.access_token)));
  const again = (await (await server.refresh(client_id, bound.refresh_token)).json()) as Tokens;
  assert.ok(!(await rest(again.access_token)));
  const narrowed = (await (
    await server.refresh(client_id, open.refresh_token, { resource: `${issuer}/_mcp` })
  ).json()) as Tokens;
  assert.ok(!(await rest(narrowed.access_token)));
  const foreign = await server.refresh(client_id, again.refresh_token, { resource: 'https://other.example/' });
  assert.deepEqual(await outcome(foreign), [400, 'invalid_target']);
  assert.equal((await server.refresh(client_id, again.refresh_token)).status, 200, 'the refusal burnt nothing');
});

test('a client without the refresh_token grant gets none and cannot use one', async () => {
  await using server = await createServer();
  const { client_id } = await server.register({ grant_types: ['authorization_code'] });
  const { key } = await server.addKey();
  const tokens = await server.getTokens(client_id, key);
  assert.ok(!('refresh_token' in tokens));
  assert.deepEqual(await outcome(await server.refresh(client_id, 'mcp_rt_x')), [400, 'unauthorized_client']);
});

test('malformed token requests', async () => {
  await using server = await createServer();
  const { client_id } = await server.register();
  const unknownId = `mcp_client_${'x'.repeat(22)}`;
  const resource = `${issuer}/_mcp`;
  const refresh = { grant_type: 'refresh_token', refresh_token: 'mcp_rt_x' };
  const basic = { authorization: `Basic ${btoa(`${client_id}:s`)}` };
  const cases: [number, string, Record<string, string> | [string, string][], Record<string, string>?][] = [
    [400, 'invalid_request', {}],
    [400, 'invalid_request', { client_id }],
    [400, 'invalid_request', refresh],
    [400, 'invalid_request', { client_id, grant_type: 'refresh_token' }],
    [400, 'unsupported_grant_type', { client_id, grant_type: 'password' }],
    [400, 'unsupported_grant_type', { client_id, grant_type: '__proto__' }],
    [400, 'invalid_request', [...Object.entries(refresh), ['client_id', client_id], ['client_id', client_id]]],
    [400, 'invalid_client', { ...refresh, client_id: unknownId }],
    [400, 'invalid_client', { ...refresh, client_id: 'a\0b' }],
    [401, 'invalid_client', { ...refresh, client_id: unknownId, resource }],
    [401, 'invalid_client', { ...refresh, client_id, client_secret: 's' }],
    [401, 'invalid_client', refresh, basic],
    [400, 'invalid_request', { ...refresh, client_secret: 's' }, basic],
    [400, 'invalid_grant', { ...refresh, client_id }],
    [
      400,
      'invalid_grant',
      [...Object.entries({ ...refresh, client_id }), ['resource', resource], ['resource', issuer]],
    ],
  ];
  for (const [status, error, form, headers] of cases) {
    const response = await server.token(form, headers);
    assert.equal(response.headers.get('cache-control'), 'no-store');
    assert.equal(response.headers.get('pragma'), 'no-cache');
    const body = (await response.json()) as Json;
    assert.deepEqual([response.status, body.error], [status, error], JSON.stringify(form));
    assert.match(String(body.error_description), /^[\x20-\x7e]+$/);
  }
  assert.match((await server.token(refresh, basic)).headers.get('www-authenticate') ?? '', /^Basic /);
});

test('the token endpoint takes forms of at most 16 KB by POST only', async () => {
  await using server = await createServer();
  const get = await server.fetch('/oauth/mcp/token?grant_type=refresh_token');
  assert.equal(get.headers.get('allow'), 'POST, OPTIONS');
  assert.deepEqual(await outcome(get), [405, 'invalid_request']);
  const json = await server.token({}, { 'content-type': 'application/json' });
  assert.deepEqual(await outcome(json), [400, 'invalid_request']);
  assert.equal((await server.token({ x: 'x'.repeat(16 * 1024) })).status, 413);
  const streamed = new ReadableStream({
    pull(controller) {
      controller.enqueue(new Uint8Array(8192).fill(120));
    },
  });
  const endless = await server.fetch('/oauth/mcp/token', {
    method: 'POST',
    headers: { 'content-type': 'application/x-www-form-urlencoded' },
    body: streamed,
    duplex: 'half',
  } as RequestInit);
  assert.equal(endless.status, 413);
});

test('a failure of the store is 503 with an OAuth body, so that clients keep their tokens', async () => {
  await using server = await createServer();
  const { client_id } = await server.register();
  const broken = { ...server.deps, db: { ...server.deps.db, query: () => Promise.reject(new Error('secret text')) } };
  const { oauthRoutes } = await import('../../src/oauth/index.ts');
  const response = await oauthRoutes(broken).request('/oauth/mcp/token', {
    method: 'POST',
    headers: { 'content-type': 'application/x-www-form-urlencoded' },
    body: `grant_type=refresh_token&refresh_token=r&client_id=${client_id}&code_verifier=${verifier}`,
  });
  assert.equal(response.status, 503);
  assert.ok(response.headers.get('retry-after'));
  assert.ok(!(await response.text()).includes('secret text'));
  assert.ok(!server.lines.join().includes('secret text'));
});
