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

type Verdict = 'passed' | 'killed' | 'broken';

/** The copy of the tree in which the tests of this process run. */
async function copyTree(): Promise<AsyncDisposable & { path: string }> {
  const path = await mkdtemp(join(tmpdir(), 'pharlo-mutant-'));
  for (const name of copied) await cp(join(root, name), join(path, name), { recursive: true });
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
async function runItem(tree: string, file: string, item: number, variables: NodeJS.ProcessEnv): Promise<Verdict> {
  const flags = ['--test-reporter=tap', `--test-name-pattern=/^${item} /`];
  const child = spawn(execPath, [...flags, file], {
    cwd: tree,
    env: { ...env, ...variables },
    stdio: ['ignore', 'pipe', 'ignore'],
    timeout: limitMs,
  });
  let text = '';
  child.stdout.setEncoding('utf8').on('data', (chunk: string) => {
    text += chunk;
  });
  const code = await new Promise<number | null>((resolve, reject) => {
    child.once('error', reject);
    child.once('close', resolve);
  });
  const ran = new RegExp(`^(not )?ok \\d+ - ${item} `, 'm').exec(text);
  if (!ran) return 'broken';
  if (ran[1] === undefined) return code === 0 ? 'passed' : 'broken';
  return text.includes("code: 'ERR_ASSERTION'") ? 'killed' : 'broken';
}

async function runMutant(mutant: Mutant, file: string, variables: NodeJS.ProcessEnv): Promise<Verdict> {
  await using tree = await copyTree();
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
  await using tree = await copyTree();
  const fileOf = (item: number) => files.get(item) ?? '';
  let good = 0;
  const print = (cells: readonly string[], right: boolean) => {
    if (right) good += 1;
    stdout.write(`${right ? ' ' : '!'} ${cells.join(' ')}\n`);
  };
  const items = [...new Set(chosen.map(({ item }) => item))];
  for (const item of items) {
    const verdict = await runItem(tree.path, fileOf(item), item, server.variables);
    if (verdict !== 'passed') print([String(item).padStart(2), verdict, 'without a mutant'], false);
  }
  for (const mutant of chosen) {
    const verdict = await runMutant(mutant, fileOf(mutant.item), server.variables);
    print(
      [String(mutant.item).padStart(2), verdict.padEnd(6), mutant.file.padEnd(36), mutant.name],
      verdict === 'killed',
    );
  }
  stdout.write(`${good} of ${chosen.length} mutants of ${items.length} items killed.\n`);
  return good === chosen.length;
}

process.exitCode = (await runAll(new Set(argv.slice(2).map(Number)))) ? 0 : 1;
