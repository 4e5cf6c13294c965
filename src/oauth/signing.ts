import {
  calculateJwkThumbprint,
  decodeProtectedHeader,
  exportJWK,
  exportPKCS8,
  generateKeyPair,
  importJWK,
  importPKCS8,
  type JWK,
  jwtVerify,
  SignJWT,
} from 'jose';
import { insertSigningKey, keyPeriodSeconds, listSigningKeys, type SigningKeyRow } from '../store/oauth-keys.ts';
import type { OAuthDeps } from './context.ts';

/** Access tokens as JWT (RFC 9068): one algorithm, one type. */
const algorithm = 'RS256';
const type = 'at+jwt';

const thumbprint = /^[\w-]{43}$/;

/** Seconds. The next key is published this long before it signs, so that nobody meets a key that no cache holds yet. */
const publishAhead = 24 * 3600;

export type AccessClaims = { sub: string; aud: string | string[]; client_id: string; scope: string };

/** Signs access tokens with the key of now. */
export type Signer = (claims: AccessClaims, lifetimeSeconds: number) => Promise<string>;

export type Signing = {
  signer(): Promise<Signer>;
  /** What /.well-known/jwks.json answers: the keys before, of now, and soon. */
  publicKeys(): Promise<{ keys: Record<string, unknown>[] }>;
};

/** The signing keys: made when they are needed, sealed at rest, one for every ninety days. */
export function createSigning(deps: OAuthDeps): Signing {
  const making = new Map<number, Promise<void>>();

  function make(period: number, replaced: string | null): Promise<void> {
    const running = making.get(period) ?? makeKey(deps, period, replaced).finally(() => making.delete(period));
    making.set(period, running);
    return running;
  }

  /** The keys, with those there should be by now. */
  async function ensure(): Promise<{ now: number; period: number; keys: SigningKeyRow[] }> {
    const { now, keys } = await listSigningKeys(deps.db);
    const period = Math.floor(now / keyPeriodSeconds);
    const wanted = new Set([period, Math.floor((now + publishAhead) / keyPeriodSeconds)]);
    const missing = [...wanted].filter((one) => !keys.some((key) => key.period === one && opens(deps, key)));
    if (missing.length === 0) return { now, period, keys };
    for (const one of missing) await make(one, keys.find((key) => key.period === one)?.kid ?? null);
    return { now, period, keys: (await listSigningKeys(deps.db)).keys };
  }

  return {
    async signer() {
      const { now, period, keys } = await ensure();
      const row = keys.find((key) => key.period === period);
      const pem = row && open(deps, row);
      if (!row || pem === undefined) throw new Error('There is no signing key.');
      const key = await importPKCS8(pem, algorithm);
      return (claims, lifetimeSeconds) => {
        const issuedAt = Math.floor(now);
        return new SignJWT(claims)
          .setProtectedHeader({ alg: algorithm, typ: type, kid: row.kid })
          .setIssuer(deps.config.publicUrl)
          .setIssuedAt(issuedAt)
          .setExpirationTime(issuedAt + lifetimeSeconds)
          .setJti(Buffer.from(deps.random(16)).toString('base64url'))
          .sign(key);
      };
    },
    async publicKeys() {
      const { keys } = deps.config.accessTokenFormat === 'jwt' ? await ensure() : await listSigningKeys(deps.db);
      return { keys: keys.map(({ kid, publicJwk }) => ({ ...publicJwk, kid, use: 'sig', alg: algorithm })) };
    },
  };
}

const context = (kid: string) => `oauth signing key:${kid}`;

function open(deps: OAuthDeps, { kid, privateKey }: SigningKeyRow): string | undefined {
  return deps.vault.open(context(kid), privateKey);
}

function opens(deps: OAuthDeps, key: SigningKeyRow): boolean {
  return open(deps, key) !== undefined;
}

async function makeKey(deps: OAuthDeps, period: number, replaced: string | null): Promise<void> {
  const pair = await generateKeyPair(algorithm, { modulusLength: 2048, extractable: true });
  const publicJwk = await exportJWK(pair.publicKey);
  const kid = await calculateJwkThumbprint(publicJwk);
  const privateKey = deps.vault.seal(context(kid), await exportPKCS8(pair.privateKey));
  await insertSigningKey(deps.db, { kid, period, publicJwk: { ...publicJwk }, privateKey }, replaced);
}

/** The id of the key a JWT names; undefined for what is none of ours. */
export function keyIdOf(token: string): string | undefined {
  try {
    const { alg, typ, kid } = decodeProtectedHeader(token);
    return alg === algorithm && typ === type && thumbprint.test(kid ?? '') ? kid : undefined;
  } catch {
    return undefined;
  }
}

/** Whether a JWT is signed by this key and made here for this audience. Its end is its row's, by the database's clock. */
export async function isSignedFor(
  deps: OAuthDeps,
  token: string,
  publicJwk: Record<string, unknown>,
  audience: string,
): Promise<boolean> {
  try {
    await jwtVerify(token, await importJWK(publicJwk as JWK, algorithm), {
      algorithms: [algorithm],
      typ: type,
      issuer: deps.config.publicUrl,
      audience,
      currentDate: new Date(deps.now()),
      clockTolerance: 60,
    });
    return true;
  } catch {
    return false;
  }
}
