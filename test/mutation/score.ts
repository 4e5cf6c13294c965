import assert from 'node:assert/strict';
import { cp, glob, mkdir, readFile, symlink, writeFile } from 'node:fs/promises';
import { availableParallelism } from 'node:os';
import { join } from 'node:path';
import { env } from 'node:process';
import { test } from 'node:test';
import { parseArgs } from 'node:util';
import { startWorker } from './client.ts';
import { createLane, type Verdict } from './lane.ts';
import { type Equivalent, excluded, keyOf, type Mutant, plant } from './mutants.ts';
import { type Baseline, draw, type Kill, type Plan, planOf } from './plan.ts';
import { describe, isMissed, report } from './report.ts';

// Run by npm run mutation, which installs the tools; see scripts/mutation.sh.

const root = join(import.meta.dirname, '../..');
const resultPath = join(root, '.tmp/mutation.json');
const least = 0.85;

const { values: options } = parseArgs({
  args: JSON.parse(env.PHARLO_MUTATION_ARGUMENTS ?? '[]'),
  options: {
    file: { type: 'string', multiple: true },
    sample: { type: 'string', default: '400' },
    seed: { type: 'string', default: '1948' },
    all: { type: 'boolean', default: false },
    again: { type: 'boolean', default: false },
    workers: { type: 'string', default: String(Math.min(2, availableParallelism())) },
  },
});

const say = (text: string) => process.stdout.write(`${text}\n`);

const seconds = (of: readonly Baseline[]) => Math.round(of.reduce((sum, { ms }) => sum + ms, 0) / 1000);

async function list(tree: string, pattern: string): Promise<string[]> {
  // A browser does not live in the process that carries the mutants.
  const found = await Array.fromAsync(glob(pattern, { cwd: tree, exclude: ['test/oauth/browser.test.ts'] }));
  return found.map((path) => path.replaceAll('\\', '/')).sort();
}

/** A private copy, so that nothing planted is ever in the repository. */
async function copyTree(folder: string): Promise<string> {
  const tree = join(folder, 'tree');
  for (const part of ['src', 'test', 'migrations', 'bin', 'demo', 'package.json']) {
    await cp(join(root, part), join(tree, part), { recursive: true });
  }
  await symlink(join(root, 'node_modules'), join(tree, 'node_modules'));
  return tree;
}

/** Every unit once without a mutant; those that fail find nothing and are left out. */
async function runBaseline(tree: string, files: readonly string[]) {
  const worker = await startWorker(tree, files);
  assert.ok(worker, 'the instrumented source loads');
  for (const reason of worker.unread) say(`left out, cannot be imported: ${reason}`);
  const baselines: Baseline[] = [];
  for (const id of worker.units) {
    const { kind, text, ms, covered } = await worker.run({ unit: id }, 120_000);
    if (kind === 'passed') baselines.push({ id, ms, covered });
    else say(`left out, fails without a mutant: ${id}: ${text.split('\n', 1)[0]}`);
    if (kind === 'timed_out') break;
  }
  await worker.end();
  return { baselines, loaded: worker.loaded, unread: worker.unread.length };
}

async function readJson<T>(path: string): Promise<T[]> {
  return JSON.parse(await readFile(path, 'utf8'));
}

/** What the run before found out, by mutant; one that was missed anywhere counts as missed. */
async function readLast(): Promise<Map<string, Verdict>> {
  const last = options.again ? await readJson<Verdict>(resultPath) : [];
  last.sort((a, b) => Number(isMissed(a)) - Number(isMissed(b)));
  return new Map(last.map((verdict) => [keyOf(verdict.mutant), verdict]));
}

/** The mutants to measure, in random order, so that what is said on the way is of a random sample. */
function choose(planted: readonly Mutant[], last: ReadonlyMap<string, Verdict>): Mutant[] {
  const chosen = planted.filter(
    (mutant) =>
      excluded(mutant) === undefined &&
      (!options.again || last.has(keyOf(mutant))) &&
      (!options.file || options.file.some((end) => mutant.file.endsWith(end))),
  );
  const whole = options.all || options.again || options.file;
  return draw(chosen, whole ? chosen.length : Number(options.sample), Number(options.seed));
}

test('the tests of src/oauth find 85 % of the faults planted in it', async () => {
  const started = performance.now();
  const folder = env.PHARLO_MUTATION_FOLDER;
  assert.ok(folder, 'run by npm run mutation');
  const tree = await copyTree(folder);
  const planted = await plant(folder, tree, await list(tree, 'src/oauth/**/*.ts'));
  const files = await list(tree, 'test/{oauth,seeds,checklist}/*.test.ts');
  const { baselines, loaded, unread } = await runBaseline(tree, files);
  say(`${planted.length} mutants in src/oauth; ${baselines.length} units of ${files.length} test files`);
  say(`The units take ${seconds(baselines)} s together. Seed ${options.seed}.`);
  for (const [reason, those] of Map.groupBy(planted, excluded)) {
    if (reason) say(`${those.length} mutants are not measured: ${reason}.`);
  }

  const equivalents = await readJson<Equivalent>(join(import.meta.dirname, 'equivalent.json'));
  const listed = new Set(equivalents.map(keyOf));
  const last = await readLast();
  const chosen = choose(planted, last);
  const verdicts: Verdict[] = [];
  const queue: Plan[] = [];
  for (const mutant of chosen) {
    const old = last.get(keyOf(mutant));
    if (old && !isMissed(old)) verdicts.push({ ...old, mutant });
    // Whether the list is right is asked when all are measured.
    else if (!options.all && listed.has(keyOf(mutant))) verdicts.push({ mutant, status: 'survived' });
    else queue.push(planOf(mutant, baselines, loaded));
  }

  const kills: Kill[] = [];
  const work = async () => {
    await using lane = createLane({ tree, files, unread, kills });
    for (let plan = queue.shift(); plan; plan = queue.shift()) {
      const verdict = await lane.judge(plan);
      verdicts.push(verdict);
      if (isMissed(verdict) && !listed.has(keyOf(verdict.mutant))) say(describe(verdict));
      if (verdicts.length % 50 === 0) {
        say(`${verdicts.length} of ${chosen.length}, ${verdicts.filter(isMissed).length} not found`);
      }
    }
  };
  await Promise.all(Array.from({ length: Number(options.workers) }, work));

  const result = report(verdicts, equivalents, { sampled: !options.all && !options.file, planted });
  say(result.text);
  say(`${Math.round((performance.now() - started) / 1000)} s.`);
  if (!options.file) {
    await mkdir(join(root, '.tmp'), { recursive: true });
    await writeFile(resultPath, JSON.stringify(verdicts, null, 1));
  }
  assert.deepEqual(result.mistaken, [], 'what is listed as equivalent survives');
  assert.deepEqual(result.stale, [], 'what is listed as equivalent exists');
  if (!options.file) assert.ok(result.score >= least, `score ${result.score}`);
});
