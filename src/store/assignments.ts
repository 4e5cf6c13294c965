import type { AssignmentError, AssignmentStatus, ContentType, Media } from '../domain/assignment.ts';
import { named, type Queryable, type Tx } from './db.ts';
import { deliveriesOfEvents } from './deliveries.ts';

export type AssignmentRow = {
  id: string;
  workspaceId: string;
  organizationId: string;
  connectionId: string;
  sandbox: boolean;
  platform: string;
  type: ContentType;
  status: AssignmentStatus;
  payload: Record<string, unknown>;
  media: Media[];
  callbackUrl: string | null;
  externalId: string | null;
  idempotencyKey: string | null;
  inputHash: Buffer;
  givenHash: Buffer;
  contentHash: Buffer;
  warnings: { code: string; message: string }[];
  scheduledAt: Date | null;
  platformPostId: string | null;
  platformUrl: string | null;
  errors: AssignmentError[];
  waitingReason: string | null;
  bytesSent: number | null;
  bytesTotal: number | null;
  intentDeadline: Date | null;
  /** Came out of a backup: a post made since then is not told here. */
  restored: boolean;
  dueAt: Date | null;
  attempts: number;
  createdAt: Date;
  updatedAt: Date;
};

export const assignmentColumns = `id, workspace_id as "workspaceId", organization_id as "organizationId",
  connection_id as "connectionId", sandbox, platform, type, status, payload, media, callback_url as "callbackUrl",
  external_id as "externalId",
  idempotency_key as "idempotencyKey", input_hash as "inputHash", given_hash as "givenHash",
  content_hash as "contentHash", warnings, scheduled_at as "scheduledAt",
  platform_post_id as "platformPostId", platform_url as "platformUrl", errors, waiting_reason as "waitingReason",
  bytes_sent as "bytesSent", bytes_total as "bytesTotal", intent_deadline as "intentDeadline",
  restored, due_at as "dueAt", attempts, created_at as "createdAt", updated_at as "updatedAt"`;

export type NewAssignment = Pick<
  AssignmentRow,
  | 'id'
  | 'workspaceId'
  | 'organizationId'
  | 'connectionId'
  | 'sandbox'
  | 'platform'
  | 'type'
  | 'payload'
  | 'media'
  | 'callbackUrl'
  | 'contentHash'
  | 'warnings'
  | 'externalId'
  | 'idempotencyKey'
  | 'inputHash'
  | 'givenHash'
  | 'scheduledAt'
> & { keyId: string; grantId: string | null; handlerVersion: number };

type Place = { workspaceId: string; id: string };

const insertStatement = named<unknown[], AssignmentRow>(
  'assignments_insert',
  `with created as (
     insert into assignments (id, workspace_id, organization_id, connection_id, sandbox, platform, type, payload, media,
                              external_id, idempotency_key, input_hash, scheduled_at, key_id, grant_id, handler_version,
                              callback_url, content_hash, warnings, given_hash, due_at)
     values ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13, $14, $15, $16, $17, $18, $19, $20,
             coalesce($13, pharlo_now()))
     on conflict on constraint assignments_idempotency do nothing
     returning ${assignmentColumns}
   ), event as (
     insert into assignment_events (workspace_id, assignment_id, sequence, status)
     select "workspaceId", id, 0, status from created
   )
   select * from created`,
);

/** Stores a job, due at its time. Undefined when its idempotency key is taken (by a call that ran beside this one). */
export async function insertAssignment(tx: Tx, a: NewAssignment): Promise<AssignmentRow | undefined> {
  const rows = await insertStatement(
    tx,
    a.id,
    a.workspaceId,
    a.organizationId,
    a.connectionId,
    a.sandbox,
    a.platform,
    a.type,
    JSON.stringify(a.payload),
    JSON.stringify(a.media),
    a.externalId,
    a.idempotencyKey,
    a.inputHash,
    a.scheduledAt,
    a.keyId,
    a.grantId,
    a.handlerVersion,
    a.callbackUrl,
    a.contentHash,
    JSON.stringify(a.warnings),
    a.givenHash,
  );
  return rows[0];
}

