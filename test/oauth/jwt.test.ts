import assert from 'node:assert/strict';
import { createHmac } from 'node:crypto';
import { test } from 'node:test';
import {
  type CryptoKey,
  decodeJwt,
  decodeProtectedHeader,
  exportJWK,
  exportSPKI,
  generateKeyPair,
  type JWK,
  SignJWT,
} from 'jose';
import * as oauth from 'oauth4webapi';
import { authenticate, oauthRoutes } from '../../src/oauth/index.ts';
import { keyPeriodSeconds } from '../../src/store/oauth-keys.ts';
import { sweepExpired } from '../../src/store/sweep.ts';
import { createVault } from '../../src/vault.ts';
import { createServer, issuer, type Json, type Server } from './server.ts';

async function isLive(server: Server, token: string, door: 'mcp' | 'rest' = 'mcp'): Promise<boolean> {
  return (await authenticate(server.deps, `Bearer ${token}`, door)).ok;
}

async function publicKeys(server: Server): Promise<JWK[]> {
  return ((await (await server.fetch('/.well-known/jwks.json')).json()) as { keys: JWK[] }).keys;
}

const kidOf = (token: string) => decodeProtectedHeader(token).kid;

/** Puts the database into the middle of a period, so that only the test crosses its borders. */
async function enterMiddleOfPeriod(server: Server): Promise<void> {
  const [row] = await server.query(`select extract(epoch from pharlo_now())::float8 as now`);
  await server.advance(Math.round(1.5 * keyPeriodSeconds - (Number(row?.now) % keyPeriodSeconds)));
}

test('an access token in JWT format says what RFC 9068 asks for, and a strict resource server takes it', async () => {
  await using server = await createServer({ format: 'jwt' });
  const { client_id } = await server.register();
  const { key } = await server.addKey();
  const tokens = await server.getTokens(client_id, key, { resource: `${issuer}/_mcp`, scope: 'mcp.read' });
  assert.equal(tokens.scope, 'mcp.read');
  const header = decodeProtectedHeader(tokens.access_token);
  assert.deepEqual({ ...header, kid: typeof header.kid }, { alg: 'RS256', typ: 'at+jwt', kid: 'string' });
  const { iat = 0, exp = 0, jti, ...claims } = decodeJwt(tokens.access_token);
  assert.deepEqual(claims, {
    iss: issuer,
    aud: `${issuer}/_mcp`,
    sub: server.workspaceId,
    client_id,
    scope: 'assignments:read connections:read platforms:read webhooks:read stats:read',
  });
  assert.equal(exp - iat, 3600);
  assert.match(jti ?? '', /^[\w-]{22}$/);
  assert.match(tokens.refresh_token, /^mcp_rt_/);

  const via = { [oauth.customFetch]: (url: string, init: object) => server.fetch(url, init as RequestInit) };
  const discovery = await oauth.discoveryRequest(new URL(issuer), { algorithm: 'oauth2', ...via });
  const as = await oauth.processDiscoveryResponse(new URL(issuer), discovery);
  assert.equal(as.jwks_uri, `${issuer}/.well-known/jwks.json`);
  const request = new Request(`${issuer}/_mcp`, { headers: { authorization: `Bearer ${tokens.access_token}` } });
  const seen = await oauth.validateJwtAccessToken(as, request, `${issuer}/_mcp`, via);
  assert.equal(seen.client_id, client_id);

  const open = await server.getTokens(client_id, key);
  assert.deepEqual(decodeJwt(open.access_token).aud, [`${issuer}/_mcp`, `${issuer}/api/v1`]);
  assert.deepEqual(
    [await isLive(server, open.access_token), await isLive(server, open.access_token, 'rest')],
    [true, true],
  );
  assert.deepEqual(
    [await isLive(server, tokens.access_token), await isLive(server, tokens.access_token, 'rest')],
    [true, false],
  );
});

