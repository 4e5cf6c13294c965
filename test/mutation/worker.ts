import { registerHooks } from 'node:module';
import { argv } from 'node:process';
import { pathToFileURL } from 'node:url';
import { collect, type Unit, units } from './node-test.ts';

/** Runs a unit with a mutant switched on, or with none. `hitLimit` ends endless loops in the mutant. */
export type Order = { unit: string; mutant?: string; hitLimit?: number };

export type Report =
  | { kind: 'ready'; units: string[]; unread: string[]; covered: Hits }
  | { kind: 'done'; failure?: string; ms: number; covered: Hits };

/** How often each mutant's place was passed. */
export type Hits = Record<string, number>;

/** What the instrumented source looks at. */
type Switch = {
  activeMutant?: string | undefined;
  currentTestId?: string | undefined;
  hitCount?: number | undefined;
  hitLimit?: number | undefined;
  /** Cleared, never replaced: the instrumented modules hold on to it. */
  mutantCoverage: { static: Hits; perTest: Record<string, Hits> };
};

const shared: { __stryker__?: Switch } = globalThis as object;
const board: Switch = { mutantCoverage: { static: {}, perTest: {} } };
shared.__stryker__ = board;

const here = new URL('.', import.meta.url).href;
const stands = new Map([
  ['node:test', `${here}node-test.ts`],
  [new URL('../database.ts', here).href, `${here}database.ts`],
]);
registerHooks({
  resolve(specifier, context, next) {
    const found = next(specifier, context);
    const stand = context.parentURL?.startsWith(here) ? undefined : stands.get(found.url);
    return stand ? { url: stand, shortCircuit: true } : found;
  },
});

let stray: unknown;
for (const event of ['uncaughtException', 'unhandledRejection']) {
  process.on(event, (error: unknown) => {
    stray ??= error ?? event;
  });
}
process.once('disconnect', () => process.exit());

function send(report: Report): void {
  process.send?.(report);
}

async function run(unit: Unit | undefined, { mutant, hitLimit }: Order): Promise<void> {
  stray = undefined;
  board.activeMutant = mutant;
  board.currentTestId = unit?.id;
  board.hitCount = hitLimit === undefined ? undefined : 0;
  board.hitLimit = hitLimit;
  board.mutantCoverage.perTest = {};
  const started = performance.now();
  let failure: string | undefined;
  try {
    if (!unit) throw new Error('There is no such unit.');
    await unit.run();
    await new Promise((resolve) => setImmediate(resolve));
  } catch (error) {
    failure = String(error);
  }
  if (stray !== undefined) failure ??= String(stray);
  board.activeMutant = undefined;
  const covered = board.mutantCoverage.perTest[unit?.id ?? ''] ?? {};
  board.currentTestId = undefined;
  send({ kind: 'done', ms: performance.now() - started, covered, ...(failure !== undefined && { failure }) });
}

const unread: string[] = [];
for (const path of argv.slice(2)) {
  await collect(path, pathToFileURL(path).href).catch((error) => unread.push(`${path}: ${error}`));
}
const known = new Map(units().map((unit) => [unit.id, unit]));
process.on('message', (order: Order) => run(known.get(order.unit), order));
send({ kind: 'ready', units: [...known.keys()], unread, covered: { ...board.mutantCoverage.static } });
