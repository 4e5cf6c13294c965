import type { Caller } from '../domain/caller.ts';
import type { Hundredths } from '../domain/credits.ts';
import { topUp } from './billing.ts';
import { named, type Queryable, type Tx } from './db.ts';

export type Charge = {
  caller: Caller;
  operation: string;
  amount: Hundredths;
  assignmentId?: string;
  /** A reservation for a call outside any transaction; it returns by itself when nobody settles it. */
  reserve?: boolean;
};

/** `balance` is absent on an unlimited plan. */
export type Entry = { id: number; balance?: Hundredths };

/**
 * Whoever changes a balance takes its workspace's turn first, until the end of the transaction. The row lock alone is
 * not enough: rows that refer to the workspace hold weak locks on it, and then a statement that locks the row and
 * updates it goes twice through the version it began with, the second time behind those who wait for it.
 */
const turnOf = (workspaceId: string) =>
  `pg_advisory_xact_lock(hashtextextended('credits ' || ${workspaceId}::uuid::text, 0))`;

/**
 * Spends credits and writes the ledger row in one statement: the monthly allocation first (started anew when its
 * cycle is over), then top-ups. The locked row makes parallel debits queue up, so the balance never goes below zero.
 * The lock must be the weak one: a caller's transaction may already have inserted rows that refer to the workspace,
 * and two such transactions that then ask for the strong one wait for each other.
 */
const debitStatement = named<
  [string, string, string | null, string, string, Hundredths, string | null, string],
  { id: number; balance: number | null }
>(
  'ledger_debit',
  `with locked as (
     select w.id, p.monthly_credits as monthly, w.topup_left as topup, w.cycle_started_at, w.cycle_resets_at,
            w.cycle_resets_at <= pharlo_now() as over,
            case when w.cycle_resets_at <= pharlo_now() then coalesce(p.monthly_credits, 0) else w.allocation_left end as allocation
     from workspaces w join plans p on p.slug = w.plan
     where w.id = $1 and ${turnOf('$1')} is not null
     for no key update of w
   ), spend as (
     select *, case when monthly is null then 0 else least(allocation, $6::bigint) end as from_allocation,
            case when monthly is null then 0 else $6::bigint - least(allocation, $6::bigint) end as from_topup
     from locked
   ), key as (
     -- Locked after the workspace, always in this order; only keys under a limit are.
     select k.id, k.spending_limit as most, spend.id as workspace, spend.over,
            case when spend.over or k.spent_since is distinct from spend.cycle_started_at then 0 else k.spent end as spent
     from spend join api_keys k on k.workspace_id = spend.id
     where k.id = $2 and k.spending_limit is not null
     for no key update of k
   ), paid as (
     update workspaces w
     set allocation_left = spend.allocation - spend.from_allocation,
         topup_left = w.topup_left - spend.from_topup,
         cycle_started_at = case when spend.over then date_trunc('month', pharlo_now(), 'UTC') else w.cycle_started_at end,
         cycle_resets_at = case when spend.over then date_trunc('month', pharlo_now(), 'UTC') + interval '1 month'
                                else w.cycle_resets_at end
     from spend
     where w.id = spend.id and spend.topup >= spend.from_topup
       and not exists (select from key where key.spent + $6::bigint > key.most)
     returning w.id, w.cycle_started_at, spend.from_allocation, spend.from_topup,
               case when spend.monthly is null then null else w.allocation_left + w.topup_left end as balance
   ), counted as (
     update api_keys k set spent = key.spent + $6::bigint, spent_since = paid.cycle_started_at
     from key, paid where k.id = key.id
   ), entry as (
     insert into ledger (workspace_id, key_id, grant_id, operation, via, amount, from_allocation, from_topup,
                         assignment_id, state, expires_at)
     select id, $2, $3, $4, $5, -$6::bigint, from_allocation, from_topup, $7, $8,
            case when $8 = 'reserved' then pharlo_now() + interval '15 minutes' end
     from paid
     returning id
   )
   select entry.id, paid.balance from entry, paid`,
);

