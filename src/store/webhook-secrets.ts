import { named, type Queryable } from './db.ts';

/** Both sealed; `previous` is there for a day after a rotation that left an overlap. */
export type WebhookSecretRow = { secret: Buffer; previous: Buffer | null; previousUntil: Date | null };

const columns = `secret, case when previous_until > pharlo_now() then previous end as previous,
  previous_until as "previousUntil"`;

const find = named<[string], WebhookSecretRow>(
  'webhook_secrets_find',
  `select ${columns} from webhook_secrets where workspace_id = $1`,
);

/** What a workspace signs its deliveries with; undefined until it is first needed. */
export async function findWebhookSecret(on: Queryable, workspaceId: string): Promise<WebhookSecretRow | undefined> {
  return (await find(on, workspaceId))[0];
}

const insert = named<[string, Buffer], never>(
  'webhook_secrets_insert',
  `insert into webhook_secrets (workspace_id, secret) values ($1, $2) on conflict (workspace_id) do nothing`,
);

/** Stores a workspace's first secret, unless somebody else was first. */
export async function insertWebhookSecret(on: Queryable, workspaceId: string, sealed: Buffer): Promise<void> {
  await insert(on, workspaceId, sealed);
}

const rotate = named<[string, Buffer, boolean], WebhookSecretRow>(
  'webhook_secrets_rotate',
  `insert into webhook_secrets (workspace_id, secret) values ($1, $2)
   on conflict (workspace_id) do update
   set secret = excluded.secret, previous = case when $3 then webhook_secrets.secret end,
       previous_until = case when $3 then pharlo_now() + interval '24 hours' end
   returning ${columns}`,
);

/** Puts a new secret in place; with `overlap` the one before signs beside it for 24 h. */
export async function rotateWebhookSecret(
  on: Queryable,
  workspaceId: string,
  sealed: Buffer,
  { overlap }: { overlap: boolean },
): Promise<WebhookSecretRow> {
  const [row] = await rotate(on, workspaceId, sealed, overlap);
  if (!row) throw new Error('A secret was not stored.');
  return row;
}
