import { named, type Queryable } from './db.ts';

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
