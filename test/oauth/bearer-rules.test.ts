import assert from 'node:assert/strict';
import { test } from 'node:test';
import { importPKCS8, SignJWT } from 'jose';
import { scopes } from '../../src/domain/access.ts';
import { newId } from '../../src/domain/ids.ts';
import { authenticate, challenge, scopeChallenge } from '../../src/oauth/index.ts';
import { createSigning, isSignedFor, keyIdOf } from '../../src/oauth/signing.ts';
import { createServer, issuer, type Server } from './server.ts';

test('a key tells who is calling: its scopes, its organization, its end', async () => {
  await using server = await createServer();
  const { workspaceId, deps } = server;
  const organizationId = newId(deps.now(), deps.random);
  await server.query(`insert into organizations (id, workspace_id, name, slug) values ($1, $2, 'O', 'o')`, [
    organizationId,
    workspaceId,
  ]);
  const expiresAt = new Date(Math.ceil(deps.now() / 1000) * 1000 + 60_000);
  const { id: keyId, key } = await server.addKey({ scopes: ['stats:read'], organizationId, expiresAt });
  const caller = { via: 'rest', workspaceId, keyId, organizationId, scopes: new Set(['stats:read']) };
  assert.deepEqual(await authenticate(deps, `Bearer ${key}`, 'rest'), {
    ok: true,
    caller,
    expiresAt: expiresAt.getTime(),
  });
  assert.deepEqual(await authenticate(deps, `Bearer ${key}`, 'mcp'), { ok: false, presented: true });
  await server.advance(61);
  assert.deepEqual(await authenticate(deps, `Bearer ${key}`, 'rest'), { ok: false, presented: true });
});

test('what looks like no secret of ours is never looked up', async () => {
  await using server = await createServer();
  const names: unknown[] = [];
  const db: Server['deps']['db'] = {
    ...server.deps.db,
    query: async (statement) => {
      names.push(statement.name);
      return [];
    },
  };
  const look = async (secret: string, door: 'mcp' | 'rest') => {
    const answer = await authenticate({ ...server.deps, db }, `Bearer ${secret}`, door);
    assert.deepEqual(answer, { ok: false, presented: true });
    return names.splice(0);
  };
  for (const secret of ['x', 'xmcp_at_x', 'xds_live_x', 'mcp_rt_x', 'xeyJ', 'eyJ', 'mcp_at']) {
    assert.deepEqual([await look(secret, 'mcp'), await look(secret, 'rest')], [[], []], secret);
  }
  assert.deepEqual(await look('mcp_at_x', 'mcp'), ['oauth_tokens_find_access']);
  assert.deepEqual(await look('mcp_at_x', 'rest'), ['oauth_tokens_find_access']);
  assert.deepEqual([await look('ds_live_x', 'mcp'), await look('ds_live_x', 'rest')], [[], ['api_keys_find_by_hash']]);
  assert.deepEqual(await look('mcp_at_x~+/=.-_9', 'mcp'), ['oauth_tokens_find_access'], 'all of RFC 6750 §2.1');
});

test('challenges, byte for byte', async () => {
  await using server = await createServer();
  const metadata = `resource_metadata="${issuer}/.well-known/oauth-protected-resource/_mcp"`;
  assert.equal(
    challenge(server.deps, true),
    `Bearer error="invalid_token", error_description="The access token is not valid.", scope="${scopes.join(' ')}", ${metadata}`,
  );
  assert.equal(
    scopeChallenge(server.deps, ['stats:read'], ['platforms:read', 'stats:read']),
    'Bearer error="insufficient_scope", error_description="The access token does not hold every scope this call needs.", ' +
      `scope="platforms:read stats:read", ${metadata}`,
  );
});

const kid = 'k'.repeat(43);

function forge(header: object): string {
  const encode = (value: object) => Buffer.from(JSON.stringify(value)).toString('base64url');
  return `${encode(header)}.${encode({})}.x`;
}

test('a token names one of our keys by alg, typ and a thumbprint, or none at all', () => {
  const header = { alg: 'RS256', typ: 'at+jwt', kid };
  assert.equal(keyIdOf(forge(header)), kid);
  for (const change of [
    { alg: 'none' },
    { alg: 'RS512' },
    { alg: undefined },
    { typ: 'JWT' },
    { typ: undefined },
    { kid: undefined },
    { kid: `${kid}k` },
    { kid: kid.slice(1) },
    { kid: `${kid.slice(1)}.` },
    { kid: `\0${kid}` },
    { kid: `${kid}\n` },
  ]) {
    assert.equal(keyIdOf(forge({ ...header, ...change })), undefined, JSON.stringify(change));
  }
  for (const text of ['', 'eyJ', 'x.y.z']) assert.equal(keyIdOf(text), undefined, text);
});