const find = named<[string, string, string | null], AssignmentRow>(
  'assignments_find',
  `select ${assignmentColumns} from assignments
   where workspace_id = $1 and id = $2 and ($3::uuid is null or organization_id = $3)`,
);

/** One assignment; `organizationId` narrows what the asker may see. */
export async function findAssignment(
  on: Queryable,
  workspaceId: string,
  id: string,
  organizationId?: string,
): Promise<AssignmentRow | undefined> {
  return (await find(on, workspaceId, id, organizationId ?? null))[0];
}

const lock = named<[string, string, string | null], AssignmentRow>(
  'assignments_lock',
  `select ${assignmentColumns} from assignments
   where workspace_id = $1 and id = $2 and ($3::uuid is null or organization_id = $3)
   for update`,
);

/** One assignment, locked until the transaction ends; `organizationId` narrows what the asker may see. */
export async function lockAssignment(
  tx: Tx,
  workspaceId: string,
  id: string,
  organizationId?: string,
): Promise<AssignmentRow | undefined> {
  return (await lock(tx, workspaceId, id, organizationId ?? null))[0];
}

const findByKey = named<[string, string], AssignmentRow>(
  'assignments_find_by_idempotency_key',
  `select ${assignmentColumns} from assignments where workspace_id = $1 and idempotency_key = $2`,
);

/** The assignment that holds an idempotency key; keys are unique per workspace, across doors and organizations. */
export async function findByIdempotencyKey(
  on: Queryable,
  workspaceId: string,
  key: string,
): Promise<AssignmentRow | undefined> {
  return (await findByKey(on, workspaceId, key))[0];
}

const recentTwin = named<[string, string, Buffer, string | null], { id: string }>(
  'assignments_recent_twin',
  `select id from assignments
   where workspace_id = $1 and connection_id = $2 and content_hash = $3 and id is distinct from $4
     and created_at > pharlo_now() - interval '24 hours' and status not in ('failed', 'cancelled')
   order by created_at desc limit 1`,
);

/** The newest assignment with the same content on a connection, created within 24 h and neither failed nor cancelled. */
export async function findRecentTwin(
  on: Queryable,
  { workspaceId, connectionId }: { workspaceId: string; connectionId: string },
  contentHash: Buffer,
  exceptId?: string,
): Promise<string | undefined> {
  return (await recentTwin(on, workspaceId, connectionId, contentHash, exceptId ?? null))[0]?.id;
}

export type AssignmentChange = Pick<
  AssignmentRow,
  'payload' | 'media' | 'scheduledAt' | 'callbackUrl' | 'contentHash' | 'warnings'
> & {
  /** Whether the time was given anew; none then means now. */
  timed: boolean;
};

const changeStatement = named<unknown[], never>(
  'assignments_change',
  `update assignments
   set payload = $3, media = $4, scheduled_at = $5, callback_url = $6, content_hash = $7, warnings = $8,
       due_at = case when $9 then coalesce($5, pharlo_now()) else due_at end, updated_at = pharlo_now()
   where workspace_id = $1 and id = $2`,
);

/** Rewrites a locked job that nobody has begun to work on. */
export async function changeAssignment(tx: Tx, place: Place, to: AssignmentChange): Promise<void> {
  const { payload, media, scheduledAt, callbackUrl, contentHash, warnings, timed } = to;
  const values = [JSON.stringify(payload), JSON.stringify(media), scheduledAt, callbackUrl, contentHash];
  await changeStatement(tx, place.workspaceId, place.id, ...values, JSON.stringify(warnings), timed);
}

const retryStatement = named<[string, string], never>(
  'assignments_retry',
  `update assignments
   set status = 'pending', due_at = pharlo_now(), errors = '[]', stalls = 0, retries = 0, restored = false,
       updated_at = pharlo_now()
   where workspace_id = $1 and id = $2`,
);