/** Answers undefined when there is too little; nothing is written then. */
export async function debit(on: Queryable, charge: Charge): Promise<Entry | undefined> {
  const { caller } = charge;
  const [row] = await debitStatement(
    on,
    caller.workspaceId,
    caller.keyId,
    caller.grantId ?? null,
    charge.operation,
    caller.via,
    charge.amount,
    charge.assignmentId ?? null,
    charge.reserve ? 'reserved' : 'settled',
  );
  return row && { id: row.id, ...(row.balance !== null && { balance: row.balance }) };
}

const settleStatement = named<[number], { id: number }>(
  'ledger_settle',
  `update ledger set state = 'settled', expires_at = null where id = $1 and state = 'reserved' returning id`,
);

/** Turns a reservation into a debit. False when it has been returned meanwhile. */
export async function settle(on: Queryable, id: number): Promise<boolean> {
  return (await settleStatement(on, id)).length === 1;
}

/**
 * What an ended cycle paid returns to the current one, so a cycle that is over is started anew first. The workspace is
 * locked before its keys, as in a debit: what a WITH changes and nobody reads comes after the main statement.
 */
const returnColumns = `
  back as (
    update ledger set state = 'refunded', expires_at = null from owed where ledger.id = owed.id
    returning ledger.*
  ), entry as (
    insert into ledger (workspace_id, key_id, grant_id, operation, via, amount, from_allocation, from_topup,
                        assignment_id, state, refunds)
    select workspace_id, key_id, grant_id, operation, via, -amount, -from_allocation, -from_topup, assignment_id,
           'settled', id
    from back
    returning workspace_id, key_id, amount, from_allocation, from_topup
  ), per_key as (
    select key_id, sum(amount) as amount from entry where key_id is not null group by key_id
  ), uncounted as (
    update api_keys k set spent = greatest(0, k.spent - per_key.amount)
    from per_key where k.id = per_key.key_id and k.spending_limit is not null
  ), sums as materialized (
    select workspace_id, -sum(from_allocation) as allocation, -sum(from_topup) as topup, ${turnOf('workspace_id')} as turn
    from entry group by workspace_id order by workspace_id
  )
  update workspaces w
  set allocation_left = sums.allocation
        + case when w.cycle_resets_at <= pharlo_now() then coalesce(p.monthly_credits, 0) else w.allocation_left end,
      topup_left = w.topup_left + sums.topup,
      cycle_started_at = case when w.cycle_resets_at <= pharlo_now() then date_trunc('month', pharlo_now(), 'UTC')
                              else w.cycle_started_at end,
      cycle_resets_at = case when w.cycle_resets_at <= pharlo_now()
                             then date_trunc('month', pharlo_now(), 'UTC') + interval '1 month'
                             else w.cycle_resets_at end
  from sums, plans p
  where w.id = sums.workspace_id and p.slug = w.plan and sums.turn is not null
  returning w.id`;

const refundAssignmentStatement = named<[string, string], { id: string }>(
  'ledger_refund_assignment',
  `with owed as (
     select id from ledger
     where workspace_id = $1 and assignment_id = $2 and state = 'settled' and refunds is null
     for update
   ), ${returnColumns}`,
);

/** Returns in full, to their sources, the charges of an assignment that ended without a post. At most once each. */
export async function refundAssignment(tx: Tx, workspaceId: string, assignmentId: string): Promise<void> {
  await refundAssignmentStatement(tx, workspaceId, assignmentId);
}

const keepOneStatement = named<[string, string, boolean], { id: string }>(
  'ledger_keep_one_charge',
  `with owed as (
     select id from ledger
     where workspace_id = $1 and assignment_id = $2 and state = 'settled' and refunds is null
       and id <> (select case when $3 then min(l.id) else max(l.id) end from ledger l
                  where l.workspace_id = $1 and l.assignment_id = $2 and l.state = 'settled' and l.refunds is null)
     for update
   ), ${returnColumns}`,
);

/**
 * An assignment is paid for once: of the charges of its attempts the first or the last stands, the others return. The
 * first, when an earlier attempt turns out to have made the post; the last, when it turns out to have made none.
 */
export async function keepOneCharge(
  tx: Tx,
  assignment: { workspaceId: string; id: string },
  which: 'first' | 'last',
): Promise<void> {
  await keepOneStatement(tx, assignment.workspaceId, assignment.id, which === 'first');
}

