import { type ChildProcess, fork } from 'node:child_process';
import { once } from 'node:events';
import { join } from 'node:path';
import { env, execPath } from 'node:process';
import type { Hits, Order, Report } from './worker.ts';

export type Outcome = { kind: 'passed' | 'failed' | 'timed_out'; text: string; ms: number; covered: Hits };

/** A process that holds the instrumented source and all test files. */
export type Worker = {
  units: readonly string[];
  /** Test files that could not be imported, with the reason. */
  unread: readonly string[];
  /** Mutants passed while the modules were loaded. */
  loaded: Hits;
  /** Runs one unit; after `timed_out` the process is gone. */
  run(order: Order, limitMs: number): Promise<Outcome>;
  end(): Promise<void>;
};

const loadLimitMs = 60_000;

/** Starts a worker in a tree; `mutant` is on from the first module on. Undefined when the modules cannot be loaded. */
export async function startWorker(
  tree: string,
  files: readonly string[],
  mutant?: string,
): Promise<Worker | undefined> {
  const { NODE_TEST_CONTEXT: _, ...rest } = env;
  const child = fork(join(tree, 'test/mutation/worker.ts'), [...files], {
    cwd: tree,
    execPath,
    execArgv: [],
    stdio: ['ignore', 'ignore', 'ignore', 'ipc'],
    env: { ...rest, ...(mutant !== undefined && { __STRYKER_ACTIVE_MUTANT__: mutant }) },
  });
  const ready = await answer(child, loadLimitMs);
  if (ready?.kind !== 'ready') {
    await end(child);
    return undefined;
  }
  return {
    units: ready.units,
    unread: ready.unread,
    loaded: ready.covered,
    async run(order, limitMs) {
      child.send(order);
      const report = await answer(child, limitMs);
      if (report?.kind === 'done') {
        const { failure, ms, covered } = report;
        return { kind: failure === undefined ? 'passed' : 'failed', text: failure ?? '', ms, covered };
      }
      await end(child);
      return { kind: 'timed_out', text: 'no answer in time', ms: limitMs, covered: {} };
    },
    end: () => end(child),
  };
}

/** The next report, or undefined when the process ends or the time is over. */
async function answer(child: ChildProcess, limitMs: number): Promise<Report | undefined> {
  const over = new AbortController();
  const signal = AbortSignal.any([over.signal, AbortSignal.timeout(limitMs)]);
  try {
    const [report] = await Promise.race([
      once(child, 'message', { signal }),
      once(child, 'exit', { signal }).then((): [undefined] => [undefined]),
    ]);
    return report;
  } catch {
    return undefined;
  } finally {
    over.abort();
  }
}

async function end(child: ChildProcess): Promise<void> {
  if (child.exitCode !== null || child.signalCode !== null) return;
  const gone = once(child, 'exit');
  child.kill('SIGKILL');
  await gone;
}
