import { z } from 'zod';
import { type Hundredths, toCredits } from '../domain/credits.ts';
import { invalid } from '../domain/errors.ts';
import { present } from '../domain/json.ts';
import { operation } from '../operation.ts';
import { readUsage, type UsageGroup } from '../store/billing.ts';
import { readBalance } from '../store/ledger.ts';
import { type LedgerRow, listLedger } from '../store/lists.ts';
import { instant, iso, outInstant, outUuid, pageFields, readHints, toPeriod } from './fields.ts';
import { envelope, listOf, sliceOf } from './paging.ts';

const statusShape = z.object({
  balance: z.number().optional().meta({ description: 'Credits left; absent on an unlimited plan.' }),
  plan: z.string(),
  planName: z.string(),
  monthlyCredits: z.number().optional().meta({ description: 'Absent on an unlimited plan.' }),
  creditsUsedThisCycle: z.number(),
  cycleStartedAt: outInstant,
  cycleResetsAt: outInstant,
});

export const getBillingStatus = operation({
  name: 'get_billing_status',
  title: 'Get billing status',
  description: 'Tells credits left, plan, credits used in this cycle and when the monthly allocation is renewed.',
  access: 'key',
  credits: 'FREE',
  hints: readHints,
  input: z.strictObject({}),
  output: statusShape,
  rest: { method: 'GET', path: '/billing/status', status: 200 },
  kind: 'read',
  async handle(_input, { caller, on }) {
    const row = await readBalance(on, caller.workspaceId);
    if (!row) throw new Error('A caller without workspace.');
    const unlimited = row.monthly === null;
    return present({
      balance: unlimited ? undefined : toCredits(row.balance),
      plan: row.plan,
      planName: row.planName,
      monthlyCredits: row.monthly === null ? undefined : toCredits(row.monthly),
      creditsUsedThisCycle: toCredits(row.used),
      cycleStartedAt: iso(row.cycleStartedAt),
      cycleResetsAt: iso(row.cycleResetsAt),
    }) as z.infer<typeof statusShape>;
  },
});

const entryShape = z.object({
  id: z.int(),
  operation: z.string(),
  via: z.enum(['rest', 'mcp', 'console', 'operator']),
  credits: z.number().meta({ description: 'Negative: spent. Positive: returned or bought.' }),
  state: z.enum(['settled', 'reserved', 'refunded']),
  assignmentId: outUuid.optional(),
  keyId: outUuid.optional(),
  grantId: outUuid.optional(),
  refunds: z.int().optional().meta({ description: 'Id of the entry this one returns.' }),
  createdAt: outInstant,
});

const period = {
  from: instant('At or after.').optional(),
  to: instant('Before.').optional(),
};

export const listLedgerEntries = operation({
  name: 'list_ledger_entries',
  title: 'List ledger entries',
  description: 'Lists every debit, refund and top-up, newest first.',
  access: 'full_key',
  credits: 'FREE',
  hints: readHints,
  input: z.strictObject({ ...period, ...pageFields() }),
  output: listOf(entryShape),
  rest: { method: 'GET', path: '/billing/ledger', status: 200 },
  kind: 'read',
  async handle(input, { caller, on }) {
    const slice = sliceOf(input, 'number');
    const { workspaceId, organizationId } = caller;
    const listing = await listLedger(on, { workspaceId, organizationId, ...toPeriod(input) }, slice);
    return envelope(listing, slice, toEntry);
  },
});

function toEntry(row: LedgerRow): z.infer<typeof entryShape> {
  return present({
    id: row.id,
    operation: row.operation,
    via: row.via,
    credits: toCredits(row.amount),
    state: row.state,
    assignmentId: row.assignmentId,
    keyId: row.keyId,
    grantId: row.grantId,
    refunds: row.refunds,
    createdAt: iso(row.createdAt),
  }) as z.infer<typeof entryShape>;
}

const usageGroups = ['operation', 'day', 'door', 'key'] as const satisfies readonly UsageGroup[];
const monthMs = 30 * 24 * 3600 * 1000;
const mostMs = 366 * 24 * 3600 * 1000;

export const getUsage = operation({
  name: 'get_usage',
  title: 'Get usage',
  description: 'Sums credits spent in a period (the last 30 days unless told), by operation, day (UTC), door or key.',
  access: 'full_key',
  credits: 'FREE',
  hints: readHints,
  input: z.strictObject({
    ...period,
    groupBy: z
      .enum(usageGroups, `must be one of ${usageGroups.join(', ')}`)
      .meta({ description: 'Left out: operation.' })
      .optional(),
  }),
  output: z.object({
    from: outInstant,
    to: outInstant,
    groupBy: z.enum(usageGroups),
    credits: z.number(),
    calls: z.int(),
    items: z.array(z.object({ key: z.string().optional(), calls: z.int(), credits: z.number() })),
  }),
  rest: { method: 'GET', path: '/billing/usage', status: 200 },
  kind: 'read',
  async handle({ groupBy = 'operation', ...input }, { deps, caller, on }) {
    const asked = toPeriod(input);
    const to = asked.to ?? new Date(deps.now());
    const from = asked.from ?? new Date(to.getTime() - monthMs);
    if (from >= to) throw invalid({ from: ['must be before to'] });
    if (to.getTime() - from.getTime() > mostMs) throw invalid({ from: ['must be within 366 days before to'] });
    const rows = await readUsage(on, caller, { from, to, groupBy });
    const sum = (of: (row: (typeof rows)[number]) => Hundredths) => rows.reduce((total, row) => total + of(row), 0);
    return {
      from: iso(from),
      to: iso(to),
      groupBy,
      credits: toCredits(sum(({ spent }) => spent)),
      calls: sum(({ calls }) => calls),
      items: rows.map(({ key, calls, spent }) => ({ ...(key !== null && { key }), calls, credits: toCredits(spent) })),
    };
  },
});
