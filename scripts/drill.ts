import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { cp, mkdtemp, readFile, rm, symlink, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { argv, env, execPath, stdout } from 'node:process';
import { text } from 'node:stream/consumers';
import { parseArgs } from 'node:util';
import { runDrill } from '../test/drills/drill.ts';
import { type Mutant, mutants, planted } from '../test/drills/mutants.ts';
import { describe } from '../test/drills/report.ts';
import { runShortDrill } from '../test/drills/short.ts';
import { startTestServer } from '../test/test-server.ts';

// npm run drill -- [--kills 100] [--per-point 6] [--seed N] [--database-url URL]
//   kills Pharlo that often, so many of them at each named point, and the rest at random. With the URL of an empty
//   database two replicas share it and are killed in turn; without, one Pharlo runs on its embedded store. It runs on a
//   copy of the tree, unless --here is given.
// npm run drill -- --short     the form of npm test
// npm run drill -- --mutants   the short form against faults that have to turn it red

const root = join(import.meta.dirname, '..');
const copied = ['src', 'test', 'scripts', 'migrations', 'bin', 'package.json'];
const limitMs = 300_000;
const say = (line: string) => void stdout.write(`${line}\n`);

const { values } = parseArgs({
  options: {
    kills: { type: 'string', default: '100' },
    'per-point': { type: 'string', default: '6' },
    seed: { type: 'string' },
    'database-url': { type: 'string' },
    short: { type: 'boolean', default: false },
    here: { type: 'boolean', default: false },
    mutants: { type: 'boolean', default: false },
  },
});

async function fullDrill(seed: number): Promise<boolean> {
  const perPoint = Number(values['per-point']);
  const databaseUrl = values['database-url'];
  const report = await runDrill({
    seed,
    store: databaseUrl ? { databaseUrl } : {},
    replicas: databaseUrl ? 2 : 1,
    mediaBytes: 3_000_000,
    processingMs: 3000,
    kills: { random: Math.max(0, Number(values.kills) - 4 * perPoint), perPoint },
    lanes: 4,
    actsPerKill: 8,
    tell: say,
  });
  for (const line of describe(report)) say(line);
  return report.violations.length === 0;
}

async function shortDrill(seed: number): Promise<boolean> {
  await using server = await startTestServer();
  Object.assign(env, server.variables);
  const report = await runShortDrill(seed);
  for (const line of describe(report)) say(line);
  return report.violations.length === 0;
}

/** A private copy of a tree. */
async function copyTree(from: string): Promise<AsyncDisposable & { path: string }> {
  const path = await mkdtemp(join(tmpdir(), 'pharlo-drill-mutant-'));
  for (const name of copied) await cp(join(from, name), join(path, name), { recursive: true });
  await symlink(join(root, 'node_modules'), join(path, 'node_modules'));
  return { path, [Symbol.asyncDispose]: () => rm(path, { recursive: true, force: true }) };
}

/** Runs the full form on a copy, so that a change made meanwhile does not count. */
async function fullDrillOnCopy(seed: number): Promise<boolean> {
  await using copy = await copyTree(root);
  const args = ['scripts/drill.ts', '--here', ...argv.slice(2), '--seed', String(seed)];
  const child = spawn(execPath, args, { cwd: copy.path, stdio: 'inherit' });
  const end = () => child.kill('SIGTERM');
  process.once('SIGTERM', end).once('SIGINT', end);
  const [code] = await once(child, 'exit');
  return code === 0;
}

/** Runs the short form on a copy; what it printed says which promises were broken. */
async function runOn(tree: string, mutant: Mutant | undefined, seed: number): Promise<string> {
  await using copy = await copyTree(tree);
  for (const edit of mutant?.edits ?? []) {
    const path = join(copy.path, 'src', edit.file);
    await writeFile(path, planted(await readFile(path, 'utf8'), edit));
  }
  const args = ['scripts/drill.ts', '--short', '--seed', String(seed)];
  const child = spawn(execPath, args, { cwd: copy.path, stdio: ['ignore', 'pipe', 'inherit'], timeout: limitMs });
  return await text(child.stdout);
}

/** Green without a mutant, red with each. */
async function runMutants(seed: number): Promise<boolean> {
  // Taken once, so that a change made meanwhile does not count.
  await using tree = await copyTree(root);
  let good = 0;
  for (const mutant of [undefined, ...mutants]) {
    const output = await runOn(tree.path, mutant, seed);
    const colour = /^(GREEN|RED): /m.exec(output)?.[1] ?? 'BROKEN';
    const broken = [...output.matchAll(/^broken +(.*)$/gm)].map(([, promise]) => promise);
    const right = colour === (mutant ? 'RED' : 'GREEN');
    if (right) good += 1;
    say(`${right ? ' ' : '!'} ${colour.padEnd(6)} ${mutant?.name ?? 'without a mutant'}`);
    for (const promise of broken) say(`           ${promise}`);
    if (!right) say(output);
  }
  say(`${good} of ${mutants.length + 1} as they should be.`);
  return good === mutants.length + 1;
}

const seed = Number(values.seed ?? (values.mutants || values.short ? 1 : Date.now() % 1_000_000));
if (!values.here) say(`seed ${seed}`);
const form = values.mutants ? runMutants : values.short ? shortDrill : values.here ? fullDrill : fullDrillOnCopy;
// Processes it started end with it.
if (form !== fullDrillOnCopy) process.once('SIGTERM', () => process.exit(1)).once('SIGINT', () => process.exit(1));
process.exitCode = (await form(seed)) ? 0 : 1;