test('it ends with its grant, its key and its hour, from the next request on', async () => {
  await using server = await createServer({ format: 'jwt' });
  const { client_id } = await server.register();
  const { id, key } = await server.addKey();
  const [a, b, c] = [
    await server.getTokens(client_id, key),
    await server.getTokens(client_id, key),
    await server.getTokens(client_id, key),
  ];
  assert.equal(((await (await server.introspect(client_id, a.access_token)).json()) as Json).active, true);
  await server.revoke(client_id, a.refresh_token);
  assert.deepEqual([await isLive(server, a.access_token), await isLive(server, b.access_token)], [false, true]);
  await server.revoke(client_id, b.access_token);
  assert.deepEqual([await isLive(server, b.access_token), await isLive(server, c.access_token)], [false, true]);
  const next = (await (await server.refresh(client_id, c.refresh_token)).json()) as typeof c;
  await server.advance(3590);
  assert.ok(await isLive(server, next.access_token));
  await server.advance(20);
  assert.equal(await isLive(server, next.access_token), false);
  const last = (await (await server.refresh(client_id, next.refresh_token)).json()) as typeof c;
  assert.ok(await isLive(server, last.access_token));
  await server.query('update api_keys set revoked_at = pharlo_now() where id = $1', [id]);
  assert.equal(await isLive(server, last.access_token), false);
});

test('one statement tells all of it', async () => {
  await using server = await createServer({ format: 'jwt' });
  const { client_id } = await server.register();
  const { key } = await server.addKey();
  const { access_token } = await server.getTokens(client_id, key);
  await isLive(server, access_token);
  const names: unknown[] = [];
  const { query } = server.deps.db;
  const db = {
    ...server.deps.db,
    query: <R>(statement: { name?: string; text: string; values: unknown[] }) => {
      names.push(statement.name);
      return query<R>(statement);
    },
  };
  assert.ok((await authenticate({ ...server.deps, db }, `Bearer ${access_token}`, 'mcp')).ok);
  assert.deepEqual(names, ['oauth_tokens_find_access']);
});

test('a forged token is refused even if its hash were stored: alg, key, typ, issuer and audience are pinned', async () => {
  await using server = await createServer({ format: 'jwt' });
  const { client_id } = await server.register();
  const { key } = await server.addKey();
  const { access_token } = await server.getTokens(client_id, key);
  const [head = '', body = '', signature = ''] = access_token.split('.');
  const [jwk] = await publicKeys(server);
  const encode = (value: object) => Buffer.from(JSON.stringify(value)).toString('base64url');
  const header = { alg: 'RS256', typ: 'at+jwt', kid: jwk?.kid ?? '' };
  const pair = await generateKeyPair('RS256', { extractable: true });
  const claims = decodeJwt(access_token);
  const sign = (changes: object, protectedHeader: object = {}, by: CryptoKey = pair.privateKey) =>
    new SignJWT({ ...claims, ...changes }).setProtectedHeader({ ...header, ...protectedHeader }).sign(by);
  const hs = `${encode({ ...header, alg: 'HS256' })}.${body}`;
  const mac = createHmac('sha256', await exportSPKI(pair.publicKey))
    .update(hs)
    .digest('base64url');
  const forged = [
    `${encode({ ...header, alg: 'none' })}.${body}.`,
    `${encode({ ...header, alg: 'none' })}.${body}.${signature}`,
    `${hs}.${mac}`,
    `${head}.${encode({ ...claims, scope: 'assignments:write' })}.${signature}`,
    `${head}.${body}.${signature.slice(0, -4)}AAAA`,
    await sign({}),
    await sign({}, { jwk: await exportJWK(pair.publicKey) }),
    `${encode({ ...header, kid: '\0' })}.${body}.${signature}`,
    `${encode({ ...header, kid: 7 })}.${body}.${signature}`,
    'eyJ.eyJ.x',
    'eyJ',
  ];
  const store = (token: string) =>
    server.query(
      `insert into oauth_tokens (token_hash, grant_id, kind, scopes, resource, expires_at)
       select sha256($1), grant_id, kind, scopes, resource, expires_at from oauth_tokens
       where token_hash = sha256($2) on conflict do nothing`,
      [Buffer.from(token), Buffer.from(access_token)],
    );
  for (const token of forged) {
    assert.equal(await isLive(server, token), false, token);
    await store(token);
    assert.equal(await isLive(server, token), false, `stored: ${token}`);
  }
  assert.ok(await isLive(server, access_token), 'positive control');

  await server.query('update oauth_signing_keys set public_jwk = $1', [
    JSON.stringify(await exportJWK(pair.publicKey)),
  ]);
  const trusted: [boolean, string][] = [
    [true, await sign({})],
    [false, await sign({ iss: 'https://other.example' })],
    [false, await sign({ aud: 'https://other.example/_mcp' })],
    [false, await sign({ aud: undefined })],
    [false, await sign({}, { typ: 'JWT' })],
    [false, access_token],
  ];
  for (const [index, [expected, token]] of trusted.entries()) {
    await store(token);
    assert.equal(await isLive(server, token), expected, String(index));
  }
});

