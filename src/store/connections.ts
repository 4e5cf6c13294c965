import { named, type Queryable, type Tx } from './db.ts';

export type ConnectionRow = {
  id: string;
  workspaceId: string;
  organizationId: string;
  platform: string;
  sandbox: boolean;
  accountId: string;
  name: string;
  handle: string | null;
  thumbnailUrl: string | null;
  externalId: string | null;
  isActive: boolean;
  tokens: Buffer | null;
  tokenExpiresAt: Date | null;
  tokenRevokedAt: Date | null;
  createdAt: Date;
};

export const connectionColumns = `id, workspace_id as "workspaceId", organization_id as "organizationId", platform, sandbox,
  account_id as "accountId", name, handle, thumbnail_url as "thumbnailUrl", external_id as "externalId",
  is_active as "isActive", tokens, token_expires_at as "tokenExpiresAt", token_revoked_at as "tokenRevokedAt",
  created_at as "createdAt"`;

const find = named<[string, string, string | null], ConnectionRow>(
  'connections_find',
  `select ${connectionColumns} from connections
   where workspace_id = $1 and id = $2 and ($3::uuid is null or organization_id = $3) and deleted_at is null`,
);

/** One connection; `organizationId` narrows what the asker may see. */
export async function findConnection(
  on: Queryable,
  workspaceId: string,
  id: string,
  organizationId?: string,
): Promise<ConnectionRow | undefined> {
  return (await find(on, workspaceId, id, organizationId ?? null))[0];
}

const lock = named<[string, string, string | null], ConnectionRow>(
  'connections_lock',
  `select ${connectionColumns} from connections
   where workspace_id = $1 and id = $2 and ($3::uuid is null or organization_id = $3) and deleted_at is null
   for update`,
);

/** One connection, locked until the transaction ends. */
export async function lockConnection(
  tx: Tx,
  workspaceId: string,
  id: string,
  organizationId?: string,
): Promise<ConnectionRow | undefined> {
  return (await lock(tx, workspaceId, id, organizationId ?? null))[0];
}

const changeStatement = named<[string, string, string, boolean, string | null], never>(
  'connections_change',
  'update connections set name = $3, is_active = $4, external_id = $5 where workspace_id = $1 and id = $2',
);

/** What its owner says about a locked connection. */
export async function changeConnection(
  tx: Tx,
  { workspaceId, id }: { workspaceId: string; id: string },
  to: Pick<ConnectionRow, 'name' | 'isActive' | 'externalId'>,
): Promise<void> {
  await changeStatement(tx, workspaceId, id, to.name, to.isActive, to.externalId);
}

const deleteStatement = named<[string, string], never>(
  'connections_delete',
  `update connections
   set deleted_at = pharlo_now(), is_active = false, tokens = null, token_expires_at = null, token_revoked_at = null,
       refresh_due_at = null, lease_until = null, lease_token = null
   where workspace_id = $1 and id = $2`,
);

/** Erases the tokens and hides the connection; its row stays for the jobs that refer to it. */
export async function deleteConnection(
  tx: Tx,
  { workspaceId, id }: { workspaceId: string; id: string },
): Promise<void> {
  await deleteStatement(tx, workspaceId, id);
}

export type NewConnection = {
  id: string;
  workspaceId: string;
  organizationId: string;
  keyId: string | null;
  grantId: string | null;
  platform: string;
  sandbox: boolean;
  accountId: string;
  name: string;
  handle: string | null;
  thumbnailUrl: string | null;
};

const findAccountStatement = named<[string, string, string, boolean, string], { id: string }>(
  'connections_find_account',
  `select id from connections
   where workspace_id = $1 and organization_id = $2 and platform = $3 and sandbox = $4 and account_id = $5
   for update`,
);

/** The connection an organization already has to an account, locked, or undefined. */
export async function lockAccount(tx: Tx, connection: NewConnection): Promise<string | undefined> {
  const { workspaceId, organizationId, platform, sandbox, accountId } = connection;
  return (await findAccountStatement(tx, workspaceId, organizationId, platform, sandbox, accountId))[0]?.id;
}

const insert = named<
  [string, string, string, string | null, string | null, string, boolean, string, string, string | null, string | null],
  { id: string }
>(
  'connections_insert',
  `insert into connections (id, workspace_id, organization_id, key_id, grant_id, platform, sandbox, account_id, name,
                            account_name, handle, thumbnail_url)
   values ($1, $2, $3, $4, $5, $6, $7, $8, $9, $9, $10, $11)
   on conflict on constraint connections_account do nothing
   returning id`,
);

/** False when the organization has got a connection to that account meanwhile. */
export async function insertConnection(tx: Tx, c: NewConnection): Promise<boolean> {
  const rows = await insert(
    tx,
    c.id,
    c.workspaceId,
    c.organizationId,
    c.keyId,
    c.grantId,
    c.platform,
    c.sandbox,
    c.accountId,
    c.name,
    c.handle,
    c.thumbnailUrl,
  );
  return rows.length === 1;
}

