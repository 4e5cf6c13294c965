import { scopes as allScopes, expandScopes, type Scope } from '../domain/access.ts';
import type { Caller } from '../domain/caller.ts';
import { hashSecret } from '../domain/ids.ts';
import { findKeyByHash } from '../store/api-keys.ts';
import { noteGrantUsed } from '../store/oauth-grants.ts';
import { type AccessRow, findAccessToken } from '../store/oauth-tokens.ts';
import { type OAuthDeps, paths } from './context.ts';
import { isSignedFor, keyIdOf } from './signing.ts';
import { noteRefusal } from './strangers.ts';

export type Authentication = { ok: true; caller: Caller; expiresAt?: number } | { ok: false; presented: boolean };

/** `mcp` takes access tokens only; `rest` takes keys, and tokens that were asked for without a resource. */
export type Door = 'mcp' | 'rest';

/** Exactly one space, none inside (RFC 6750 §2.1). */
const bearer = /^bearer ([\w.~+/=-]+)$/i;

/**
 * Says who sends this Authorization header. Nothing is remembered between requests, so that a revocation holds from
 * the next one on. `expiresAt` is epoch ms. With a `network`, as in HttpEnv, what was presented in vain is counted.
 */
export async function authenticate(
  deps: OAuthDeps,
  authorization: string | null,
  door: Door,
  network?: string,
): Promise<Authentication> {
  const secret = bearer.exec(authorization ?? '')?.[1];
  const known = secret === undefined ? undefined : await identify(deps, secret, door);
  if (known) return known;
  const presented = /^bearer\s+\S/i.test(authorization ?? '');
  if (presented && network !== undefined) await noteRefusal(deps, network, 'access_refused', 'invalid_token');
  return { ok: false, presented };
}

async function identify(deps: OAuthDeps, secret: string, door: Door): Promise<Authentication | undefined> {
  if (secret.startsWith('mcp_at_')) return identifyToken(deps, secret, door);
  if (secret.startsWith('eyJ')) return identifyJwt(deps, secret, door);
  if (door === 'rest' && secret.startsWith('ds_live_')) return identifyKey(deps, secret);
  return undefined;
}

async function identifyToken(deps: OAuthDeps, secret: string, door: Door): Promise<Authentication | undefined> {
  const token = await findAccessToken(deps.db, hashSecret(secret), null);
  return token && admit(deps, token, door);
}

/** A JWT is looked up like any other token, so that it ends when its grant does; its signature comes on top. */
async function identifyJwt(deps: OAuthDeps, secret: string, door: Door): Promise<Authentication | undefined> {
  const keyId = keyIdOf(secret);
  const token = keyId === undefined ? undefined : await findAccessToken(deps.db, hashSecret(secret), keyId);
  const audience = deps.config.publicUrl + (door === 'mcp' ? paths.resource : paths.rest);
  const signed = token?.publicJwk && (await isSignedFor(deps, secret, token.publicJwk, audience));
  return token && signed ? admit(deps, token, door) : undefined;
}

async function admit(deps: OAuthDeps, token: AccessRow, door: Door): Promise<Authentication | undefined> {
  const bound = token.resource !== null;
  if (bound && (door !== 'mcp' || token.resource !== deps.config.publicUrl + paths.resource)) return undefined;
  if (token.stale) await noteGrantUsed(deps.db, token.grantId);
  const { workspaceId, keyId, grantId, organizationId } = token;
  const scopes = new Set(token.scopes.filter((scope) => token.keyScopes.includes(scope)));
  const caller = { via: door, workspaceId, keyId, grantId, scopes, ...(organizationId && { organizationId }) };
  return { ok: true, caller, expiresAt: token.expiresAt.getTime() };
}

async function identifyKey(deps: OAuthDeps, secret: string): Promise<Authentication | undefined> {
  const key = await findKeyByHash(deps.db, hashSecret(secret));
  if (!key) return undefined;
  const { id: keyId, workspaceId, organizationId, expiresAt } = key;
  const caller: Caller = {
    via: 'rest',
    workspaceId,
    keyId,
    scopes: new Set(key.scopes),
    ...(organizationId && { organizationId }),
  };
  return { ok: true, caller, ...(expiresAt && { expiresAt: expiresAt.getTime() }) };
}

/** WWW-Authenticate of a 401 at /_mcp (RFC 9728 §5.1); it names an error only if a token was presented. */
export function challenge(deps: OAuthDeps, presented: boolean): string {
  const error = presented ? { error: 'invalid_token', error_description: 'The access token is not valid.' } : {};
  return bearerChallenge({ ...error, scope: allScopes.join(' '), resource_metadata: metadataUrl(deps) });
}

/** WWW-Authenticate of a 403 at /_mcp: `scope` is all a new token has to hold, what it held before included. */
export function scopeChallenge(deps: OAuthDeps, held: Iterable<Scope>, missing: Iterable<Scope>): string {
  return bearerChallenge({
    error: 'insufficient_scope',
    error_description: 'The access token does not hold every scope this call needs.',
    scope: expandScopes([...held, ...missing]).join(' '),
    resource_metadata: metadataUrl(deps),
  });
}

function metadataUrl(deps: OAuthDeps): string {
  return deps.config.publicUrl + paths.resourceMetadata + paths.resource;
}

function bearerChallenge(parameters: Record<string, string>): string {
  return `Bearer ${Object.entries(parameters)
    .map(([name, value]) => `${name}="${value}"`)
    .join(', ')}`;
}
