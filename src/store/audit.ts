import { type Db, named, type Queryable } from './db.ts';

/** One line of the audit trail. Never a secret, never a text from outside; `network` as in HttpEnv. */
export type AuditEntry = {
  workspaceId?: string;
  keyId?: string;
  grantId?: string;
  clientId?: string;
  /** What was done: an operation's name, or `oauth.…`. */
  action: string;
  /** `ok`, or the code of the error that was answered. */
  outcome: string;
  target?: string;
  network?: string;
};

type Value = string | null;

const insert = named<[Value, Value, Value, Value, string, string, Value, Value], never>(
  'audit_insert',
  `insert into audit (workspace_id, key_id, grant_id, client_id, action, outcome, target, network)
   values ($1, $2, $3, $4, $5, $6, $7, $8)`,
);

/** Writes one line; within the transaction of what it tells about, where there is one. */
export async function insertAudit(on: Queryable, entry: AuditEntry): Promise<void> {
  const { workspaceId, keyId, grantId, clientId, action, outcome, target, network } = entry;
  await insert(
    on,
    workspaceId ?? null,
    keyId ?? null,
    grantId ?? null,
    clientId ?? null,
    action,
    outcome,
    target ?? null,
    network ?? null,
  );
}

/** Something done or refused before anybody proved who they are; the fields as in AuditEntry. */
export type StrangerEntry = Required<Pick<AuditEntry, 'action' | 'outcome' | 'network'>> & Pick<AuditEntry, 'clientId'>;

const conflict = `on conflict (minute, network, action, outcome, client_id) do update set count = a.count + 1`;

const count = named<[string, string, string, string], never>(
  'audit_strangers_count',
  `insert into audit_strangers as a (minute, network, action, outcome, client_id)
   values (date_trunc('minute', pharlo_now()), $1, $2, $3, $4) ${conflict}`,
);

/** Counts it in the line of its network and minute, so that nobody can flood the trail. */
export async function countStranger(on: Queryable, entry: StrangerEntry): Promise<void> {
  const { action, outcome, network, clientId } = entry;
  await count(on, network, action, outcome, clientId ?? '');
}

/**
 * The commit is not waited for: all refusals of one network queue for one row, and each would hold it, and a connection
 * of the pool, until the disk has answered.
 */
const countLazily = named<[string, string, string, string], never>(
  'audit_strangers_count_lazily',
  `insert into audit_strangers as a (minute, network, action, outcome, client_id)
   select date_trunc('minute', pharlo_now()), $1, $2, $3, $4
   from set_config('synchronous_commit', 'off', true) ${conflict}`,
);

/** The same for a refusal, outside any transaction; a crash of the database may lose the last second of counts. */
export async function countRefusal(db: Db, entry: StrangerEntry): Promise<void> {
  const { action, outcome, network, clientId } = entry;
  await countLazily(db, network, action, outcome, clientId ?? '');
}
