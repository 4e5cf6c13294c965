import { spawn } from 'node:child_process';
import { mkdtemp, readdir, readFile, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { execPath } from 'node:process';
import { createInterface } from 'node:readline';

export type Check = { id: string; status: 'SUCCESS' | 'FAILURE' | 'WARNING' | 'INFO' | 'SKIPPED' };

/** The checks of each scenario that was run, by its name, sorted. */
export type Results = Record<string, Check[]>;

const root = join(import.meta.dirname, '..', '..', 'node_modules');
const tools = {
  '0.1.16': join(root, 'conformance-0.1/dist/index.js'),
  '0.2.0-alpha.12': join(root, '@modelcontextprotocol/conformance/dist/index.js'),
};

/**
 * Runs the conformance tool of that version in a process of its own and reads what it wrote. Its exit code is left aside:
 * it is 1 as soon as one check fails, and which may is decided here. Rejects when `signal` or `onLine` ends it.
 */
export async function runTool(
  version: keyof typeof tools,
  args: readonly string[],
  options: { signal: AbortSignal; onLine?: (line: string) => Promise<void> },
): Promise<Results> {
  const folder = await mkdtemp(join(tmpdir(), 'pharlo-conformance-'));
  const failed = new AbortController();
  try {
    const child = spawn(execPath, [tools[version], ...args, '--output-dir', folder], {
      stdio: ['ignore', 'pipe', 'ignore'],
      signal: AbortSignal.any([options.signal, failed.signal]),
    });
    const ended = new Promise<void>((resolve, reject) => {
      child.once('error', reject);
      child.once('close', () => resolve());
    });
    const read = async () => {
      for await (const line of createInterface(child.stdout)) await options.onLine?.(line);
    };
    const heard = read().catch((error) => {
      failed.abort(error);
      throw error;
    });
    await Promise.all([heard, ended]);
    return await readResults(folder);
  } finally {
    await rm(folder, { recursive: true, force: true });
  }
}

/** One folder per scenario, named `server-` or `authorization-server-`, the scenario, the time. */
async function readResults(folder: string): Promise<Results> {
  const results: Results = {};
  for (const name of (await readdir(folder)).sort()) {
    const scenario = name.replace(/^(authorization-)?server-/, '').replace(/-\d{4}-\d\d-\d\dT[\d-]+Z$/, '');
    results[scenario] = JSON.parse(await readFile(join(folder, name, 'checks.json'), 'utf8'));
  }
  return results;
}
