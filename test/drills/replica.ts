import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { closeSync, openSync, readdirSync, readFileSync, readlinkSync } from 'node:fs';
import { createInterface } from 'node:readline';

const main = new URL('../../src/main.ts', import.meta.url).pathname;

/** One Pharlo process at a time, started, killed and started again. */
export type Replica = {
  port: number;
  pid(): number | undefined;
  /** Starts it; answers the ms until it said that it is running, or undefined when it was ended before. */
  start(): Promise<number | undefined>;
  /** Resolves while it is running. */
  up(): Promise<void>;
  isUp(): boolean;
  /** Sends the signal and waits for the end. */
  end(signal: NodeJS.Signals): Promise<void>;
};

/** What it writes to stderr goes to `log`. */
export function replicaOf(environment: Record<string, string>, port: number, log: string): Replica {
  let child: ChildProcess | undefined;
  let exited: Promise<unknown> = Promise.resolve();
  let running = Promise.withResolvers<void>();
  let isUp = false;
  return {
    port,
    pid: () => child?.pid,
    async start() {
      const startedAt = performance.now();
      const stderr = openSync(log, 'a');
      const started = spawn(process.execPath, [main], {
        env: { ...environment, PORT: String(port) },
        stdio: ['ignore', 'pipe', stderr],
      });
      closeSync(stderr);
      const endWithUs = () => started.kill('SIGKILL');
      process.once('exit', endWithUs);
      started.once('exit', () => process.off('exit', endWithUs));
      child = started;
      const ended = once(started, 'exit');
      exited = ended;
      if (!started.stdout) throw new Error('There is nothing to read.');
      const lines = createInterface({ input: started.stdout });
      const said = new Promise<boolean>((done) =>
        lines.on('line', (line) => line.includes('is running') && done(true)),
      );
      if (!(await Promise.race([said, ended.then(() => false)]))) return undefined;
      isUp = true;
      running.resolve();
      return performance.now() - startedAt;
    },
    up: () => running.promise,
    isUp: () => isUp,
    async end(signal) {
      if (isUp) running = Promise.withResolvers();
      isUp = false;
      child?.kill(signal);
      await exited;
    },
  };
}

/** Which of the processes holds the TCP port on loopback, as Linux tells; undefined elsewhere. */
export function ownerOf(port: number, pids: readonly number[]): number | undefined {
  const hex = port.toString(16).toUpperCase().padStart(4, '0');
  try {
    const tables = ['/proc/net/tcp', '/proc/net/tcp6'].map((path) => readFileSync(path, 'utf8')).join('\n');
    const inode = tables
      .split('\n')
      .map((line) => line.trim().split(/\s+/))
      .find(([, local]) => local?.endsWith(`:${hex}`))?.[9];
    return pids.find((pid) =>
      readdirSync(`/proc/${pid}/fd`).some((fd) => linkOf(`/proc/${pid}/fd/${fd}`) === `socket:[${inode}]`),
    );
  } catch {
    return undefined;
  }
}

function linkOf(path: string): string | undefined {
  try {
    return readlinkSync(path);
  } catch {
    return undefined;
  }
}
