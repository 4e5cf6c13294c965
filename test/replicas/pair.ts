import { env } from 'node:process';
import { setTimeout as delay } from 'node:timers/promises';
import { type App, createApp } from '../../src/app.ts';
import { readConfig } from '../../src/config.ts';
import type { Db, Tx } from '../../src/store/db.ts';
import { type Harness, startHarness } from '../harness.ts';

/** How often each race is run; raised for full counts. */
export const rounds = Number(env.PHARLO_TEST_REPLICA_ROUNDS ?? 5);

/** Callers of one race, split over both replicas. */
export const callers = 64;

const storeLatencyMs = 1;

/** Two processes of one installation in all but the process: only database and secret key are shared. */
export type Pair = AsyncDisposable & {
  pharlo: Harness;
  replicas: readonly [App, App];
  /** Sends a request to one replica, from the network of `peer`. */
  send(replica: App, path: string, init?: RequestInit, peer?: string): Promise<Response>;
  /** `call` once per caller, all at the same time, every second one at the other replica. */
  race<T>(call: (replica: App, index: number) => Promise<T>): Promise<T[]>;
};

/** Both replicas wait a network's time before each statement, so that races are wide. */
export async function startPair(environment: Record<string, string> = {}): Promise<Pair> {
  const stack = new AsyncDisposableStack();
  const pharlo = stack.use(await startHarness({ environment }));
  const other = stack.use(await createApp(readConfig(pharlo.environment), { now: pharlo.app.deps.now }));
  const replicas = [pharlo.app, other] as const;
  for (const { deps } of replicas) slowDown(deps.db);
  const disposables = stack.move();
  return {
    pharlo,
    replicas,
    send: (replica, path, init, peer = '127.0.0.1') => replica.fetch(new Request(pharlo.url + path, init), peer),
    race: (call) =>
      Promise.all(Array.from({ length: callers }, (_, index) => call(index % 2 === 0 ? pharlo.app : other, index))),
    [Symbol.asyncDispose]: () => disposables.disposeAsync(),
  };
}

function slowDown(db: Db): void {
  const { query, transaction } = db;
  const slow =
    (send: Tx['query']): Tx['query'] =>
    async (statement) => {
      await delay(storeLatencyMs);
      return send(statement);
    };
  db.query = slow(query);
  db.transaction = (run) => transaction((tx) => run({ ...tx, query: slow(tx.query) }));
}

/** How many answers had each status. */
export function tally(answers: readonly { status: number }[]): Record<string, number> {
  const counts: Record<string, number> = {};
  for (const { status } of answers) counts[status] = (counts[status] ?? 0) + 1;
  return counts;
}