test('a token is taken for its audience, of this issuer, until a minute after its end', async () => {
  await using server = await createServer({ format: 'jwt' });
  const { deps } = server;
  const signing = createSigning(deps);
  const sign = await signing.signer();
  const claims = { sub: 's', aud: `${issuer}/_mcp`, client_id: 'c', scope: 'stats:read' };
  const token = await sign(claims, 3600);
  const [row] = await server.query(`select kid, public_jwk, private_key from oauth_signing_keys where kid = $1`, [
    keyIdOf(token),
  ]);
  const jwk = row?.public_jwk as Record<string, unknown>;
  const at = (seconds: number) => {
    const now = deps.now() + seconds * 1000;
    return isSignedFor({ ...deps, now: () => now }, token, jwk, `${issuer}/_mcp`);
  };
  assert.deepEqual([await at(0), await at(3640), await at(3680)], [true, true, false]);
  assert.equal(await isSignedFor(deps, token, jwk, `${issuer}/api/v1`), false);
  assert.equal(await isSignedFor(deps, token, { ...jwk, n: 'AQAB' }, `${issuer}/_mcp`), false);
  const elsewhere = { ...deps, config: { ...deps.config, publicUrl: 'https://other.example' } };
  assert.equal(await isSignedFor(elsewhere, token, jwk, `${issuer}/_mcp`), false);

  const pem = deps.vault.open(`oauth signing key:${String(row?.kid)}`, row?.private_key as Uint8Array);
  assert.ok(pem?.startsWith('-----BEGIN PRIVATE KEY-----'), 'sealed under its own name');
  const again = (type: string) =>
    importPKCS8(pem ?? '', 'RS256').then((key) =>
      new SignJWT({ aud: claims.aud, iss: issuer })
        .setProtectedHeader({ alg: 'RS256', typ: type })
        .setExpirationTime(Math.floor(deps.now() / 1000) + 60)
        .sign(key),
    );
  assert.equal(await isSignedFor(deps, await again('at+jwt'), jwk, `${issuer}/_mcp`), true);
  assert.equal(await isSignedFor(deps, await again('JWT'), jwk, `${issuer}/_mcp`), false);

  const { keys } = await signing.publicKeys();
  const shown = keys.find((one) => one.kid === row?.kid);
  assert.deepEqual(shown, { ...jwk, kid: row?.kid, use: 'sig', alg: 'RS256' });
});

test('keys that many ask for at once are made once, and those that are there are not made again', async () => {
  await using server = await createServer({ format: 'jwt' });
  const names: unknown[] = [];
  const { db } = server.deps;
  const counted: Server['deps']['db'] = {
    ...db,
    query: (statement) => {
      names.push(statement.name);
      return db.query(statement);
    },
  };
  const signing = createSigning({ ...server.deps, db: counted });
  const made = () => names.filter((name) => name === 'oauth_signing_keys_insert').length;
  await Promise.all(Array.from({ length: 6 }, () => signing.publicKeys()));
  const { keys } = await signing.publicKeys();
  assert.equal(made(), keys.length);
  await server.query('delete from oauth_signing_keys');
  await signing.signer();
  assert.equal(made(), 2 * keys.length, 'made anew once they are gone');
});

test('without a key that can be opened nothing is signed', async () => {
  await using server = await createServer({ format: 'jwt' });
  const vault = { ...server.deps.vault, open: () => undefined };
  await assert.rejects(createSigning({ ...server.deps, vault }).signer(), /There is no signing key/);
});

test('the doors of a JWT: both for one without a resource, only its own for one with', async () => {
  await using server = await createServer({ format: 'jwt' });
  const { client_id } = await server.register();
  const { key } = await server.addKey();
  const open = await server.getTokens(client_id, key);
  const bound = await server.getTokens(client_id, key, { resource: issuer });
  const isOk = async (token: string, door: 'mcp' | 'rest') =>
    (await authenticate(server.deps, `Bearer ${token}`, door)).ok;
  const doors = async (token: string) => [await isOk(token, 'mcp'), await isOk(token, 'rest')];
  assert.deepEqual(
    [await doors(open.access_token), await doors(bound.access_token)],
    [
      [true, true],
      [true, false],
    ],
  );
  const turned = `${bound.access_token.slice(0, -8)}AAAAAAAA`;
  assert.deepEqual(await doors(turned), [false, false]);
});
