import { parseArgs } from 'node:util';
import { toCredits } from '../domain/credits.ts';
import { insertAudit } from '../store/audit.ts';
import { addCredits, setPlan } from '../store/billing.ts';
import { type Command, parseCredits, requireWorkspace, UsageError } from './command.ts';

const options = {
  workspace: { type: 'string', default: 'default' },
  json: { type: 'boolean', default: false },
} as const;

/** `pharlo credits add`: credits that never expire, spent after the monthly ones. */
export const creditsCommand: Command = {
  name: 'credits',
  usage: ['credits add <credits> [--workspace <slug>] [--json]'],
  async run(args, io, config) {
    const { values, positionals } = parseArgs({ args, allowPositionals: true, options });
    const [action, text] = positionals;
    if (action !== 'add') throw new UsageError();
    const amount = parseCredits(text, 'The amount');
    if (amount === 0) throw new UsageError('The amount must be more than nothing.');
    await using opened = await io.openStore(config);
    const { db } = opened.store;
    const { id, slug } = await requireWorkspace(db, values.workspace);
    const topUps = await db.transaction(async (tx) => {
      await insertAudit(tx, { workspaceId: id, action: 'operator.add_credits', outcome: 'ok', target: id });
      return addCredits(tx, id, amount);
    });
    const told = { workspace: slug, added: toCredits(amount), topUps: toCredits(topUps) };
    io.out(
      values.json ? JSON.stringify(told) : `Added ${told.added} credits to ${slug}; top-ups left: ${told.topUps}.`,
    );
  },
};

/** `pharlo plans set`. */
export const plansCommand: Command = {
  name: 'plans',
  usage: ['plans set <plan> [--workspace <slug>] [--json]'],
  async run(args, io, config) {
    const { values, positionals } = parseArgs({ args, allowPositionals: true, options });
    const [action, plan = ''] = positionals;
    if (action !== 'set') throw new UsageError();
    const known = config.plans.map(({ slug }) => slug);
    if (!known.includes(plan)) throw new UsageError(`The plan must be one of ${known.join(', ')}.`);
    await using opened = await io.openStore(config);
    const { db } = opened.store;
    const { id, slug } = await requireWorkspace(db, values.workspace);
    await db.transaction(async (tx) => {
      await setPlan(tx, id, plan);
      await insertAudit(tx, { workspaceId: id, action: 'operator.set_plan', outcome: 'ok', target: plan });
    });
    io.out(values.json ? JSON.stringify({ workspace: slug, plan }) : `${slug} is on the plan ${plan}.`);
  },
};