/** Makes a locked job that has failed due again. What leads to a post it may have made stays. */
export async function retryAssignment(tx: Tx, place: Place): Promise<void> {
  await retryStatement(tx, place.workspaceId, place.id);
}

const cancelStatement = named<[string, string], AssignmentRow>(
  'assignments_cancel',
  `update assignments
   set status = 'cancelled', due_at = null, lease_until = null, lease_token = null, waiting_reason = null,
       progress = null, updated_at = pharlo_now()
   where workspace_id = $1 and id = $2 returning ${assignmentColumns}`,
);

/** Ends a locked job before its post is made. A worker that still holds it is fenced off by its lost lease. */
export async function cancelAssignment(tx: Tx, workspaceId: string, id: string): Promise<AssignmentRow | undefined> {
  return (await cancelStatement(tx, workspaceId, id))[0];
}

const lockCancellableStatement = named<[string, string], { workspaceId: string; id: string }>(
  'assignments_lock_cancellable',
  `select workspace_id as "workspaceId", id from assignments
   where workspace_id = $1 and connection_id = $2 and status in ('pending', 'uploading') and intent_deadline is null
   order by id for update`,
);

/** The jobs of a connection whose post is not being made yet, locked. */
export function lockCancellable(tx: Tx, workspaceId: string, connectionId: string): Promise<Place[]> {
  return lockCancellableStatement(tx, workspaceId, connectionId);
}

const appendEventStatement = named<[string, string, string, string | null], never>(
  'assignments_append_event',
  `with event as (
     insert into assignment_events (workspace_id, assignment_id, sequence, status, detail)
     select $1, $2, coalesce(max(sequence), -1) + 1, $3, $4 from assignment_events where assignment_id = $2
     returning assignment_id, sequence, status, at
   ), ${deliveriesOfEvents}
   select`,
);

/**
 * Writes a transition into the timeline, and what is to be told to its callback; the caller holds the row's lock, so
 * numbers have no gaps.
 */
export async function appendEvent(tx: Tx, place: Place, status: AssignmentStatus, detail?: string): Promise<void> {
  await appendEventStatement(tx, place.workspaceId, place.id, status, detail ?? null);
}

/** One step of the timeline; `at` is the database's ISO text. */
export type EventRow = { status: AssignmentStatus; at: string; detail: string | null };

const findWithEvents = named<[string, string, string | null], AssignmentRow & { events: EventRow[] }>(
  'assignments_find_with_events',
  `select ${assignmentColumns},
     (select json_agg(json_build_object('status', e.status, 'at', e.at, 'detail', e.detail) order by e.sequence)
      from assignment_events e where e.assignment_id = assignments.id) as events
   from assignments
   where workspace_id = $1 and id = $2 and ($3::uuid is null or organization_id = $3)`,
);

/** One assignment with its timeline, in one statement. */
export async function findAssignmentWithEvents(
  on: Queryable,
  workspaceId: string,
  id: string,
  organizationId?: string,
): Promise<(AssignmentRow & { events: EventRow[] }) | undefined> {
  return (await findWithEvents(on, workspaceId, id, organizationId ?? null))[0];
}

const versions = named<[readonly string[], string | null, string | null], { id: string; version: string }>(
  'assignments_versions',
  `select id, concat(updated_at, '/', bytes_sent) as version from assignments
   where id = any($1::uuid[]) and ($2::uuid is null or workspace_id = $2) and ($3::uuid is null or organization_id = $3)`,
);

/** A text per assignment that differs after every change a watcher may want to hear of. */
export function findAssignmentVersions(
  on: Queryable,
  ids: readonly string[],
  place: { workspaceId?: string; organizationId?: string | undefined } = {},
): Promise<{ id: string; version: string }[]> {
  return versions(on, ids, place.workspaceId ?? null, place.organizationId ?? null);
}
