import { execFileSync } from 'node:child_process';
import { readFileSync, rmSync } from 'node:fs';
import { join } from 'node:path';
import { kill, platform } from 'node:process';
import { setTimeout as delay } from 'node:timers/promises';
import type { Binaries } from './binaries.ts';
import { hasCode } from './binaries.ts';
import type { Place } from './place.ts';

/** A running server as its postmaster.pid tells it. */
export type Postmaster = { pid: number; host: string; port: number; ready: boolean };

const STOP_LIMIT_MS = 20_000;

/** Reads the cluster's postmaster.pid; undefined when there is none or it is still being written. */
export function readPostmaster(cluster: string): Postmaster | undefined {
  let text: string;
  try {
    text = readFileSync(join(cluster, 'postmaster.pid'), 'utf8');
  } catch (error) {
    if (hasCode(error, 'ENOENT')) return undefined;
    throw error;
  }
  const [pid = '', , , port = '', sockets = '', address = '', , status = ''] = text.split('\n');
  if (!/^\d+$/.test(pid)) return undefined;
  return { pid: Number(pid), host: sockets || address, port: Number(port), ready: status.trim() === 'ready' };
}

/**
 * Ends what a killed owner left: a server still running or shutting down, or the pid file of a dead one. Call it only
 * while holding the data directory's lock. PostgreSQL judges by the pid alone, which may be a zombie's or, in a
 * restarted container, that of another program; a leftover backend is still refused by its shared memory check.
 */
export async function clearLeftover(place: Place, binaries: Binaries): Promise<void> {
  const leftover = readPostmaster(place.cluster);
  if (leftover === undefined) return rmSync(join(place.cluster, 'postmaster.pid'), { force: true });
  if (platform === 'win32') {
    try {
      execFileSync(binaries.pgCtl, ['stop', '-m', 'fast', '-D', place.cluster], { stdio: 'ignore', windowsHide: true });
    } catch {}
    return;
  }
  const deadline = performance.now() + STOP_LIMIT_MS;
  if (serves(leftover.pid, place.cluster)) signalQuietly(leftover.pid, 'SIGINT');
  while (serves(leftover.pid, place.cluster)) {
    if (performance.now() > deadline) {
      throw new Error(`An earlier PostgreSQL (process ${leftover.pid}) still uses ${place.cluster} and does not stop.`);
    }
    await delay(5);
  }
  rmSync(join(place.cluster, 'postmaster.pid'), { force: true });
}

/** True when the process is alive, no zombie, and a server of this cluster. */
function serves(pid: number, cluster: string): boolean {
  try {
    if (platform !== 'linux') {
      const line = execFileSync('/bin/ps', ['-o', 'stat=,command=', '-p', String(pid)], { encoding: 'utf8' });
      return !line.trimStart().startsWith('Z') && line.includes(cluster);
    }
    return readFileSync(`/proc/${pid}/cmdline`, 'utf8').split('\0').includes(cluster);
  } catch {
    return false;
  }
}

function signalQuietly(pid: number, signal: NodeJS.Signals): void {
  try {
    kill(pid, signal);
  } catch {}
}
