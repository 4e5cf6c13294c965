import type { RateLimit } from '../domain/limits.ts';
import { named, type Queryable } from './db.ts';

/**
 * GCRA in one statement: a row says when its subject's bucket is empty again, so there is nothing to refill or reset.
 * A refused attempt changes nothing.
 */
const takeStatement = named<[string, number, number], { taken: true }>(
  'rate_limits_take',
  `insert into rate_limits as l (subject, empty_at) values ($1, pharlo_now() + make_interval(secs => $2))
   on conflict (subject) do update
     set empty_at = greatest(l.empty_at, pharlo_now()) + make_interval(secs => $2)
     where greatest(l.empty_at, pharlo_now()) + make_interval(secs => $2) <= pharlo_now() + make_interval(secs => $3)
   returning true as taken`,
);

/** Counts one use. Answers 0, or the whole seconds until the next one is allowed. */
export async function takeFromLimit(on: Queryable, subject: string, limit: RateLimit): Promise<number> {
  const [row] = await takeStatement(on, subject, limit.everySeconds, limit.everySeconds * limit.burst);
  return row ? 0 : Math.max(1, await readLimit(on, subject, limit));
}

const waitStatement = named<[string, number, number], { wait: number }>(
  'rate_limits_wait',
  `select greatest(1, ceil(extract(epoch from empty_at - pharlo_now()) + $2 - $3))::float8 as wait
   from rate_limits
   where subject = $1 and empty_at + make_interval(secs => $2) > pharlo_now() + make_interval(secs => $3)`,
);

/** Looks without counting: 0, or the whole seconds until the next use is allowed. */
export async function readLimit(on: Queryable, subject: string, limit: RateLimit): Promise<number> {
  const [row] = await waitStatement(on, subject, limit.everySeconds, limit.everySeconds * limit.burst);
  return row?.wait ?? 0;
}

const returnStatement = named<[string, number], never>(
  'rate_limits_return',
  `update rate_limits set empty_at = empty_at - make_interval(secs => $2) where subject = $1`,
);

/** Gives back what takeFromLimit counted, when it turned out not to count. */
export async function returnToLimit(on: Queryable, subject: string, limit: RateLimit): Promise<void> {
  await returnStatement(on, subject, limit.everySeconds);
}

export type Allowance = {
  taken: boolean;
  /** Uses that are left at once. */
  remaining: number;
  /** Whole seconds until all of them are there again. */
  resetSeconds: number;
  /** Whole seconds until what was asked for would be given; 0 when it was. */
  waitSeconds: number;
};

const allowanceStatement = named<[string, number, number], { taken: boolean; full: number }>(
  'rate_limits_allowance',
  `with taken as (
     insert into rate_limits as l (subject, empty_at) values ($1, pharlo_now() + make_interval(secs => $2))
     on conflict (subject) do update
       set empty_at = greatest(l.empty_at, pharlo_now()) + make_interval(secs => $2)
       where greatest(l.empty_at, pharlo_now()) + make_interval(secs => $2) <= pharlo_now() + make_interval(secs => $3)
     returning empty_at
   )
   select true as taken, extract(epoch from empty_at - pharlo_now())::float8 as full from taken
   union all
   select false, extract(epoch from empty_at - pharlo_now())::float8 from rate_limits
   where subject = $1 and not exists (select from taken)`,
);

/** Counts several uses at once, all or none, and tells what is left. */
export async function takeAllowance(
  on: Queryable,
  subject: string,
  { everySeconds, burst }: RateLimit,
  uses: number,
): Promise<Allowance> {
  const most = everySeconds * burst;
  const [row] = await allowanceStatement(on, subject, everySeconds * uses, most);
  // No row: another call of the same instant made the first one, which this statement cannot see.
  const { taken, full: counted } = row ?? { taken: false, full: most };
  // A statement that waited for another's row counts from when it began.
  const full = Math.min(counted, most);
  const remaining = Math.max(0, Math.floor((most - full) / everySeconds + 1e-6));
  const waitSeconds = taken ? 0 : Math.max(1, Math.ceil(full + everySeconds * uses - most));
  return { taken, remaining, resetSeconds: Math.max(0, Math.ceil(full)), waitSeconds };
}
