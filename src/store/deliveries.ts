import { type DeliveryError, type DeliveryStatus, overtakenTries } from '../domain/delivery.ts';
import { named, type Queryable, type Tx } from './db.ts';

export type DeliveryRow = {
  id: string;
  workspaceId: string;
  organizationId: string | null;
  /** Null for a test. */
  assignmentId: string | null;
  url: string;
  event: string;
  sequence: number;
  status: DeliveryStatus;
  httpStatus: number | null;
  attempts: number;
  lastAttemptAt: Date | null;
  /** Null while it is being tried, and once it has ended. */
  dueAt: Date | null;
  lastError: DeliveryError | null;
  durationMs: number | null;
  createdAt: Date;
};

export const deliveryColumns = `id, workspace_id as "workspaceId", organization_id as "organizationId",
  assignment_id as "assignmentId", url, event, sequence, status, http_status as "httpStatus", attempts,
  last_attempt_at as "lastAttemptAt", case when lease_until > pharlo_now() then null else due_at end as "dueAt",
  last_error as "lastError", duration_ms as "durationMs", created_at as "createdAt"`;

const givesWay = (d: string) => `(${d}.attempts >= ${overtakenTries} and ${d}.lease_token is null)`;

/**
 * The CTEs that write the deliveries of a statement's timeline rows: to stand behind a CTE named `event`, which returns
 * `assignment_id, sequence, status, at`. The body is fixed here, as it is at that transition. The delivery before it now
 * has a newer one behind it, and fails at once when it has had its tries; otherwise the new one is due no sooner.
 */
export const deliveriesOfEvents = `told as (
    select a.*, event.sequence, event.status as told_status, event.at
    from event join assignments a on a.id = event.assignment_id
    where a.callback_url is not null
  ), overtaken as (
    update deliveries d
    set overtaken = true,
        status = case when ${givesWay('d')} then 'failed' else d.status end,
        due_at = case when ${givesWay('d')} then null else d.due_at end
    from told where d.assignment_id = told.id and d.status = 'pending' and not d.overtaken
  ), delivery as (
    insert into deliveries (workspace_id, organization_id, assignment_id, url, event, sequence, body, due_at)
    select workspace_id, organization_id, id, callback_url, 'assignment.' || told_status, sequence,
           json_strip_nulls(json_build_object(
             'assignmentId', id, 'status', told_status, 'platform', platform, 'connectionId', connection_id,
             'platformPostId', platform_post_id, 'platformUrl', platform_url, 'errors', errors,
             'externalId', external_id, 'sequence', sequence,
             'timestamp', to_char(at at time zone 'UTC', 'YYYY-MM-DD"T"HH24:MI:SS.MS"Z"'))),
           greatest(pharlo_now(), (
             select max(before.due_at) from deliveries before
             where before.assignment_id = told.id and before.status = 'pending' and not ${givesWay('before')}))
    from told
  )`;

export type NewTest = { workspaceId: string; organizationId: string | null; url: string; body: string };

const insertTestStatement = named<[string, string | null, string, string], DeliveryRow>(
  'deliveries_insert_test',
  `insert into deliveries (workspace_id, organization_id, url, event, sequence, body, due_at)
   values ($1, $2, $3, 'test', 0, $4, pharlo_now())
   returning ${deliveryColumns}`,
);

/** Stores a delivery that belongs to no assignment, due at once. */
export async function insertTestDelivery(tx: Tx, test: NewTest): Promise<DeliveryRow> {
  const [row] = await insertTestStatement(tx, test.workspaceId, test.organizationId, test.url, test.body);
  if (!row) throw new Error('A test delivery was not stored.');
  return row;
}

const find = named<[string, string, string | null], DeliveryRow>(
  'deliveries_find',
  `select ${deliveryColumns} from deliveries
   where workspace_id = $1 and id = $2 and ($3::uuid is null or organization_id = $3)`,
);

/** One delivery; `organizationId` narrows what the asker may see. */
export async function findDelivery(
  on: Queryable,
  workspaceId: string,
  id: string,
  organizationId?: string,
): Promise<DeliveryRow | undefined> {
  return (await find(on, workspaceId, id, organizationId ?? null))[0];
}

const restart = named<[string, string], DeliveryRow>(
  'deliveries_restart',
  `update deliveries d
   set status = 'pending', attempts = 0, http_status = null, last_error = null, last_attempt_at = null,
       duration_ms = null, due_at = pharlo_now(),
       overtaken = exists (select 1 from deliveries newer
                           where newer.assignment_id = d.assignment_id and newer.status = 'pending'
                             and newer.sequence > d.sequence)
   where workspace_id = $1 and id = $2 and status <> 'pending'
   returning ${deliveryColumns}`,
);

/**
 * Makes an ended delivery due again, its tries counted anew. Undefined while it is pending. The caller holds the
 * assignment's lock, so that no newer one is being written meanwhile.
 */
export async function restartDelivery(tx: Tx, workspaceId: string, id: string): Promise<DeliveryRow | undefined> {
  return (await restart(tx, workspaceId, id))[0];
}
