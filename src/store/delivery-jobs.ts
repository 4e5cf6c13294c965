import type { DeliveryError } from '../domain/delivery.ts';
import { named, type Queryable } from './db.ts';
import { type DeliveryRow, deliveryColumns } from './deliveries.ts';

/** A claimed delivery: the row, the exact text to send and the fencing token every later write must show. */
export type ClaimedDelivery = DeliveryRow & { body: string; overtaken: boolean; leaseToken: string };

/** Of one assignment only the first pending delivery can go out, so a receiver sees them in order. */
const isFirst = (d: string) => `not exists (
  select 1 from deliveries earlier
  where earlier.assignment_id = ${d}.assignment_id and earlier.status = 'pending' and earlier.sequence < ${d}.sequence)`;

const isFree = (d: string) => `(${d}.lease_until is null or ${d}.lease_until <= pharlo_now())`;

/** Workspaces that have something to send, found by leaps through the index however much each has. */
const workspaces = `workspaces_due as (
     (select workspace_id from deliveries where due_at is not null order by workspace_id limit 1)
     union all
     select (select d.workspace_id from deliveries d
             where d.due_at is not null and d.workspace_id > w.workspace_id order by d.workspace_id limit 1)
     from workspaces_due w where w.workspace_id is not null
   )`;

/** Every workspace's next delivery comes before any workspace's second, those in flight counted. */
const claimStatement = named<[number, string], ClaimedDelivery>(
  'delivery_jobs_claim',
  `with recursive ${workspaces}, busy as (
     select workspace_id, count(*) as jobs from deliveries where lease_until > pharlo_now() group by workspace_id
   ), queue as (
     select next.id as queued_id,
            coalesce(busy.jobs, 0) + row_number() over (partition by w.workspace_id order by next.due_at, next.id) as place
     from workspaces_due w left join busy on busy.workspace_id = w.workspace_id cross join lateral (
       select d.id, d.due_at from deliveries d
       where d.workspace_id = w.workspace_id and d.due_at <= pharlo_now() and ${isFree('d')} and ${isFirst('d')}
       order by d.due_at, d.id limit $1
     ) as next
   ), ready as (
     select d.id as ready_id
     from queue join deliveries d on d.id = queued_id
     where d.due_at <= pharlo_now() and ${isFree('d')}
     order by place, d.due_at
     limit $1 for update of d skip locked
   )
   update deliveries
   set lease_until = pharlo_now() + interval '15 seconds', lease_token = $2, attempts = attempts + 1,
       last_attempt_at = pharlo_now()
   from ready where id = ready_id
   returning ${deliveryColumns}, body, overtaken, lease_token as "leaseToken"`,
);

/** Claims due deliveries for 15 s, workspaces with the fewest in flight first. One token serves the whole batch. */
export function claimDeliveries(on: Queryable, limit: number, leaseToken: string): Promise<ClaimedDelivery[]> {
  return claimStatement(on, limit, leaseToken);
}

type Held = { id: string; leaseToken: string };

const renew = named<[string, string], { id: string }>(
  'delivery_jobs_renew',
  `update deliveries set lease_until = pharlo_now() + interval '15 seconds'
   where id = $1 and lease_token = $2 and lease_until > pharlo_now()
   returning id`,
);

/** Prolongs a claim. False when it is lost. */
export async function renewDelivery(on: Queryable, held: Held): Promise<boolean> {
  return (await renew(on, held.id, held.leaseToken)).length === 1;
}

const deliver = named<[string, string, number, number], never>(
  'delivery_jobs_deliver',
  `update deliveries
   set status = 'delivered', http_status = $3, last_error = null, duration_ms = $4, due_at = null, lease_until = null,
       lease_token = null
   where id = $1 and lease_token = $2`,
);

/** Ends a delivery that its receiver took; nothing is written when the fencing token no longer stands. */
export async function endDelivered(
  on: Queryable,
  held: Held,
  taken: { httpStatus: number; durationMs: number },
): Promise<void> {
  await deliver(on, held.id, held.leaseToken, taken.httpStatus, taken.durationMs);
}

export type FailedTry = {
  error: DeliveryError;
  httpStatus: number | null;
  durationMs: number;
  /** Ms until the next try. */
  retryInMs: number;
  /** Whether this try was the last one: in any case, or if a newer delivery waits. */
  isLast: { always: boolean; overtaken: boolean };
};

const failStatement = named<[string, string, string, number | null, number, number, boolean, boolean], never>(
  'delivery_jobs_fail',
  `with ended as (
     update deliveries
     set status = case when $7 or ($8 and overtaken) then 'failed' else 'pending' end,
         due_at = case when $7 or ($8 and overtaken) then null else pharlo_now() + $6::float8 * interval '1 ms' end,
         last_error = $3, http_status = $4, duration_ms = $5, lease_until = null, lease_token = null
     where id = $1 and lease_token = $2
     returning assignment_id, sequence, due_at
   )
   update deliveries behind set due_at = ended.due_at
   from ended
   where behind.assignment_id = ended.assignment_id and behind.sequence > ended.sequence
     and behind.status = 'pending' and behind.due_at < ended.due_at`,
);

/**
 * Ends a try that failed. Whether a newer one waits is read from the row as it is now, not as it was claimed. Those that
 * wait behind it are due no sooner than it is, so that claims need not look at them again and again.
 */
export async function endFailed(on: Queryable, held: Held, failed: FailedTry): Promise<void> {
  const { error, httpStatus, durationMs, retryInMs, isLast } = failed;
  const { always, overtaken } = isLast;
  await failStatement(on, held.id, held.leaseToken, error, httpStatus, durationMs, retryInMs, always, overtaken);
}

const abandon = named<[string, string], never>(
  'delivery_jobs_abandon',
  `update deliveries set lease_until = null, lease_token = null, due_at = pharlo_now() + interval '5 seconds'
   where id = $1 and lease_token = $2`,
);

/** Gives a claim back after a failure nobody foresaw; it counts as a try. */
export async function abandonDelivery(on: Queryable, held: Held): Promise<void> {
  await abandon(on, held.id, held.leaseToken);
}

const takeOver = named<[], never>(
  'delivery_jobs_take_over',
  'update deliveries set lease_until = null, lease_token = null where lease_token is not null',
);

/** Ends every claim at once; only for the one process that works. */
export async function takeOverDeliveries(on: Queryable): Promise<void> {
  await takeOver(on);
}

const nextDue = named<[], { ms: number | null }>(
  'delivery_jobs_next_due',
  `with recursive ${workspaces}
   select ceil(extract(epoch from min(next.due_at) - pharlo_now()) * 1000)::float8 as ms
   from workspaces_due w cross join lateral (
     select d.due_at from deliveries d
     where d.workspace_id = w.workspace_id and d.due_at is not null and ${isFree('d')} and ${isFirst('d')}
     order by d.due_at, d.id limit 1
   ) as next`,
);

/** Ms until the next delivery that may go out is due (0 or less = now), or undefined when none waits. */
export async function msUntilNextDelivery(on: Queryable): Promise<number | undefined> {
  return (await nextDue(on))[0]?.ms ?? undefined;
}
