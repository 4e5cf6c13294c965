import type { Scope } from '../../domain/access.ts';
import { hashSecret, newSecret } from '../../domain/ids.ts';
import { insertAudit } from '../../store/audit.ts';
import type { Queryable, Tx } from '../../store/db.ts';
import { type ClientRow, markMcpProfile } from '../../store/oauth-clients.ts';
import { type GrantRow, revokeGrant } from '../../store/oauth-grants.ts';
import { insertToken } from '../../store/oauth-tokens.ts';
import { lifetimes, type OAuthDeps } from '../context.ts';
import { OAuthError } from '../errors.ts';
import type { Fields } from '../request.ts';
import { audienceOf } from '../resource.ts';
import type { Signer } from '../signing.ts';

/** A token request whose client and resource are known. */
export type Exchange = {
  deps: OAuthDeps;
  form: Fields;
  client: ClientRow;
  network: string;
  /** Canonical. */
  resource?: string;
  /** For access tokens in JWT format; absent = opaque ones. */
  signer?: Signer;
};

/** RFC 6749 §5.1. */
export type Issued = {
  access_token: string;
  token_type: 'Bearer';
  expires_in: number;
  refresh_token?: string;
  scope: string;
};

/** Issues tokens of a grant within the transaction that used up what they were exchanged for. */
export async function issueTokens(
  tx: Tx,
  exchange: Exchange,
  grant: GrantRow,
  access: { scopes: readonly Scope[]; text: string },
  action: 'oauth.exchange' | 'oauth.refresh',
): Promise<Issued> {
  const { deps, client } = exchange;
  const resource = audience(exchange, grant);
  const accessToken = await makeAccessToken(exchange, grant, access.scopes, resource);
  await insertToken(tx, grant.id, 'access', {
    hash: hashSecret(accessToken),
    scopes: access.scopes,
    resource,
    lifetimeSeconds: lifetimes.accessToken,
  });
  const refreshToken = client.grantTypes.includes('refresh_token') ? newSecret('mcp_rt_', deps.random) : undefined;
  if (refreshToken) {
    await insertToken(tx, grant.id, 'refresh', {
      hash: hashSecret(refreshToken),
      scopes: grant.scopes,
      resource: grant.resource,
      lifetimeSeconds: lifetimes.refreshToken,
    });
  }
  if (exchange.resource !== undefined && !client.mcpProfile) await markMcpProfile(tx, client.id);
  await insertAudit(tx, describe(exchange, grant, action));
  return {
    access_token: accessToken,
    token_type: 'Bearer',
    expires_in: lifetimes.accessToken,
    ...(refreshToken && { refresh_token: refreshToken }),
    scope: access.text,
  };
}

async function makeAccessToken(
  { deps, client, signer }: Exchange,
  grant: GrantRow,
  scopes: readonly Scope[],
  resource: string | null,
): Promise<string> {
  if (!signer) return newSecret('mcp_at_', deps.random);
  const aud = audienceOf(deps.config.publicUrl, resource);
  const claims = { sub: grant.workspaceId, aud, client_id: client.id, scope: scopes.join(' ') };
  return signer(claims, lifetimes.accessToken);
}

/** Written down for the repetition of a refresh as well. */
export async function auditRefresh(on: Queryable, exchange: Exchange, grant: GrantRow, target: string): Promise<void> {
  await insertAudit(on, { ...describe(exchange, grant, 'oauth.refresh'), target });
}

/** True for clients that are answered as the MCP SDKs expect: they named a resource, now or before. */
export function isMcpProfile({ client, resource }: Exchange): boolean {
  return client.mcpProfile || resource !== undefined;
}

/** A grant keeps its resource; one without can still be narrowed to ours, token by token (RFC 8707 §2.2). */
export function audience({ resource }: Exchange, grant: GrantRow): string | null {
  if (grant.resource !== null && resource !== undefined && grant.resource !== resource) {
    throw new OAuthError('invalid_target', 'resource is not the one access was granted for.');
  }
  return grant.resource ?? resource ?? null;
}

/** Ends the grant behind a used code or token that came again (RFC 9700 §4.14.2) and writes it down once. */
export async function revokeForReuse(exchange: Exchange, grantId: string, what: 'code' | 'refresh_token') {
  await exchange.deps.db.transaction(async (tx) => {
    const revoked = await revokeGrant(tx, grantId, `${what}_reuse`);
    if (!revoked) return;
    const entry = describe(exchange, { id: grantId, ...revoked }, 'oauth.reuse');
    await insertAudit(tx, { ...entry, outcome: 'invalid_grant', target: what });
    await insertAudit(tx, describe(exchange, { id: grantId, ...revoked }, 'oauth.revoke'));
  });
}

function describe(
  { client, network }: Exchange,
  { id, workspaceId, keyId }: { id: string; workspaceId: string; keyId: string },
  action: string,
) {
  return { workspaceId, keyId, grantId: id, clientId: client.id, action, outcome: 'ok', network };
}
