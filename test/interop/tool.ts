import { spawn } from 'node:child_process';
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { env, execPath } from 'node:process';
import { createInterface } from 'node:readline';
import type { Readable } from 'node:stream';
import type { Harness } from '../harness.ts';
import { allow } from './person.ts';

/** Where scripts/interop.sh has installed the clients of test/interop/tools. */
export function toolPath(path: string): string {
  const folder = env.PHARLO_INTEROP_TOOLS;
  if (!folder) throw new Error('The clients are not installed: run `npm run interop`.');
  return join(folder, 'node_modules', path);
}

/** An empty folder for what a client keeps, so that nothing of this machine's person is read or changed. */
export async function privateFolder(): Promise<AsyncDisposable & { path: string }> {
  const path = await mkdtemp(join(tmpdir(), 'pharlo-interop-'));
  return { path, [Symbol.asyncDispose]: () => rm(path, { recursive: true, force: true }) };
}

/** An environment whose browser opens nothing and whose home is that folder. */
export function environment(folder: string): Record<string, string> {
  return { PATH: env.PATH ?? '', HOME: folder, TMPDIR: folder, BROWSER: 'true' };
}

/**
 * Plays the person of a client that prints its authorization links: allows each and lets the browser go back to the client.
 * Answers the links so far. `ended` tells that nobody listens any more.
 */
export function answerLinks(pharlo: Harness, output: Readable, ended: AbortSignal): string[] {
  const links: string[] = [];
  const link = new RegExp(`${pharlo.url}/oauth/mcp/authorize\\?\\S+`);
  createInterface(output).on('line', async (line) => {
    const [url] = link.exec(line) ?? [];
    if (url === undefined || links.includes(url)) return;
    links.push(url);
    await deliver(await allow(pharlo, url), ended);
  });
  return links;
}

/** Again while it is refused: some clients print the link before they listen for its answer. */
async function deliver(callback: string, ended: AbortSignal): Promise<void> {
  while (!ended.aborted) {
    const answer = await fetch(callback, { signal: ended }).catch(() => undefined);
    if (answer) return;
    await new Promise((done) => setImmediate(done));
  }
}

export type Run = { code: number | null; stdout: string; stderr: string; links: string[] };

/** Runs a client to its end, its person being there. */
export async function runTool(
  pharlo: Harness,
  args: readonly string[],
  options: { cwd: string; env: Record<string, string> },
): Promise<Run> {
  const child = spawn(execPath, args, { stdio: ['ignore', 'pipe', 'pipe'], timeout: 60_000, ...options });
  const ended = new AbortController();
  const links = answerLinks(pharlo, child.stderr, ended.signal);
  const text = { stdout: '', stderr: '' };
  for (const name of ['stdout', 'stderr'] as const) {
    child[name].setEncoding('utf8').on('data', (piece: string) => {
      text[name] += piece;
    });
  }
  try {
    const code = await new Promise<number | null>((resolve, reject) => {
      child.once('error', reject);
      child.once('close', resolve);
    });
    return { code, ...text, links };
  } finally {
    ended.abort();
  }
}
