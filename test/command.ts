import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';

/** A program and the arguments before Pharlo's own. */
export type Program = readonly [file: string, ...args: string[]];

export const checkout: Program = [process.execPath, join(import.meta.dirname, '../src/main.ts')];

export type Ended = { code: number | null; stdout: string; stderr: string };

export type Running = AsyncDisposable & {
  /** Resolves once the output matches; rejects when the process ends before. */
  printed(pattern: RegExp): Promise<string>;
  signal(name: NodeJS.Signals): void;
  ended: Promise<Ended>;
};

/** Starts Pharlo as a user does: nothing but the given settings and what a shell has. */
export function startCommand(
  args: readonly string[],
  settings: Record<string, string>,
  [file, ...first]: Program = checkout,
): Running {
  const { PATH = '', HOME = '' } = process.env;
  const child = spawn(file, [...first, ...args], {
    env: { PATH, HOME, ...settings },
    stdio: ['ignore', 'pipe', 'pipe'],
  });
  const texts = { stdout: '', stderr: '' };
  for (const name of ['stdout', 'stderr'] as const) {
    child[name].setEncoding('utf8').on('data', (text: string) => {
      texts[name] += text;
    });
  }
  const ended = once(child, 'close').then(([code]): Ended => ({ code, ...texts }));
  return {
    ended,
    signal: (name) => child.kill(name),
    async printed(pattern) {
      while (!pattern.test(texts.stdout)) {
        const end = await Promise.race([once(child.stdout, 'data'), ended]);
        if ('code' in end) throw new Error(`Pharlo ended with ${end.code}: ${end.stderr}`);
      }
      return texts.stdout;
    },
    async [Symbol.asyncDispose]() {
      child.kill('SIGTERM');
      await ended;
    },
  };
}

/** Runs one command to its end. */
export function runCommand(
  args: readonly string[],
  settings: Record<string, string>,
  program: Program = checkout,
): Promise<Ended> {
  return startCommand(args, settings, program).ended;
}

export async function temporaryFolder(): Promise<AsyncDisposable & { path: string }> {
  const path = await mkdtemp(join(tmpdir(), 'pharlo-command-'));
  return { path, [Symbol.asyncDispose]: () => rm(path, { recursive: true, force: true }) };
}