const refundUnknownStatement = named<[], { id: string }>(
  'ledger_refund_unknown',
  `with owed as (
     select l.id from ledger l join assignments a on a.workspace_id = l.workspace_id and a.id = l.assignment_id
     where a.status = 'failed' and a.intent_deadline is not null and a.updated_at <= pharlo_now() - interval '24 hours'
       and l.state = 'settled' and l.refunds is null
     order by l.id limit 500
     for update of l skip locked
   ), ${returnColumns}`,
);

/** Returns the charges of assignments whose outcome is unknown (their intent stayed open) 24 h after they ended. */
export async function refundUnknownOutcomes(on: Queryable): Promise<void> {
  await refundUnknownStatement(on);
}

const refundReservationStatement = named<[number], { id: string }>(
  'ledger_refund_reservation',
  `with owed as (select id from ledger where id = $1 and state = 'reserved' for update), ${returnColumns}`,
);

/** Returns a reservation whose call failed. */
export async function refundReservation(on: Queryable, id: number): Promise<void> {
  await refundReservationStatement(on, id);
}

const expireStatement = named<[], { id: string }>(
  'ledger_expire',
  `with owed as (
     select id from ledger where state = 'reserved' and expires_at <= pharlo_now() order by id limit 500
     for update skip locked
   ), ${returnColumns}`,
);

/** Returns reservations nobody settled in time. */
export async function expireReservations(on: Queryable): Promise<void> {
  await expireStatement(on);
}

const leftStatement = named<[string], { balance: number | null }>(
  'ledger_left',
  `select case when p.monthly_credits is null then null
               when w.cycle_resets_at <= pharlo_now() then p.monthly_credits + w.topup_left
               else w.allocation_left + w.topup_left end as balance
   from workspaces w join plans p on p.slug = w.plan where w.id = $1`,
);

/** What a workspace can spend now; undefined on an unlimited plan. */
export async function readCreditsLeft(on: Queryable, workspaceId: string): Promise<Hundredths | undefined> {
  return (await leftStatement(on, workspaceId))[0]?.balance ?? undefined;
}

export type KeyBudget = { most: Hundredths; left: Hundredths };

const budgetStatement = named<[string, string], KeyBudget>(
  'ledger_key_budget',
  `select k.spending_limit as most,
          greatest(0, k.spending_limit - case when w.cycle_resets_at <= pharlo_now()
                                                or k.spent_since is distinct from w.cycle_started_at then 0 else k.spent end) as left
   from api_keys k join workspaces w on w.id = k.workspace_id
   where k.workspace_id = $1 and k.id = $2 and k.spending_limit is not null`,
);

/** What a key under a spending limit may still spend in this cycle; undefined for one without. */
export async function readKeyBudget(on: Queryable, workspaceId: string, keyId: string): Promise<KeyBudget | undefined> {
  return (await budgetStatement(on, workspaceId, keyId))[0];
}

export type BalanceRow = {
  plan: string;
  planName: string;
  monthly: number | null;
  balance: number;
  used: number;
  cycleStartedAt: Date;
  cycleResetsAt: Date;
};

const balanceStatement = named<[string], BalanceRow>(
  'ledger_balance',
  `select p.slug as plan, p.name as "planName", p.monthly_credits as monthly, cycle.started as "cycleStartedAt",
          cycle.resets as "cycleResetsAt",
          case when cycle.over then coalesce(p.monthly_credits, 0) else w.allocation_left end + w.topup_left as balance,
          coalesce((select -sum(l.amount) from ledger l
                    where l.workspace_id = w.id and l.created_at >= cycle.started and l.operation <> '${topUp}'), 0)::bigint as used
   from workspaces w
   join plans p on p.slug = w.plan
   cross join lateral (
     select over, case when over then date_trunc('month', pharlo_now(), 'UTC') else w.cycle_started_at end as started,
            case when over then date_trunc('month', pharlo_now(), 'UTC') + interval '1 month' else w.cycle_resets_at end as resets
     from (select w.cycle_resets_at <= pharlo_now() as over) as o
   ) cycle
   where w.id = $1`,
);

/** The credit account as it is now, the cycle started anew when it is over. */
export async function readBalance(on: Queryable, workspaceId: string): Promise<BalanceRow | undefined> {
  return (await balanceStatement(on, workspaceId))[0];
}
