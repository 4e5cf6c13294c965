import type { Scope } from '../domain/access.ts';
import { named, type Queryable } from './db.ts';

export type NewKey = {
  id: string;
  workspaceId: string;
  /** Absent = the whole workspace. */
  organizationId?: string;
  name: string;
  /** The last four characters of the key. */
  hint: string;
  keyHash: Buffer;
  scopes: readonly Scope[];
  /** Hundredths of a credit it may spend in one cycle. */
  spendingLimit?: number;
  expiresAt?: Date;
};

type Insert = [string, string, string | null, string, string, Buffer, readonly Scope[], Date | null, number | null];

const insert = named<Insert, never>(
  'api_keys_insert',
  `insert into api_keys (id, workspace_id, organization_id, name, hint, key_hash, scopes, expires_at, spending_limit)
   values ($1, $2, $3, $4, $5, $6, $7, $8, $9)`,
);

export async function insertKey(on: Queryable, key: NewKey): Promise<void> {
  const {
    id,
    workspaceId,
    organizationId = null,
    name,
    hint,
    keyHash,
    scopes,
    expiresAt = null,
    spendingLimit = null,
  } = key;
  await insert(on, id, workspaceId, organizationId, name, hint, keyHash, scopes, expiresAt, spendingLimit);
}

export type LiveKey = {
  id: string;
  workspaceId: string;
  workspaceName: string;
  organizationId: string | null;
  scopes: Scope[];
  expiresAt: Date | null;
};

/** True of a key `k` and its workspace `w` that may be used now. */
export const keyIsLive = `k.revoked_at is null and (k.expires_at is null or k.expires_at > pharlo_now())
  and w.status = 'active'`;

const findByHash = named<[Buffer], LiveKey>(
  'api_keys_find_by_hash',
  `select k.id, k.workspace_id as "workspaceId", w.name as "workspaceName", k.organization_id as "organizationId",
          k.scopes, k.expires_at as "expiresAt"
   from api_keys k join workspaces w on w.id = k.workspace_id
   where k.key_hash = $1 and ${keyIsLive}`,
);

/** The key of that hash, if it may be used now: not revoked, not expired, its workspace active. */
export async function findKeyByHash(on: Queryable, keyHash: Buffer): Promise<LiveKey | undefined> {
  return (await findByHash(on, keyHash))[0];
}

export type KeyRow = {
  id: string;
  organizationId: string | null;
  name: string;
  hint: string;
  scopes: Scope[];
  expiresAt: Date | null;
  revokedAt: Date | null;
  createdAt: Date;
};

const list = named<[string], KeyRow>(
  'api_keys_list',
  `select id, organization_id as "organizationId", name, hint, scopes, expires_at as "expiresAt",
          revoked_at as "revokedAt", created_at as "createdAt"
   from api_keys where workspace_id = $1 order by created_at desc, id desc`,
);

/** All keys of a workspace, ended ones too, newest first. */
export function listKeys(on: Queryable, workspaceId: string): Promise<KeyRow[]> {
  return list(on, workspaceId);
}

const revoke = named<[string, string], { id: string }>(
  'api_keys_revoke',
  `update api_keys set revoked_at = pharlo_now() where workspace_id = $1 and id = $2 and revoked_at is null
   returning id`,
);

/** Ends a key, and with it every grant it gave, from the next request on. False when there was nothing to end. */
export async function revokeKey(on: Queryable, workspaceId: string, id: string): Promise<boolean> {
  return (await revoke(on, workspaceId, id)).length > 0;
}
