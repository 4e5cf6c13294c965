import { type AssignmentRow, assignmentColumns } from './assignments.ts';
import { named, type Queryable } from './db.ts';
import { deliveriesOfEvents } from './deliveries.ts';

/** A claimed job: the row and the fencing token every later write must show. */
export type ClaimedAssignment = AssignmentRow & {
  leaseToken: string;
  progress: Buffer | null;
  /** Claims that never came back, this one included. */
  stalls: number;
  /** Healable failures in a row. */
  retries: number;
  /** Found more than a day after it was due or its last claim ended, and no post was intended. */
  missed: boolean;
  /** Ms until a look for the post is allowed; 0 or less = now, null = nothing was intended. */
  lookInMs: number | null;
};

/** At most so many jobs of one connection are worked on at once, over all replicas: channels are throttled by their platforms. */
export const connectionSlots = 3;

/**
 * The rows that may be claimed now: of each connection as many as it has slots left, and of each workspace no more than
 * keep it at `$4`, `$5` telling what this worker holds of which (rows of newcomers always find a slot). `place` counts a
 * workspace's rows, those in flight anywhere included. The connections with open jobs are found by skipping through the
 * index, so that a heap of due rows costs no more than a few of them.
 */
const claimable = `channel as (
    (select connection_id as id from assignments where due_at is not null order by connection_id limit 1)
    union all
    select (select a.connection_id from assignments a where a.due_at is not null and a.connection_id > channel.id
            order by a.connection_id limit 1)
    from channel where channel.id is not null
  ), flying as (
    select workspace_id, connection_id from assignments where lease_until > pharlo_now()
  ), due as (
    select d.* from channel cross join lateral (
      select a.id, a.workspace_id, a.due_at from assignments a
      where a.connection_id = channel.id and a.due_at <= pharlo_now()
        and (a.lease_until is null or a.lease_until <= pharlo_now()) and a.handler_version <= $1
        and exists (select from workspaces w where w.id = a.workspace_id and w.status = 'active')
      order by a.due_at
      limit greatest(0, ${connectionSlots} - (select count(*) from flying f where f.connection_id = channel.id))
    ) d
  ), queue as (
    select due.*, held.jobs as held, row_number() over (partition by due.workspace_id order by due.due_at) as nth,
           (select count(*) from flying f where f.workspace_id = due.workspace_id) as in_flight
    from due left join unnest($2::uuid[], $3::int[]) as held (workspace_id, jobs) on held.workspace_id = due.workspace_id
  ), open as (
    select id, due_at, in_flight + nth as place from queue where coalesce(held, 0) + nth <= $4
  )`;

/**
 * What a person would call an attempt: the first claim, one after a crash, one after a failure. Steps, looks at how far the
 * platform is and waits for a person are none.
 */
const isAttempt = `status = 'pending' or lease_token is not null
  or (retries > 0 and waiting_reason is not null and intent_deadline is null and platform_post_id is null)`;

/** The lease is 15 s; workers renew it well before. Nobody looks for an intended post before its deadline + 5 s. */
const claimStatement = named<[number, readonly string[], readonly number[], number, number, string], ClaimedAssignment>(
  'publish_claims_claim',
  `with recursive ${claimable}, ready as (
     select a.id as ready_id, a.workspace_id as ready_workspace, a.status as was,
            greatest(a.due_at, a.lease_until) as idle_since
     from open join assignments a on a.id = open.id
     where a.due_at <= pharlo_now() and (a.lease_until is null or a.lease_until <= pharlo_now())
     order by open.place, a.due_at
     limit $5 for update of a skip locked
   ), event as (
     insert into assignment_events (workspace_id, assignment_id, sequence, status)
     select ready_workspace, ready_id,
            (select coalesce(max(sequence), -1) + 1 from assignment_events where assignment_id = ready_id),
            case when a.media = '[]' then 'processing' else 'uploading' end
     from ready join assignments a on a.id = ready_id
     where was = 'pending'
     returning assignment_id, sequence, status, at
   ), ${deliveriesOfEvents}
   update assignments
   set status = case when status <> 'pending' then status when media = '[]' then 'processing' else 'uploading' end,
       lease_until = pharlo_now() + interval '15 seconds', lease_token = $6, attempts = attempts + (${isAttempt})::int, stalls = stalls + 1,
       waiting_reason = null, updated_at = pharlo_now()
   from ready where id = ready_id
   returning ${assignmentColumns}, lease_token as "leaseToken", progress, stalls, retries,
     intent_deadline is null and idle_since < pharlo_now() - interval '24 hours' as missed,
     ceil(extract(epoch from intent_deadline + interval '5 seconds' - pharlo_now()) * 1000)::float8 as "lookInMs"`,
);

/** What a worker asks with. */
export type Asking = {
  handlerVersion: number;
  /** The jobs it works on, by workspace. */
  held: ReadonlyMap<string, number>;
  /** The most of them that may be of one workspace. */
  perWorkspace: number;
};

/**
 * Claims due jobs, workspaces with the fewest running first; the claim itself leaves `pending`.
 * One token serves the whole batch.
 */
export function claimAssignments(
  on: Queryable,
  { handlerVersion, held, perWorkspace }: Asking,
  claim: { limit: number; leaseToken: string },
): Promise<ClaimedAssignment[]> {
  const counts = [[...held.keys()], [...held.values()]] as const;
  return claimStatement(on, handlerVersion, ...counts, perWorkspace, claim.limit, claim.leaseToken);
}

const nextDue = named<[number, readonly string[], readonly number[], number], { ms: number | null }>(
  'publish_claims_next_due',
  `with recursive ${claimable}, later as (
     select due_at from assignments a
     where due_at > pharlo_now() and (lease_until is null or lease_until <= pharlo_now()) and handler_version <= $1
     order by due_at limit 1
   )
   select ceil(extract(epoch from least((select min(due_at) from open), (select due_at from later)) - pharlo_now()) * 1000)::float8 as ms`,
);

/**
 * Ms until this worker may claim a job (0 or less = now), or undefined when none waits. What waits for a slot of its
 * connection or workspace comes when that ends.
 */
export async function msUntilNextDue(on: Queryable, asking: Asking): Promise<number | undefined> {
  const { handlerVersion, held, perWorkspace } = asking;
  const [row] = await nextDue(on, handlerVersion, [...held.keys()], [...held.values()], perWorkspace);
  return row?.ms ?? undefined;
}
