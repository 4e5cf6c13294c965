import type { Scope } from '../domain/access.ts';
import { keyIsLive } from './api-keys.ts';
import { named, type Queryable, type Tx } from './db.ts';

/** What a consent gave, as far as tokens of it need to know. */
export type GrantRow = {
  id: string;
  workspaceId: string;
  keyId: string;
  scopes: Scope[];
  scopeText: string;
  resource: string | null;
};

export type NewGrant = GrantRow & { clientId: string; clientName: string; redirectHost: string };

/** Columns of GrantRow from a grant `g`. */
export const grantColumns = `g.id, g.workspace_id as "workspaceId", g.key_id as "keyId", g.scopes,
  g.scope_text as "scopeText", g.resource`;

/** Tables and condition of a grant `g` that may be used now: neither it nor its key ended, its workspace active. */
export const liveGrant = {
  tables: `oauth_grants g join api_keys k on k.id = g.key_id join workspaces w on w.id = g.workspace_id`,
  condition: `g.revoked_at is null and ${keyIsLive}`,
};

type Insert = [string, string, string, string, string, string, Scope[], string, string | null];

const insert = named<Insert, never>(
  'oauth_grants_insert',
  `insert into oauth_grants (id, workspace_id, key_id, client_id, client_name, redirect_host, scopes, scope_text, resource)
   values ($1, $2, $3, $4, $5, $6, $7, $8, $9)`,
);

export async function insertGrant(tx: Tx, grant: NewGrant): Promise<void> {
  const { id, workspaceId, keyId, clientId, clientName, redirectHost, scopes, scopeText, resource } = grant;
  await insert(tx, id, workspaceId, keyId, clientId, clientName, redirectHost, scopes, scopeText, resource);
}

const revoke = named<[string, string], { workspaceId: string; keyId: string }>(
  'oauth_grants_revoke',
  `update oauth_grants set revoked_at = pharlo_now(), revoked_reason = $2 where id = $1 and revoked_at is null
   returning workspace_id as "workspaceId", key_id as "keyId"`,
);

/** Ends a grant and every token of it from the next request on. Undefined when it had ended before. */
export async function revokeGrant(
  on: Queryable,
  id: string,
  reason: string,
): Promise<{ workspaceId: string; keyId: string } | undefined> {
  return (await revoke(on, id, reason))[0];
}

const end = named<[string, string | null, string, string], { id: string }>(
  'oauth_grants_end',
  `update oauth_grants set revoked_at = pharlo_now(), revoked_reason = $4
   where workspace_id = $1 and id = $3 and revoked_at is null
     and ($2::uuid is null or key_id in (select id from api_keys where workspace_id = $1 and organization_id = $2))
   returning id`,
);

/** As revokeGrant, for somebody of the workspace; `organizationId` narrows it to the keys of one organization. */
export async function endGrant(
  on: Queryable,
  place: { workspaceId: string; organizationId?: string },
  id: string,
  reason: string,
): Promise<boolean> {
  return (await end(on, place.workspaceId, place.organizationId ?? null, id, reason)).length === 1;
}

const hasLive = named<[string], { found: boolean }>(
  'oauth_grants_has_live',
  `select exists (
     select from ${liveGrant.tables} join oauth_tokens t on t.grant_id = g.id
     where g.client_id = $1 and ${liveGrant.condition} and t.rotated_at is null and t.expires_at > pharlo_now()
   ) as found`,
);

/** True when somebody lets this client in today: a grant that has not ended, with a token that still works. */
export async function hasLiveGrant(on: Queryable, clientId: string): Promise<boolean> {
  return (await hasLive(on, clientId))[0]?.found ?? false;
}

const touch = named<[string], never>(
  'oauth_grants_touch',
  `update oauth_grants set last_used_at = pharlo_now()
   where id = $1 and (last_used_at is null or last_used_at < pharlo_now() - interval '1 minute')`,
);

export async function noteGrantUsed(on: Queryable, id: string): Promise<void> {
  await touch(on, id);
}
