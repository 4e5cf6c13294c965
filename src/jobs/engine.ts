import type { Deps, JobKind } from '../deps.ts';
import { newId } from '../domain/ids.ts';

/** One claimed job. The engine keeps its claim alive while `run` works and aborts it when the claim is lost. */
export type Job = {
  id: string;
  /** Does one step and ends the claim itself. `stop` is aborted at shutdown, `lost` when the claim may be gone. */
  run(signals: { stop: AbortSignal; lost: AbortSignal }): Promise<void>;
  /** Prolongs the claim. False when it is lost. */
  renew(): Promise<boolean>;
  /** Gives the claim back after a failure nobody foresaw. */
  abandon(): Promise<void>;
};

/** Thrown by a step that finds its claim taken or its job cancelled: whatever it has left to write must not be written. */
export class ClaimLost extends Error {}

/** One kind of job: how many at once, how to claim due rows, when the next is due. */
export type Kind = {
  kind: JobKind;
  slots: number;
  claim(limit: number, leaseToken: string): Promise<Job[]>;
  /** Ms until the next one is due, undefined when none waits. */
  nextDue(): Promise<number | undefined>;
};

export type Engine = {
  /** A hint that a job may be due. */
  nudge(kind: JobKind): void;
  /** Stops claiming, lets running steps come to a stop, and waits for them. */
  stop(): Promise<void>;
};

const pollMs = 1000;
/** What is due but was not to be had is being claimed or cancelled by somebody else. */
const takenMs = 20;
const renewEveryMs = 4000;
/** A claim lasts 15 s; when no renewal was confirmed for this long the step must stop. */
const unconfirmedMs = 10_000;

/** Starts the claim loops. Waking is a hint, the poll of at most one second is the truth. */
export function startEngine(deps: Deps, kinds: readonly Kind[]): Engine {
  const stopping = new AbortController();
  const wakers = new Map<JobKind, () => void>();
  const loops = kinds.map((kind) => loop(deps, kind, stopping.signal, (wake) => wakers.set(kind.kind, wake)));
  return {
    nudge: (kind) => wakers.get(kind)?.(),
    async stop() {
      stopping.abort();
      for (const wake of wakers.values()) wake();
      await Promise.all(loops);
    },
  };
}

async function loop(deps: Deps, kind: Kind, stop: AbortSignal, onWake: (wake: () => void) => void): Promise<void> {
  const running = new Set<Promise<void>>();
  let wake = () => {};
  let woken = false;
  onWake(() => {
    woken = true;
    wake();
  });
  const pause = async (ms: number) => {
    if (woken) return;
    const { promise, resolve } = Promise.withResolvers<void>();
    const timer = setTimeout(resolve, ms);
    wake = resolve;
    await promise;
    clearTimeout(timer);
  };
  while (!stop.aborted) {
    woken = false;
    const waitMs = await fill(deps, kind, running, stop, () => {
      woken = true;
      wake();
    });
    if (waitMs > 0 && !stop.aborted) await pause(waitMs);
  }
  await Promise.all(running);
}

/** Claims into the free slots; answers how long to wait before looking again. */
async function fill(
  deps: Deps,
  kind: Kind,
  running: Set<Promise<void>>,
  stop: AbortSignal,
  done: () => void,
): Promise<number> {
  const free = kind.slots - running.size;
  if (free <= 0) return pollMs;
  try {
    const jobs = await kind.claim(free, newId(deps.now(), deps.random));
    for (const job of jobs) {
      const work = supervise(deps, kind.kind, job, stop).finally(() => {
        running.delete(work);
        done();
      });
      running.add(work);
    }
    if (jobs.length === free) return pollMs;
    const dueInMs = (await kind.nextDue()) ?? pollMs;
    return Math.min(pollMs, dueInMs > 0 ? dueInMs : takenMs);
  } catch (error) {
    deps.log.error('claim_failed', error, { job: kind.kind });
    return pollMs;
  }
}

async function supervise(deps: Deps, kind: JobKind, job: Job, stop: AbortSignal): Promise<void> {
  const lost = new AbortController();
  let running = true;
  const lose = () => lost.abort(new ClaimLost());
  // A renewal that hangs confirms nothing, so the watch does not wait for one.
  let watch = setTimeout(lose, unconfirmedMs);
  const renewal = setInterval(async () => {
    const askedAt = performance.now();
    const alive = await job.renew().catch(() => undefined);
    if (alive === false) lose();
    if (!alive) return;
    clearTimeout(watch);
    if (running) watch = setTimeout(lose, unconfirmedMs - (performance.now() - askedAt));
  }, renewEveryMs);
  try {
    await job.run({ stop, lost: lost.signal });
  } catch (error) {
    if (error instanceof ClaimLost || lost.signal.aborted) return;
    deps.log.error('job_failed', error, { job: kind, id: job.id });
    await job.abandon().catch((failure) => deps.log.error('abandon_failed', failure));
  } finally {
    running = false;
    clearInterval(renewal);
    clearTimeout(watch);
  }
}
