import type { AssignmentError, AssignmentStatus } from '../domain/assignment.ts';
import { takeOverRefreshes } from './connections.ts';
import { named, type Queryable, type Tx } from './db.ts';
import { takeOverDeliveries } from './delivery-jobs.ts';

type Held = { id: string; leaseToken: string };

const renew = named<[string, string, number | null, number | null], { id: string }>(
  'publish_jobs_renew',
  `update assignments
   set lease_until = greatest(lease_until, pharlo_now() + interval '15 seconds'),
       bytes_sent = coalesce($3, bytes_sent), bytes_total = coalesce($4, bytes_total)
   where id = $1 and lease_token = $2 and lease_until > pharlo_now()
   returning id`,
);

/** Prolongs a claim and tells the bytes sent. False when the claim is lost. */
export async function renewLease(on: Queryable, held: Held, { bytes, total }: Sent): Promise<boolean> {
  return (await renew(on, held.id, held.leaseToken, bytes ?? null, total ?? null)).length === 1;
}

const saveStatement = named<[string, string, Buffer, boolean, number | null, number | null], { id: string }>(
  'publish_jobs_save_progress',
  `update assignments
   set progress = $3, stalls = case when $4 then 0 else stalls end,
       bytes_sent = coalesce($5, bytes_sent), bytes_total = coalesce($6, bytes_total),
       lease_until = greatest(lease_until, pharlo_now() + interval '15 seconds'), updated_at = pharlo_now()
   where id = $1 and lease_token = $2 and lease_until > pharlo_now()
   returning id`,
);

/** Bytes told by a connector so far. */
export type Sent = { bytes?: number; total?: number };

/**
 * Stores what the connector must know to go on. `moved` = it is not what was stored before, so the job is no stalled
 * one. False when the claim is lost.
 */
export async function saveProgress(
  on: Queryable,
  held: Held,
  sealed: Buffer,
  { moved, sent }: { moved: boolean; sent: Sent },
): Promise<boolean> {
  const { bytes = null, total = null } = sent;
  return (await saveStatement(on, held.id, held.leaseToken, sealed, moved, bytes, total)).length === 1;
}

const intendStatement = named<[string, string, Buffer, number], { id: string }>(
  'publish_jobs_intend',
  `update assignments
   set progress = $3, stalls = 0, intent_deadline = pharlo_now() + $4::int * interval '1 second',
       lease_until = pharlo_now() + ($4::int + 2) * interval '1 second', updated_at = pharlo_now()
   where id = $1 and lease_token = $2 and lease_until > pharlo_now() and intent_deadline is null
   returning id`,
);

/**
 * Commits the intent to make the post, with the deadline of the step that makes it, and prolongs the claim beyond it.
 * False when the claim is lost (also by a cancel): then the post must not be made.
 */
export async function commitIntent(on: Queryable, held: Held, sealed: Buffer, seconds: number): Promise<boolean> {
  return (await intendStatement(on, held.id, held.leaseToken, sealed, seconds)).length === 1;
}

export type Transition = {
  status: AssignmentStatus;
  progress: Buffer | null;
  postId?: string | undefined;
  url?: string | undefined;
  errors?: AssignmentError[];
  waitingReason?: string | undefined;
  /** Ms from now until the next step; undefined = none. */
  dueInMs?: number | undefined;
  /** The platform did away with the post it had. */
  unmade?: boolean;
  /** The step that makes the post was begun and its outcome is still open. */
  keepIntent?: boolean;
  /** Healable failures in a row; left out: none. */
  retries?: number;
  sent: Sent;
};

const moveStatement = named<unknown[], { id: string }>(
  'publish_jobs_move',
  `update assignments
   set status = $3, progress = $4, platform_post_id = case when $14 then null else coalesce($5, platform_post_id) end,
       platform_url = case when $14 then null else coalesce($6, platform_url) end, errors = $7, waiting_reason = $8,
       due_at = pharlo_now() + $9::float8 * interval '1 ms', lease_until = null, lease_token = null,
       intent_deadline = case when $10 then intent_deadline end, stalls = 0, retries = $11,
       bytes_sent = coalesce($12, bytes_sent), bytes_total = coalesce($13, bytes_total), updated_at = pharlo_now()
   where id = $1 and lease_token = $2
   returning id`,
);

/** Ends a step: new state, next due time, claim given back. False when the fencing token no longer stands. */
export async function moveAssignment(tx: Tx, held: Held, to: Transition): Promise<boolean> {
  const rows = await moveStatement(
    tx,
    held.id,
    held.leaseToken,
    to.status,
    to.progress,
    to.postId ?? null,
    to.url ?? null,
    JSON.stringify(to.errors ?? []),
    to.waitingReason ?? null,
    to.dueInMs ?? null,
    to.keepIntent ?? false,
    to.retries ?? 0,
    to.sent.bytes ?? null,
    to.sent.total ?? null,
    to.unmade ?? false,
  );
  return rows.length === 1;
}

const releaseStatement = named<[string, string], { id: string }>(
  'publish_jobs_release',
  `update assignments
   set lease_until = null, lease_token = null, stalls = greatest(stalls - 1, 0),
       due_at = pharlo_now()
   where id = $1 and lease_token = $2
   returning id`,
);

/** Gives a claim back untouched, e.g. at shutdown; going on with it counts as no further attempt. */
export async function releaseAssignment(on: Queryable, held: Held): Promise<void> {
  await releaseStatement(on, held.id, held.leaseToken);
}

const abandonStatement = named<[string, string], { id: string }>(
  'publish_jobs_abandon',
  `update assignments set lease_until = null, lease_token = null, due_at = pharlo_now() + interval '1 second'
   where id = $1 and lease_token = $2
   returning id`,
);

/** Gives a claim back after a failure nobody foresaw; like a crash it counts as a claim that never came back. */
export async function abandonAssignment(on: Queryable, held: Held): Promise<void> {
  await abandonStatement(on, held.id, held.leaseToken);
}

const wakeStatement = named<[string, string, string], { id: string }>(
  'publish_jobs_wake',
  `update assignments set due_at = pharlo_now()
   where workspace_id = $1 and connection_id = $2 and waiting_reason = $3 and due_at > pharlo_now()
   returning id`,
);

/** Makes the jobs of a connection that wait for that reason due now. */
export async function wakeAssignments(
  tx: Tx,
  workspaceId: string,
  connectionId: string,
  reason: string,
): Promise<void> {
  await wakeStatement(tx, workspaceId, connectionId, reason);
}

const takeOver = named<[], { id: string }>(
  'publish_jobs_take_over',
  `update assignments set lease_until = null, lease_token = null, attempts = attempts + 1
   where lease_token is not null returning id`,
);

/** Ends every claim at once, those on connections and deliveries included. Only for a process that has proof of being the only worker (the data dir's lock). */
export async function takeOverLeases(on: Queryable): Promise<number> {
  await takeOverRefreshes(on);
  await takeOverDeliveries(on);
  return (await takeOver(on)).length;
}
