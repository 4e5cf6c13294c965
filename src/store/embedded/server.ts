import { type ChildProcess, execFile, spawn } from 'node:child_process';
import { closeSync, openSync, readFileSync, renameSync, statSync } from 'node:fs';
import { createServer } from 'node:net';
import { platform } from 'node:process';
import { setTimeout as delay } from 'node:timers/promises';
import type { Binaries } from './binaries.ts';
import { hasCode } from './binaries.ts';
import { childEnvironment, type Launcher } from './launcher.ts';
import type { Place } from './place.ts';
import { type Postmaster, readPostmaster } from './postmaster.ts';
import { serverSettings } from './settings.ts';

/** A server started by this process. */
export type Server = {
  /** Settles when the server has ended, for whatever reason. */
  ended: Promise<void>;
  /** Waits until it accepts connections. Throws a one-line error when it ends instead. */
  ready(): Promise<Postmaster>;
  /** Fast shutdown: ends sessions, writes a checkpoint, ends. Does nothing when it has ended. */
  stop(): Promise<void>;
};

const START_LIMIT_MS = 60_000;
const STOP_LIMIT_MS = 20_000;
const LOG_LIMIT_BYTES = 4 * 1024 * 1024;

/**
 * Starts PostgreSQL in its own session, so that Ctrl-C reaches only us. Call it from the main thread: the death signal
 * set by `setpriv --pdeathsig` follows the thread that spawned.
 */
export function spawnServer(
  place: Place,
  binaries: Binaries,
  launcher: Launcher,
  settings: Readonly<Record<string, string>>,
): Server {
  const [file = binaries.postgres, ...args] = [
    ...launcher.prefix,
    binaries.postgres,
    '-D',
    place.cluster,
    ...Object.entries({ ...serverSettings, ...settings }).flatMap(([name, value]) => ['-c', `${name}=${value}`]),
  ];
  rotateLog(place.log);
  const log = openSync(place.log, 'a', 0o600);
  const logStart = statSync(place.log).size;
  const child = spawn(file, args, {
    cwd: '/',
    env: childEnvironment,
    detached: true,
    stdio: ['ignore', log, log],
    windowsHide: true,
  });
  closeSync(log);
  child.unref();
  const ended = new Promise<void>((resolve) => {
    child.once('exit', () => resolve());
    child.once('error', () => resolve());
  });
  return {
    ended,
    ready: () => untilReady(child, place, logStart),
    stop: () => stop(child, ended, place, binaries),
  };
}

/** Where to listen: a Unix socket alone; on Windows, where sockets have no permissions, a free loopback port. */
export async function listenSettings(place: Place): Promise<Record<string, string>> {
  if (platform !== 'win32') return { listen_addresses: '', unix_socket_directories: `"${place.sockets}"` };
  return { listen_addresses: '127.0.0.1', unix_socket_directories: '', port: String(await freePort()) };
}

function freePort(): Promise<number> {
  const { promise, resolve, reject } = Promise.withResolvers<number>();
  const probe = createServer().once('error', reject);
  probe.listen(0, '127.0.0.1', () => {
    const bound = probe.address();
    probe.close(() => resolve(typeof bound === 'object' && bound ? bound.port : 0));
  });
  return promise;
}

async function untilReady(child: ChildProcess, place: Place, logStart: number): Promise<Postmaster> {
  const deadline = performance.now() + START_LIMIT_MS;
  while (child.pid !== undefined && child.exitCode === null && child.signalCode === null) {
    const postmaster = readPostmaster(place.cluster);
    if (postmaster?.ready) return postmaster;
    if (performance.now() > deadline) break;
    await delay(5);
  }
  throw new Error(`PostgreSQL did not start: ${lastFailure(place.log, logStart)} Its log is ${place.log}.`);
}

async function stop(child: ChildProcess, ended: Promise<void>, place: Place, binaries: Binaries): Promise<void> {
  if (child.pid === undefined || child.exitCode !== null || child.signalCode !== null) return;
  child.ref();
  if (platform === 'win32') execFile(binaries.pgCtl, ['stop', '-m', 'fast', '-D', place.cluster]);
  else child.kill('SIGINT');
  const patience = new AbortController();
  const overdue = delay(STOP_LIMIT_MS, true, { signal: patience.signal }).catch(() => false);
  if (await Promise.race([ended.then(() => false), overdue])) child.kill('SIGQUIT');
  patience.abort();
  await ended;
}

function rotateLog(path: string): void {
  try {
    if (statSync(path).size > LOG_LIMIT_BYTES) renameSync(path, `${path}.1`);
  } catch (error) {
    if (!hasCode(error, 'ENOENT')) throw error;
  }
}

function lastFailure(path: string, start: number): string {
  const lines = readFileSync(path).subarray(start).toString('utf8').split('\n');
  const line = lines.findLast((text) => text.includes('FATAL:')) ?? lines.findLast((text) => text.trim() !== '');
  return line?.replace(/^.*FATAL: */, '').replace(/\.?$/, '.') ?? 'it gave no reason.';
}
