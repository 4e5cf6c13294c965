import type { MockTracker } from 'node:test';

/** What test files find as `node:test` here: tests are kept, to be run one by one and again. */
type Body = (t: TestContext) => unknown;
type Hook = () => unknown;
type TestContext = {
  name: string;
  mock: MockTracker;
  after(hook: Hook): void;
  test(name: string, body: Body): Promise<void>;
};
type TestFile = { path: string; tests: { name: string; body: Body }[]; before: Hook[]; after: Hook[] };

/** The least that is run at once: a test, or a whole file whose tests share what its hooks make. */
export type Unit = { id: string; run(): Promise<void> };

const files: TestFile[] = [];

/** The genuine one: an import would be answered with this module. */
const { mock } = process.getBuiltinModule('node:test');

/** Imports a test file and keeps its tests. Throws what the import throws; then nothing of it is kept. */
export async function collect(path: string, url: string): Promise<void> {
  files.push({ path, tests: [], before: [], after: [] });
  try {
    await import(url);
  } catch (error) {
    files.pop();
    throw error;
  }
}

/** All units of the files collected, in the order of the files. */
export function units(): Unit[] {
  return files.flatMap((file) => {
    if (file.before.length + file.after.length > 0) return [{ id: file.path, run: () => runFile(file) }];
    return file.tests.map(({ name, body }) => ({ id: `${file.path}: ${name}`, run: () => runTest(name, body) }));
  });
}

function open(): TestFile {
  const file = files.at(-1);
  if (!file) throw new Error('No test file is being collected.');
  return file;
}

export function test(name: string, ...rest: [Body] | [{ skip?: unknown }, Body]): void {
  const body = rest[1] ?? rest[0];
  if (typeof body !== 'function') throw new Error(`The test has no body: ${name}`);
  const options = typeof rest[0] === 'object' ? rest[0] : {};
  if (!options.skip) open().tests.push({ name, body });
}

export function before(hook: Hook): void {
  open().before.push(hook);
}

export function after(hook: Hook): void {
  open().after.push(hook);
}

async function runTest(name: string, body: Body): Promise<void> {
  const hooks: Hook[] = [];
  try {
    await body({ name, mock, after: (hook) => hooks.push(hook), test: runTest });
  } finally {
    mock.restoreAll();
    for (const hook of hooks) await hook();
  }
}

async function runFile(file: TestFile): Promise<void> {
  try {
    for (const hook of file.before) await hook();
    for (const { name, body } of file.tests) await runTest(name, body);
  } finally {
    for (const hook of file.after) await hook();
  }
}
