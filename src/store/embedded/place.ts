import { createHash } from 'node:crypto';
import { chmodSync, lchownSync, lstatSync, mkdirSync, readdirSync, realpathSync, rmdirSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { getuid, platform } from 'node:process';
import { hasCode } from './binaries.ts';
import type { Launcher } from './launcher.ts';

/** Where one data directory keeps its parts. All paths are absolute. */
export type Place = {
  root: string;
  cluster: string;
  lock: string;
  passwords: string;
  log: string;
  /** Short folder for the socket: a socket path may have 103 bytes at most (macOS). */
  sockets: string;
};

const SOCKET_PATH_LIMIT = 103;
const SOCKET_NAME = '/.s.PGSQL.5432';

/** Makes sure that the data directory exists, is ours and private (0700). Throws a one-line error. */
export function openPlace(dataDir: string): Place {
  try {
    mkdirSync(dataDir, { recursive: true, mode: 0o700 });
    const root = realpathSync(dataDir);
    if ((lstatSync(root).mode & 0o066) !== 0) chmodSync(root, 0o700);
    return {
      root,
      cluster: join(root, 'postgres'),
      lock: join(root, 'postgres.lock'),
      passwords: join(root, 'postgres-passwords.json'),
      log: join(root, 'postgres.log'),
      sockets: socketFolder(root),
    };
  } catch (cause) {
    throw new Error(`Cannot use the data directory ${dataDir}: ${reason(cause)}.`, { cause });
  }
}

/** Gives the server's user a way to its files; only needed where it is not our own user. */
export function admitServerUser(place: Place, launcher: Launcher): void {
  if (launcher.fileGroup !== undefined) chmodSync(place.root, 0o711);
}

/** Creates the socket folder, or refuses one that another user made or can enter. */
export function openSocketFolder(folder: string, launcher: Launcher): void {
  try {
    mkdirSync(folder, { mode: 0o700 });
  } catch (error) {
    if (!hasCode(error, 'EEXIST')) throw new Error(`Cannot create ${folder}: ${reason(error)}.`, { cause: error });
  }
  if (platform === 'win32') return;
  const stat = lstatSync(folder);
  const ours = stat.uid === launcher.fileOwner || stat.uid === getuid?.();
  if (!stat.isDirectory() || !ours || (stat.mode & 0o077) !== 0) {
    throw new Error(`The socket folder ${folder} belongs to somebody else or is open to others: remove it.`);
  }
  giveToServer(folder, launcher);
}

/** Removes the socket folder once the server has ended; one that still holds something stays for the next start. */
export function closeSocketFolder(folder: string): void {
  try {
    rmdirSync(folder);
  } catch {}
}

/** As root, hands `path` and all in it to the server's user if that changed since the last start. */
export function giveToServer(path: string, launcher: Launcher): void {
  const { fileOwner, fileGroup = 0 } = launcher;
  if (getuid?.() !== 0 || fileOwner === undefined || lstatSync(path).uid === fileOwner) return;
  if (lstatSync(path).isDirectory()) {
    for (const entry of readdirSync(path)) giveToServer(join(path, entry), launcher);
  }
  lchownSync(path, fileOwner, fileGroup);
}

function socketFolder(root: string): string {
  const name = `pharlo-${createHash('sha256').update(root).digest('hex').slice(0, 16)}`;
  const folder = join(realpathSync(tmpdir()), name);
  const fits = platform === 'win32' || Buffer.byteLength(folder + SOCKET_NAME) <= SOCKET_PATH_LIMIT;
  return fits ? folder : join('/tmp', name);
}

/** Words for a file system error. */
export function reason(error: unknown): string {
  if (hasCode(error, 'EACCES', 'EPERM')) return 'permission denied';
  if (hasCode(error, 'EROFS')) return 'the file system is read-only';
  if (hasCode(error, 'ENOSPC')) return 'the disk is full';
  if (hasCode(error, 'EEXIST', 'ENOTDIR')) return 'it is not a directory';
  return 'it is not accessible';
}
