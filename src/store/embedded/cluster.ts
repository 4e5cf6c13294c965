import { execFile } from 'node:child_process';
import {
  closeSync,
  existsSync,
  fsyncSync,
  mkdirSync,
  openSync,
  readFileSync,
  renameSync,
  rmSync,
  writeFileSync,
} from 'node:fs';
import { join } from 'node:path';
import { platform } from 'node:process';
import { promisify } from 'node:util';
import type { Binaries } from './binaries.ts';
import { childEnvironment, type Launcher } from './launcher.ts';
import { giveToServer, type Place } from './place.ts';

const run = promisify(execFile);

/** True when the data directory holds a cluster. */
export function hasCluster(place: Place): boolean {
  return existsSync(join(place.cluster, 'PG_VERSION'));
}

/** Throws a one-line error when the cluster was made by another major version than `major`. */
export function checkMajor(place: Place, major: string): void {
  const found = readFileSync(join(place.cluster, 'PG_VERSION'), 'utf8').trim();
  if (found === major) return;
  throw new Error(
    `${place.cluster} was made by PostgreSQL ${found} and this release of Pharlo brings PostgreSQL ${major}: ` +
      'start it with the release that made it, or move the data into a server named by DATABASE_URL.',
  );
}

/**
 * Makes a new cluster whose order of text does not depend on the host. It is made beside its final name and renamed
 * once it is on disk, so that a crash leaves either a whole cluster or none.
 */
export async function createCluster(
  place: Place,
  binaries: Binaries,
  launcher: Launcher,
  superuserPassword: string,
): Promise<void> {
  const draft = `${place.cluster}.new`;
  const passwordFile = join(place.sockets, 'initdb-password');
  rmSync(draft, { recursive: true, force: true });
  mkdirSync(draft, { mode: 0o700 });
  giveToServer(draft, launcher);
  try {
    writeFileSync(passwordFile, superuserPassword, { mode: 0o600 });
    giveToServer(passwordFile, launcher);
    const [file = binaries.initdb, ...args] = [
      ...launcher.prefix,
      binaries.initdb,
      `--pgdata=${draft}`,
      '--username=postgres',
      `--pwfile=${passwordFile}`,
      '--auth=scram-sha-256',
      '--encoding=UTF8',
      '--locale=C',
      '--locale-provider=builtin',
      '--builtin-locale=C.UTF-8',
      '--no-instructions',
      ...(platform === 'linux' ? ['--sync-method=syncfs'] : []),
    ];
    await run(file, args, { env: childEnvironment });
  } catch (cause) {
    const advice =
      launcher.fileGroup === undefined
        ? ''
        : ` It runs as uid ${launcher.fileOwner} because root is refused and user namespaces are forbidden here: run Pharlo as an ordinary user, or use a data directory that this user can reach.`;
    throw new Error(`PostgreSQL could not create ${place.cluster}: ${lastLine(cause)}${advice}`, { cause });
  } finally {
    rmSync(passwordFile, { force: true });
  }
  renameSync(draft, place.cluster);
  syncFolder(place.root);
}

function syncFolder(path: string): void {
  if (platform === 'win32') return;
  const folder = openSync(path, 'r');
  try {
    fsyncSync(folder);
  } finally {
    closeSync(folder);
  }
}

function lastLine(error: unknown): string {
  const output = error instanceof Error && 'stderr' in error ? String(error.stderr) : '';
  const line = output.split('\n').find((text) => /(error|FATAL):/.test(text));
  return line?.replace(/\.?$/, '.') ?? 'initdb failed without a message.';
}