test('parallel first exchanges make one key; it is sealed at rest and only its public half is shown', async () => {
  await using server = await createServer({ format: 'jwt' });
  await enterMiddleOfPeriod(server);
  const { client_id } = await server.register();
  const { key } = await server.addKey();
  const codes = await Promise.all(Array.from({ length: 8 }, () => server.getCode(client_id, key)));
  const answers = await Promise.all(codes.map((code) => server.exchange(client_id, code)));
  assert.deepEqual([...new Set(answers.map(({ status }) => status))], [200]);
  const keys = await publicKeys(server);
  assert.equal(keys.length, 1);
  assert.deepEqual(Object.keys(keys[0] ?? {}).sort(), ['alg', 'e', 'kid', 'kty', 'n', 'use']);
  const [row] = await server.query(
    `select t::text as row, encode(private_key, 'escape') as sealed from oauth_signing_keys t`,
  );
  assert.ok(row && !`${row.row} ${row.sealed}`.includes('PRIVATE KEY'));
  const first = (await answers[0]?.clone().json()) as { refresh_token: string } | undefined;
  const again = await Promise.all(
    Array.from({ length: 16 }, () => server.refresh(client_id, first?.refresh_token ?? '', { resource: issuer })),
  );
  const pairs = await Promise.all(again.map((answer) => answer.text()));
  assert.equal(
    new Set(pairs.map((text) => (JSON.parse(text) as Json).access_token)).size,
    1,
    'repeated as opaque ones are',
  );
});

test('keys rotate with overlap: published a day before they sign, shown a period longer, then gone', async () => {
  await using server = await createServer({ format: 'jwt' });
  await enterMiddleOfPeriod(server);
  const { client_id } = await server.register();
  const { key } = await server.addKey();
  const shown = async () => (await publicKeys(server)).map(({ kid }) => kid);
  const first = kidOf((await server.getTokens(client_id, key)).access_token);
  assert.deepEqual(await shown(), [first]);
  await server.advance(keyPeriodSeconds / 2 - 12 * 3600);
  const before = await server.getTokens(client_id, key);
  assert.equal(kidOf(before.access_token), first, 'the new key does not sign yet');
  const [, second] = await shown();
  assert.ok(second && second !== first, 'but it is published');
  await server.advance(12 * 3600 - 1800);
  const late = await server.getTokens(client_id, key);
  await server.advance(2400);
  const after = await server.getTokens(client_id, key);
  assert.deepEqual([kidOf(late.access_token), kidOf(after.access_token)], [first, second]);
  assert.deepEqual([await isLive(server, late.access_token), await isLive(server, after.access_token)], [true, true]);
  await sweepExpired(server.deps.db);
  assert.deepEqual(await shown(), [first, second]);
  await server.advance(keyPeriodSeconds);
  await sweepExpired(server.deps.db);
  assert.deepEqual((await server.query('select kid from oauth_signing_keys order by period'))[0], { kid: second });
  assert.ok(!(await shown()).includes(first));
});

test('a key that can no longer be opened is replaced', async () => {
  await using server = await createServer({ format: 'jwt' });
  await enterMiddleOfPeriod(server);
  const [before] = await publicKeys(server);
  const vault = createVault([server.deps.random(32)], server.deps.random);
  const answer = await oauthRoutes({ ...server.deps, vault }).request('/.well-known/jwks.json');
  const { keys } = (await answer.json()) as { keys: JWK[] };
  assert.equal(keys.length, 1);
  assert.notEqual(keys[0]?.kid, before?.kid);
});

test('without the JWT format there is no jwks_uri and no key; tokens of it go on until they end', async () => {
  await using server = await createServer({ format: 'jwt' });
  const { client_id } = await server.register();
  const { key } = await server.addKey();
  const { access_token } = await server.getTokens(client_id, key);
  const config = { ...server.deps.config, accessTokenFormat: 'opaque' as const };
  assert.ok((await authenticate({ ...server.deps, config }, `Bearer ${access_token}`, 'mcp')).ok);
  const metadata = await oauthRoutes({ ...server.deps, config }).request('/.well-known/oauth-authorization-server');
  assert.ok(!('jwks_uri' in ((await metadata.json()) as Json)));
  await using opaque = await createServer();
  const response = await opaque.fetch('/.well-known/jwks.json');
  assert.deepEqual([response.status, await response.json()], [200, { keys: [] }]);
  assert.match(response.headers.get('cache-control') ?? '', /max-age=300/);
});
