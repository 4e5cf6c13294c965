import type { AssignmentError, AssignmentStatus, ContentType, Media } from '../domain/assignment.ts';
import { named, type Queryable, type Tx } from './db.ts';

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
  scheduledAt: Date | null;
  platformPostId: string | null;
  platformUrl: string | null;
  errors: AssignmentError[];
  waitingReason: string | null;
  bytesSent: number | null;
  bytesTotal: number | null;
  intentDeadline: Date | null;
  dueAt: Date | null;
  attempts: number;
  createdAt: Date;
  updatedAt: Date;
};

export const assignmentColumns = `id, workspace_id as "workspaceId", organization_id as "organizationId",
  connection_id as "connectionId", sandbox, platform, type, status, payload, media, callback_url as "callbackUrl",
  external_id as "externalId",
  idempotency_key as "idempotencyKey", input_hash as "inputHash", scheduled_at as "scheduledAt",
  platform_post_id as "platformPostId", platform_url as "platformUrl", errors, waiting_reason as "waitingReason",
  bytes_sent as "bytesSent", bytes_total as "bytesTotal", intent_deadline as "intentDeadline", due_at as "dueAt",
  attempts, created_at as "createdAt", updated_at as "updatedAt"`;

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
  | 'externalId'
  | 'idempotencyKey'
  | 'inputHash'
  | 'scheduledAt'
> & { keyId: string; grantId: string | null; handlerVersion: number };

const insertStatement = named<unknown[], AssignmentRow>(
  'assignments_insert',
  `with created as (
     insert into assignments (id, workspace_id, organization_id, connection_id, sandbox, platform, type, payload, media,
                              external_id, idempotency_key, input_hash, scheduled_at, key_id, grant_id, handler_version,
                              callback_url, due_at)
     values ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13, $14, $15, $16, $17, coalesce($13, pharlo_now()))
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
  );
  return rows[0];
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

const appendEventStatement = named<[string, string, string, string | null], never>(
  'assignments_append_event',
  `insert into assignment_events (workspace_id, assignment_id, sequence, status, detail)
   select $1, $2, coalesce(max(sequence), -1) + 1, $3, $4 from assignment_events where assignment_id = $2`,
);

/** Writes a transition into the timeline; the caller holds the row's lock, so numbers have no gaps. */
export async function appendEvent(
  tx: Tx,
  place: { workspaceId: string; id: string },
  status: AssignmentStatus,
  detail?: string,
): Promise<void> {
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
