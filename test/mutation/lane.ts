import { type Outcome, startWorker, type Worker } from './client.ts';
import type { Mutant } from './mutants.ts';
import { type Baseline, type Kill, nearestFirst, type Plan } from './plan.ts';
import type { Order } from './worker.ts';

/**
 * `invalid` = the modules cannot be loaded with it, as a compiler would have said. `by` is the unit that found it.
 * `failed` and `timed_out` are both found.
 */
export type Verdict = {
  mutant: Mutant;
  status: 'failed' | 'timed_out' | 'survived' | 'uncovered' | 'invalid';
  by?: string;
  text?: string;
};

/** Judges one mutant after the other, with a process that lives on while it can be trusted. */
export type Lane = AsyncDisposable & { judge(plan: Plan): Promise<Verdict> };

type World = {
  tree: string;
  files: readonly string[];
  /** Test files that cannot be imported without a mutant either. */
  unread: number;
  /** What was found so far, for the order of units. */
  kills: Kill[];
};

export function createLane({ tree, files, unread, kills }: World): Lane {
  let standing: Worker | undefined;

  async function worker(): Promise<Worker> {
    standing ??= await startWorker(tree, files);
    if (!standing) throw new Error('The instrumented source does not load.');
    return standing;
  }

  async function forget(): Promise<void> {
    await standing?.end();
    standing = undefined;
  }

  async function runStanding(order: Order, limitMs: number): Promise<Outcome> {
    const outcome = await (await worker()).run(order, limitMs);
    if (outcome.kind === 'timed_out') standing = undefined;
    return outcome;
  }

  /** A finding counts only if the same unit passes right after it without the mutant, or fails once more in a fresh process. */
  async function confirmed(unit: Baseline): Promise<boolean> {
    const control = await runStanding({ unit: unit.id }, limitOf(unit));
    if (control.kind === 'passed') return true;
    await forget();
    return false;
  }

  async function judgeStanding(plan: Plan): Promise<Verdict> {
    const { mutant, units } = plan;
    for (const unit of nearestFirst(plan, kills)) {
      for (let attempt = 1; ; attempt++) {
        const outcome = await runStanding(orderOf(mutant, unit), limitOf(unit) * attempt);
        if (outcome.kind === 'passed') break;
        const sure = outcome.kind === 'timed_out' ? attempt > 1 : await confirmed(unit);
        if (sure) return found(mutant, unit, outcome);
        if (attempt === 3) break;
      }
    }
    return { mutant, status: units.length === 0 ? 'uncovered' : 'survived' };
  }

  /** In a process that loads its modules with the mutant on. */
  async function judgeLoaded(plan: Plan): Promise<Verdict> {
    const { mutant } = plan;
    const start = () => startWorker(tree, files, mutant.id);
    let own = await start();
    if (!own || own.unread.length > unread) {
      await own?.end();
      return { mutant, status: 'invalid' };
    }
    try {
      for (const unit of nearestFirst(plan, kills)) {
        for (let attempt = 1; ; attempt++) {
          own ??= await start();
          if (!own) return { mutant, status: 'invalid' };
          const outcome: Outcome = await own.run({ unit: unit.id, mutant: mutant.id }, limitOf(unit) * attempt);
          if (outcome.kind === 'passed') break;
          if (outcome.kind === 'timed_out') own = undefined;
          const sure = outcome.kind === 'timed_out' ? attempt > 1 : await confirmed(unit);
          if (sure) return found(mutant, unit, outcome);
          if (attempt === 3) break;
        }
      }
      return { mutant, status: 'survived' };
    } finally {
      await own?.end();
    }
  }

  function found(mutant: Mutant, unit: Baseline, { kind, text }: Outcome): Verdict {
    kills.push({ file: mutant.file, lineNumber: mutant.lineNumber, unit: unit.id });
    return { mutant, status: kind === 'timed_out' ? kind : 'failed', by: unit.id, text };
  }

  return {
    judge: (plan) => (plan.load ? judgeLoaded(plan) : judgeStanding(plan)),
    [Symbol.asyncDispose]: forget,
  };
}

function orderOf(mutant: Mutant, unit: Baseline): Order {
  return { unit: unit.id, mutant: mutant.id, hitLimit: 100 * (unit.covered[mutant.id] ?? 1) };
}

/** Generous: the machine may be busy. */
function limitOf({ ms }: Baseline): number {
  return Math.ceil(5000 + 4 * ms);
}