const saveTokensStatement = named<[string, string, Buffer, Date | null, Date | null, string | null], { id: string }>(
  'connections_save_tokens',
  `update connections
   set tokens = $3, token_expires_at = $4, refresh_due_at = $5, token_revoked_at = null, lease_until = null,
       lease_token = null, attempts = 0
   where workspace_id = $1 and id = $2 and ($6::uuid is null or lease_token = $6)
   returning id`,
);

/**
 * Stores sealed tokens; the connection works again. `refreshAt` is when they should be renewed. With `lease`, only while
 * that refresh claim stands; false when it does not.
 */
export async function saveTokens(
  on: Queryable,
  place: { workspaceId: string; id: string },
  tokens: { sealed: Buffer; expiresAt: Date | null; refreshAt: Date | null; lease: string | undefined },
): Promise<boolean> {
  const { sealed, expiresAt, refreshAt, lease = null } = tokens;
  return (await saveTokensStatement(on, place.workspaceId, place.id, sealed, expiresAt, refreshAt, lease)).length === 1;
}

const reviveStatement = named<[string, string, string, string | null, string | null], never>(
  'connections_describe',
  `update connections
   set name = case when name = account_name then $3 else name end, account_name = $3, handle = $4, thumbnail_url = $5,
       is_active = true, deleted_at = null
   where workspace_id = $1 and id = $2`,
);

/** Takes over what the platform says of the account after a new consent; a name of its owner's own stays. */
export async function describeConnection(
  tx: Tx,
  workspaceId: string,
  id: string,
  account: NewConnection,
): Promise<void> {
  await reviveStatement(tx, workspaceId, id, account.name, account.handle, account.thumbnailUrl);
}

const revokeStatement = named<[string, string, string], { id: string }>(
  'connections_mark_revoked',
  `update connections set token_revoked_at = pharlo_now(), refresh_due_at = null, lease_until = null, lease_token = null
   where workspace_id = $1 and id = $2 and lease_token = $3
   returning id`,
);

/**
 * Flags a connection whose grant the platform has ended; only a person can repair it. False when the refresh claim that
 * learned it no longer stands.
 */
export async function markRevoked(
  on: Queryable,
  { workspaceId, id }: { workspaceId: string; id: string },
  lease: string,
): Promise<boolean> {
  return (await revokeStatement(on, workspaceId, id, lease)).length === 1;
}

const claimOne = named<[string, string, string], ConnectionRow>(
  'connections_claim_refresh',
  `update connections set lease_until = pharlo_now() + interval '30 seconds', lease_token = $3
   where workspace_id = $1 and id = $2 and (lease_until is null or lease_until <= pharlo_now())
   returning ${connectionColumns}`,
);

/** Makes the caller the one refresher of a connection for 30 s. Undefined while another one is. */
export async function claimRefresh(
  on: Queryable,
  workspaceId: string,
  id: string,
  leaseToken: string,
): Promise<ConnectionRow | undefined> {
  return (await claimOne(on, workspaceId, id, leaseToken))[0];
}

const claimDue = named<[number, string], ConnectionRow>(
  'connections_claim_due',
  `with ready as (
     select id as ready_id from connections
     where refresh_due_at <= pharlo_now() and (lease_until is null or lease_until <= pharlo_now())
     order by refresh_due_at limit $1 for update skip locked
   )
   update connections set lease_until = pharlo_now() + interval '30 seconds', lease_token = $2, attempts = attempts + 1
   from ready where id = ready_id
   returning ${connectionColumns}`,
);

/** Claims connections whose tokens are to be renewed. */
export function claimDueRefreshes(on: Queryable, limit: number, leaseToken: string): Promise<ConnectionRow[]> {
  return claimDue(on, limit, leaseToken);
}

const postpone = named<[string, string], never>(
  'connections_postpone_refresh',
  `update connections
   set lease_until = null, lease_token = null,
       refresh_due_at = case when refresh_due_at is null then null
         else pharlo_now() + least(attempts, 10) * interval '30 seconds' end
   where id = $1 and lease_token = $2`,
);

/** Gives the refresher's claim back after a passing failure; the next try comes later each time. */
export async function postponeRefresh(on: Queryable, id: string, leaseToken: string): Promise<void> {
  await postpone(on, id, leaseToken);
}

const takeOver = named<[], never>(
  'connections_take_over',
  'update connections set lease_until = null, lease_token = null where lease_token is not null',
);

/** Ends every refresh claim at once; only for the one process that works. */
export async function takeOverRefreshes(on: Queryable): Promise<void> {
  await takeOver(on);
}
