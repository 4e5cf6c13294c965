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
  importJWK,
  type JWK,
  SignJWT,
} from 'jose';
import { keyPeriodSeconds } from '../../src/store/oauth-keys.ts';
import {
  get,
  getTokens,
  type Harness,
  issuer,
  mcpStatus,
  newClient,
  query,
  resource,
  revoke,
  startPharlo,
} from './outside.ts';

// Item 48 of the security checklist.

const kidOf = (jwt: string) => decodeProtectedHeader(jwt).kid ?? '';

test('48 JWT: pinned algorithm, type and audience, short, rotated with overlap, ended with its family', async () => {
  await using pharlo = await startPharlo({ environment: { PHARLO_ACCESS_TOKEN_FORMAT: 'jwt' } });
  const [row] = await query(pharlo, 'select extract(epoch from pharlo_now())::float8 as now');
  // Only the test crosses the border of two periods.
  await pharlo.advance(1000 * Math.round(1.5 * keyPeriodSeconds - (Number(row?.now) % keyPeriodSeconds)));
  const id = await newClient(pharlo);
  const { access_token: good } = await getTokens(pharlo, id);
  const header = decodeProtectedHeader(good);
  const claims = decodeJwt(good);
  assert.deepEqual([header.alg, header.typ, claims.iss, claims.aud], ['RS256', 'at+jwt', issuer, resource]);
  assert.ok(Number(claims.exp) - Number(claims.iat) <= 3600);
  const [head = '', body = '', signature = ''] = good.split('.');
  const shown = async () => (await get(pharlo, '/.well-known/jwks.json')).json.keys as JWK[];
  const own = (await shown()).find(({ kid }) => kid === header.kid);
  assert.deepEqual(Object.keys(own ?? {}).sort(), ['alg', 'e', 'kid', 'kty', 'n', 'use']);

  const pair = await generateKeyPair('RS256', { extractable: true });
  const encode = (value: object) => Buffer.from(JSON.stringify(value)).toString('base64url');
  const sign = (changes: object, by: CryptoKey = pair.privateKey, typ = 'at+jwt') =>
    new SignJWT({ ...claims, ...changes }).setProtectedHeader({ alg: 'RS256', typ, kid: kidOf(good) }).sign(by);
  const symmetric = `${encode({ ...header, alg: 'HS256' })}.${body}`;
  const mac = createHmac(
    'sha256',
    await exportSPKI((await importJWK(own ?? {}, 'RS256', { extractable: true })) as CryptoKey),
  );
  const forged = [
    `${encode({ ...header, alg: 'none' })}.${body}.`,
    `${encode({ ...header, alg: 'none' })}.${body}.${signature}`,
    `${symmetric}.${mac.update(symmetric).digest('base64url')}`,
    `${head}.${encode({ ...claims, scope: 'assignments:write' })}.${signature}`,
    await sign({}),
  ];
  for (const jwt of forged) {
    await plant(pharlo, jwt, good);
    assert.equal(await mcpStatus(pharlo, jwt), 401, jwt);
  }
  assert.equal(await mcpStatus(pharlo, good), 200, 'positive control');

  const { kid, ...known } = own ?? {};
  const { e = '', n = '', kty = '' } = await exportJWK(pair.publicKey);
  await query(pharlo, 'update oauth_signing_keys set public_jwk = $1 where kid = $2', [
    JSON.stringify({ e, n, kty }),
    kid,
  ]);
  const judged: [number, string][] = [
    [200, await sign({})],
    [401, await sign({ aud: 'https://other.example/_mcp' })],
    [401, await sign({ aud: `${issuer}/api/v1` })],
    [401, await sign({ iss: 'https://other.example' })],
    [401, await sign({}, pair.privateKey, 'JWT')],
    [401, await sign({ exp: Number(claims.iat) - 120 })],
  ];
  for (const [index, [status, jwt]] of judged.entries()) {
    await plant(pharlo, jwt, good);
    assert.equal(await mcpStatus(pharlo, jwt), status, String(index));
  }
  await query(pharlo, 'update oauth_signing_keys set public_jwk = $1 where kid = $2', [
    JSON.stringify({ e: known.e, n: known.n, kty: known.kty }),
    kid,
  ]);

  await pharlo.advance(500 * keyPeriodSeconds - 12 * 3_600_000);
  assert.equal(kidOf((await getTokens(pharlo, id)).access_token), kid, 'the next key is shown before it signs');
  assert.equal((await shown()).length, 2);
  await pharlo.advance(12 * 3_600_000 - 1_800_000);
  const late = await getTokens(pharlo, id);
  await pharlo.advance(2_400_000);
  const next = await getTokens(pharlo, id);
  assert.notEqual(kidOf(next.access_token), kid);
  for (const { access_token } of [late, next]) assert.equal(await mcpStatus(pharlo, access_token), 200);
  await revoke(pharlo, id, next.refresh_token);
  assert.equal(await mcpStatus(pharlo, next.access_token), 401, 'ended with its family');
  assert.equal(await mcpStatus(pharlo, late.access_token), 200);
});

/** Stores the hash of a forged token beside the real one's, so that nothing but its signature can be missing. */
async function plant(pharlo: Harness, forged: string, real: string): Promise<void> {
  await query(
    pharlo,
    `insert into oauth_tokens (token_hash, grant_id, kind, scopes, resource, expires_at)
     select sha256($1), grant_id, kind, scopes, resource, expires_at from oauth_tokens
     where token_hash = sha256($2) on conflict do nothing`,
    [Buffer.from(forged), Buffer.from(real)],
  );
}
