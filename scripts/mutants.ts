import { spawn } from 'node:child_process';
import { cp, mkdtemp, readdir, readFile, rm, symlink, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { argv, env, execPath, stdout } from 'node:process';
import { itemsOf } from '../test/checklist/items.ts';
import { type Mutant, mutants } from '../test/checklist/mutants/index.ts';
import { startTestServer } from '../test/test-server.ts';

// Plants each mutant of the security checklist in a copy of its own and runs the test of its item there, which has to fail
// by an assertion. `npm run mutants -- 7 29` takes those items alone.

const root = join(import.meta.dirname, '..');
const copied = ['src', 'test', 'migrations', 'bin', 'package.json'];
const limitMs = 120_000;

type Ended = { verdict: 'passed' | 'killed' | 'broken'; output: string };

/** A private copy of a tree. */
async function copyTree(from: string): Promise<AsyncDisposable & { path: string }> {
  const path = await mkdtemp(join(tmpdir(), 'pharlo-mutant-'));
  for (const name of copied) await cp(join(from, name), join(path, name), { recursive: true });
  await symlink(join(root, 'node_modules'), join(path, 'node_modules'));
  return { path, [Symbol.asyncDispose]: () => rm(path, { recursive: true, force: true }) };
}

async function fileOfItems(): Promise<Map<number, string>> {
  const folder = join(root, 'test/checklist');
  const files = new Map<number, string>();
  for (const name of (await readdir(folder)).filter((one) => one.endsWith('.test.ts'))) {
    for (const item of itemsOf(await readFile(join(folder, name), 'utf8')))
      files.set(item, join('test/checklist', name));
  }
  return files;
}

/** Runs the test of one item. `broken` = it ended by anything but its own assertion. */
async function runItem(tree: string, file: string, item: number, variables: NodeJS.ProcessEnv): Promise<Ended> {
  const flags = ['--test-reporter=tap', `--test-name-pattern=/^${item} /`];
  const child = spawn(execPath, [...flags, file], {
    cwd: tree,
    env: { ...env, ...variables },
    stdio: ['ignore', 'pipe', 'pipe'],
    timeout: limitMs,
  });
  let output = '';
  for (const stream of [child.stdout, child.stderr]) {
    stream.setEncoding('utf8').on('data', (chunk: string) => {
      output += chunk;
    });
  }
  const code = await new Promise<number | null>((resolve, reject) => {
    child.once('error', reject);
    child.once('close', resolve);
  });
  const ran = new RegExp(`^(not )?ok \\d+ - ${item} `, 'm').exec(output);
  const failed = ran?.[1] !== undefined;
  if (ran && !failed && code === 0) return { verdict: 'passed', output };
  return { verdict: failed && output.includes("code: 'ERR_ASSERTION'") ? 'killed' : 'broken', output };
}

async function runMutant(from: string, mutant: Mutant, file: string, variables: NodeJS.ProcessEnv): Promise<Ended> {
  await using tree = await copyTree(from);
  const path = join(tree.path, 'src', mutant.file);
  const text = await readFile(path, 'utf8');
  if (text.split(mutant.find).length !== 2) throw new Error(`${mutant.name}: its text is not in ${mutant.file} once.`);
  await writeFile(
    path,
    text.replace(mutant.find, () => mutant.replace),
  );
  return await runItem(tree.path, file, mutant.item, variables);
}

async function runAll(asked: ReadonlySet<number>): Promise<boolean> {
  const files = await fileOfItems();
  const chosen = mutants.filter(({ item }) => asked.size === 0 || asked.has(item));
  await using server = await startTestServer();
  // Taken once, so that a change made meanwhile does not count.
  await using tree = await copyTree(root);
  const fileOf = (item: number) => files.get(item) ?? '';
  let good = 0;
  let sound = true;
  const print = (cells: readonly string[], right: boolean, { verdict, output }: Ended) => {
    if (right) good += 1;
    stdout.write(`${right ? ' ' : '!'} ${cells.join(' ')}\n`);
    if (verdict === 'broken') stdout.write(`${output.slice(-2000)}\n`);
  };
  const items = [...new Set(chosen.map(({ item }) => item))];
  for (const item of items) {
    const ended = await runItem(tree.path, fileOf(item), item, server.variables);
    const cells = [String(item).padStart(2), ended.verdict, 'without a mutant'];
    if (ended.verdict === 'passed') continue;
    sound = false;
    print(cells, false, ended);
  }
  // What fails by itself says nothing of a mutant.
  for (const mutant of sound ? chosen : []) {
    const ended = await runMutant(tree.path, mutant, fileOf(mutant.item), server.variables);
    const cells = [String(mutant.item).padStart(2), ended.verdict.padEnd(6), mutant.file.padEnd(36), mutant.name];
    print(cells, ended.verdict === 'killed', ended);
  }
  stdout.write(`${good} of ${chosen.length} mutants of ${items.length} items killed.\n`);
  return sound && good === chosen.length;
}

process.exitCode = (await runAll(new Set(argv.slice(2).map(Number)))) ? 0 : 1;
