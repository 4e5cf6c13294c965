import type { Hundredths } from '../domain/credits.ts';
import { named, type Queryable, type Tx } from './db.ts';

/** What the ledger calls credits that were bought. */
export const topUp = 'top_up';

const addStatement = named<[string, Hundredths, string], { topup: Hundredths }>(
  'billing_add_credits',
  `with paid as (
     update workspaces set topup_left = topup_left + $2::bigint where id = $1 returning id, topup_left
   ), entry as (
     insert into ledger (workspace_id, operation, via, amount, from_allocation, from_topup, state)
     select id, $3, 'operator', $2::bigint, 0, -$2::bigint, 'settled' from paid
   )
   select topup_left as topup from paid`,
);

/** Adds credits that never expire; answers all of those that are left. */
export async function addCredits(on: Queryable, workspaceId: string, amount: Hundredths): Promise<Hundredths> {
  const [row] = await addStatement(on, workspaceId, amount, topUp);
  if (!row) throw new Error('There is no such workspace.');
  return row.topup;
}

const setPlanStatement = named<[string, string], { id: string }>(
  'billing_set_plan',
  `update workspaces w
   set plan = wanted.slug,
       allocation_left = greatest(0, coalesce(wanted.monthly_credits, 0)
         - case when w.cycle_resets_at <= pharlo_now() then 0 else greatest(0, coalesce(now.monthly_credits, 0) - w.allocation_left) end),
       cycle_started_at = case when w.cycle_resets_at <= pharlo_now() then date_trunc('month', pharlo_now(), 'UTC')
                               else w.cycle_started_at end,
       cycle_resets_at = case when w.cycle_resets_at <= pharlo_now()
                              then date_trunc('month', pharlo_now(), 'UTC') + interval '1 month' else w.cycle_resets_at end
   from plans wanted, plans now
   where w.id = $1 and wanted.slug = $2 and now.slug = w.plan
   returning w.id`,
);

/**
 * Changes the plan at once: what this cycle's allocation has paid is taken off the new one. False for an unknown plan.
 */
export async function setPlan(tx: Tx, workspaceId: string, plan: string): Promise<boolean> {
  return (await setPlanStatement(tx, workspaceId, plan)).length === 1;
}

/** Spent in hundredths, refunds taken off; a call that was refunded is no call. */
export type UsageRow = { key: string | null; calls: number; spent: Hundredths };

type Asked = [string, string | null, Date, Date, string];

const usageBy = (expression: string) =>
  `select ${expression} as key, (count(*) filter (where refunds is null and state <> 'refunded'))::int as calls,
          -sum(amount)::bigint as spent
   from ledger
   where workspace_id = $1 and created_at >= $3 and created_at < $4 and operation <> $5
     and ($2::uuid is null or key_id in (select id from api_keys where workspace_id = $1 and organization_id = $2))
   group by 1 order by 1`;

const usageStatements = {
  operation: named<Asked, UsageRow>('billing_usage_by_operation', usageBy('operation')),
  day: named<Asked, UsageRow>('billing_usage_by_day', usageBy(`to_char(created_at at time zone 'UTC', 'YYYY-MM-DD')`)),
  door: named<Asked, UsageRow>('billing_usage_by_door', usageBy('via')),
  key: named<Asked, UsageRow>('billing_usage_by_key', usageBy('key_id::text')),
};

export type UsageGroup = keyof typeof usageStatements;

/** What was spent from `from` until before `to`, by group; `organizationId` narrows it to the keys of one organization. */
export function readUsage(
  on: Queryable,
  place: { workspaceId: string; organizationId?: string | undefined },
  { from, to, groupBy }: { from: Date; to: Date; groupBy: UsageGroup },
): Promise<UsageRow[]> {
  return usageStatements[groupBy](on, place.workspaceId, place.organizationId ?? null, from, to, topUp);
}
