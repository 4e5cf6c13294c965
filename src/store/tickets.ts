import { named, type Queryable, type Tx } from './db.ts';

export type TicketRow = {
  id: string;
  workspaceId: string;
  organizationId: string;
  keyId: string | null;
  grantId: string | null;
  platform: string;
  sandbox: boolean;
  connectionId: string | null;
  redirectUrl: string | null;
  codeVerifier: Buffer | null;
  status: 'pending' | 'success' | 'failed';
  connectionIds: string[];
  errorCode: string | null;
  expiresAt: Date;
  expired: boolean;
};

const columns = `t.id, t.workspace_id as "workspaceId", t.organization_id as "organizationId", t.key_id as "keyId",
  t.grant_id as "grantId", t.platform, t.sandbox, t.connection_id as "connectionId", t.redirect_url as "redirectUrl",
  t.code_verifier as "codeVerifier", t.status, t.connection_ids as "connectionIds", t.error_code as "errorCode",
  t.expires_at as "expiresAt", t.expires_at <= pharlo_now() as expired`;

export type NewTicket = {
  id: string;
  workspaceId: string;
  organizationId: string;
  keyId: string;
  grantId: string | null;
  platform: string;
  sandbox: boolean;
  connectionId: string | null;
  redirectUrl: string | null;
  secretHash: Buffer;
};

const insert = named<
  [string, string, string, string, string | null, string, boolean, string | null, string | null, Buffer],
  { expiresAt: Date }
>(
  'tickets_insert',
  `insert into connect_tickets (id, workspace_id, organization_id, key_id, grant_id, platform, sandbox, connection_id,
                                redirect_url, secret_hash, expires_at)
   values ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, pharlo_now() + interval '15 minutes')
   returning expires_at as "expiresAt"`,
);

/** Stores a ticket that lives 15 minutes; answers when it ends. */
export async function insertTicket(tx: Tx, t: NewTicket): Promise<Date> {
  const [row] = await insert(
    tx,
    t.id,
    t.workspaceId,
    t.organizationId,
    t.keyId,
    t.grantId,
    t.platform,
    t.sandbox,
    t.connectionId,
    t.redirectUrl,
    t.secretHash,
  );
  if (!row) throw new Error('A ticket was not stored.');
  return row.expiresAt;
}

const find = named<[string, string, string | null], TicketRow>(
  'tickets_find',
  `select ${columns} from connect_tickets t
   where t.workspace_id = $1 and t.id = $2 and ($3::uuid is null or t.organization_id = $3)`,
);

export async function findTicket(
  on: Queryable,
  workspaceId: string,
  id: string,
  organizationId?: string,
): Promise<TicketRow | undefined> {
  return (await find(on, workspaceId, id, organizationId ?? null))[0];
}

export type TicketPlace = TicketRow & { workspaceName: string; organizationName: string };

const findBySecret = named<[Buffer], TicketPlace>(
  'tickets_find_by_secret',
  `select ${columns}, w.name as "workspaceName", o.name as "organizationName"
   from connect_tickets t
   join workspaces w on w.id = t.workspace_id and w.status = 'active'
   join organizations o on o.workspace_id = t.workspace_id and o.id = t.organization_id
   where t.secret_hash = $1`,
);

/** The ticket a browser holds the secret of, with the names its page shows. */
export async function findTicketBySecret(on: Queryable, secretHash: Buffer): Promise<TicketPlace | undefined> {
  return (await findBySecret(on, secretHash))[0];
}

const begin = named<[string, Buffer, Buffer, Buffer], { id: string }>(
  'tickets_begin',
  `update connect_tickets set state_hash = $2, browser_hash = $3, code_verifier = $4
   where id = $1 and status = 'pending' and expires_at > pharlo_now()
   returning id`,
);

/** Remembers the browser that pressed Continue and the state sent to the platform. False when the ticket is over. */
export async function beginTicket(
  on: Queryable,
  id: string,
  attempt: { stateHash: Buffer; browserHash: Buffer; codeVerifier: Buffer },
): Promise<boolean> {
  return (await begin(on, id, attempt.stateHash, attempt.browserHash, attempt.codeVerifier)).length === 1;
}

const take = named<[Buffer, Buffer, string], TicketRow>(
  'tickets_take',
  `update connect_tickets t set state_hash = null
   where t.state_hash = $1 and t.browser_hash = $2 and t.platform = $3 and t.status = 'pending'
     and t.expires_at > pharlo_now()
     and exists (select 1 from workspaces w where w.id = t.workspace_id and w.status = 'active')
     and not exists (select 1 from api_keys k where k.id = t.key_id
                     and (k.revoked_at is not null or k.expires_at <= pharlo_now()))
     and not exists (select 1 from oauth_grants g where g.id = t.grant_id and g.revoked_at is not null)
   returning ${columns}`,
);

/** Takes a callback's state, once, only for the browser that began, and only while its giver may still act. */
export async function takeTicket(
  on: Queryable,
  stateHash: Buffer,
  browserHash: Buffer,
  platform: string,
): Promise<TicketRow | undefined> {
  return (await take(on, stateHash, browserHash, platform))[0];
}

const finish = named<[string, string, string[], string | null], { id: string }>(
  'tickets_finish',
  `update connect_tickets set status = $2, connection_ids = $3, error_code = $4, code_verifier = null, state_hash = null
   where id = $1 and status = 'pending'
   returning id`,
);

/** Ends a ticket, once. */
export async function finishTicket(
  on: Queryable,
  id: string,
  outcome: { status: 'success'; connectionIds: string[] } | { status: 'failed'; errorCode: string },
): Promise<boolean> {
  const ids = outcome.status === 'success' ? outcome.connectionIds : [];
  const code = outcome.status === 'failed' ? outcome.errorCode : null;
  return (await finish(on, id, outcome.status, ids, code)).length === 1;
}
