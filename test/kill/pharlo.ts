import { type ChildProcess, spawn } from 'node:child_process';
import { createInterface } from 'node:readline';

const main = new URL('../../src/main.ts', import.meta.url).pathname;

/** A Pharlo process that may be killed. */
export type Running = {
  child: ChildProcess;
  /** Sends the signal and waits for the end; answers the exit code, null when a signal ended it. */
  end(signal: NodeJS.Signals): Promise<number | null>;
};

/** Starts `pharlo <args>` and waits for the line that says it is up. */
export async function start(args: string[], environment: Record<string, string>, upLine: string): Promise<Running> {
  const child = spawn(process.execPath, [main, ...args], { env: environment, stdio: ['ignore', 'pipe', 'inherit'] });
  const ended = new Promise<number | null>((done) => child.once('exit', (code) => done(code)));
  const lines = createInterface({ input: child.stdout });
  const up = new Promise<void>((done) => lines.on('line', (line) => line.includes(upLine) && done()));
  await Promise.race([up, ended.then((code) => Promise.reject(new Error(`It ended with ${code} at its start.`)))]);
  return {
    child,
    end(signal) {
      child.kill(signal);
      return ended;
    },
  };
}

/** Makes a key with the command line, as an operator would. */
export async function makeKey(environment: Record<string, string>): Promise<string> {
  const args = [main, 'keys', 'create', '--workspace', 'default', '--json'];
  const child = spawn(process.execPath, args, { env: environment, stdio: ['ignore', 'pipe', 'inherit'] });
  let text = '';
  for await (const chunk of child.stdout) text += chunk;
  return String(JSON.parse(text).key);
}
