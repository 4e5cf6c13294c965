import { setTimeout as delay } from 'node:timers/promises';
import { type Binaries, findBinaries } from './binaries.ts';
import { checkMajor, createCluster, hasCluster } from './cluster.ts';
import { chooseLauncher, type Launcher } from './launcher.ts';
import { type FileLock, openFileLock } from './lock.ts';
import { createPasswords, type Passwords, readPasswords } from './passwords.ts';
import { admitServerUser, closeSocketFolder, giveToServer, openPlace, openSocketFolder, type Place } from './place.ts';
import { clearLeftover, readPostmaster } from './postmaster.ts';
import { type Address, createRoles, databaseUrl, isPrepared } from './roles.ts';
import { listenSettings, type Server, spawnServer } from './server.ts';

export type EmbeddedPostgres = AsyncDisposable & {
  /** URL for the application role (no superuser). */
  url: string;
  /** URL for the owner role that runs migrations (owner of the database, no superuser). */
  ownerUrl: string;
  /** True when this process started the server and holds the data directory's lock: the singleton. */
  owner: boolean;
};

export type EmbeddedOptions = {
  dataDir: string;
  /** Server settings that go before ours. */
  settings?: Record<string, string>;
  random: (bytes: number) => Uint8Array;
  /** Hears about slow or unusual steps, in words for the operator. */
  log?: (message: string) => void;
};

const JOIN_LIMIT_MS = 60_000;
const JOIN_POLL_MS = 20;
const RESTART_DELAY_MS = 1_000;

/**
 * Starts PostgreSQL on `dataDir`, or joins the server of the process that did. The owner keeps it running and stops it
 * on dispose; for one that joined, dispose leaves it alone. Throws an error of one line when neither can be done.
 */
export async function startEmbeddedPostgres(options: EmbeddedOptions): Promise<EmbeddedPostgres> {
  const place = openPlace(options.dataDir);
  const lock = openFileLock(place.lock);
  try {
    const deadline = performance.now() + JOIN_LIMIT_MS;
    while (!lock.tryAcquire()) {
      const joined = await join(place);
      if (joined !== undefined) {
        lock[Symbol.dispose]();
        return joined;
      }
      if (performance.now() > deadline) {
        throw new Error(`Another process holds ${place.root} and its PostgreSQL does not answer: stop that process.`);
      }
      await delay(JOIN_POLL_MS);
    }
    return await own(place, lock, options);
  } catch (error) {
    lock[Symbol.dispose]();
    throw error;
  }
}

async function join(place: Place): Promise<EmbeddedPostgres | undefined> {
  const passwords = readPasswords(place.passwords);
  const postmaster = readPostmaster(place.cluster);
  if (passwords === undefined || !postmaster?.ready) return undefined;
  try {
    if (!(await isPrepared(postmaster, passwords))) return undefined;
  } catch {
    return undefined;
  }
  return { ...urls(postmaster, passwords), owner: false, [Symbol.asyncDispose]: async () => {} };
}

async function own(place: Place, lock: FileLock, options: EmbeddedOptions): Promise<EmbeddedPostgres> {
  await using held = new AsyncDisposableStack();
  held.use(lock);
  const binaries = findBinaries();
  const { launcher, major } = await chooseLauncher(binaries.postgres);
  admitServerUser(place, launcher);
  openSocketFolder(place.sockets, launcher);
  held.defer(() => closeSocketFolder(place.sockets));
  await clearLeftover(place, binaries);
  const { passwords, fresh } = await prepareCluster(place, binaries, launcher, major, options);
  const settings = { ...options.settings, ...(await listenSettings(place)) };
  const launch = () => spawnServer(place, binaries, launcher, settings);

  let server = launch();
  held.defer(() => server.stop());
  const address = await server.ready();
  if (fresh || !(await isPrepared(address, passwords))) await createRoles(address, passwords);

  const stopping = new AbortController();
  const restart = async () => {
    await clearLeftover(place, binaries);
    server = launch();
    await server.ready();
    return server;
  };
  const kept = keepRunning(stopping.signal, server, restart, options.log);
  held.defer(async () => {
    stopping.abort();
    await server.stop();
    await kept;
  });
  const owned = held.move();
  return { ...urls(address, passwords), owner: true, [Symbol.asyncDispose]: () => owned.disposeAsync() };
}

async function prepareCluster(
  place: Place,
  binaries: Binaries,
  launcher: Launcher,
  major: string,
  options: EmbeddedOptions,
): Promise<{ passwords: Passwords; fresh: boolean }> {
  const stored = readPasswords(place.passwords);
  if (hasCluster(place)) {
    if (stored === undefined) throw new Error(`${place.passwords} is missing: restore it from a backup.`);
    checkMajor(place, major);
    giveToServer(place.cluster, launcher);
    return { passwords: stored, fresh: false };
  }
  options.log?.(`Creating the database in ${place.root}`);
  const passwords = stored ?? createPasswords(place.passwords, options.random);
  await createCluster(place, binaries, launcher, passwords.superuser);
  return { passwords, fresh: true };
}

/** Starts the server again whenever it ends by itself, until `stopping`. Never rejects. */
async function keepRunning(
  stopping: AbortSignal,
  first: Server,
  restart: () => Promise<Server>,
  log: EmbeddedOptions['log'],
): Promise<void> {
  let server = first;
  for (;;) {
    await server.ended;
    if (stopping.aborted) return;
    log?.('PostgreSQL ended unexpectedly and is started again');
    try {
      server = await restart();
    } catch (error) {
      if (!stopping.aborted) log?.(error instanceof Error ? error.message : 'PostgreSQL could not be started again');
      await delay(RESTART_DELAY_MS, undefined, { signal: stopping }).catch(() => {});
    }
    if (stopping.aborted) await server.stop();
  }
}

function urls(address: Address, passwords: Passwords): { url: string; ownerUrl: string } {
  return {
    url: databaseUrl(address, 'pharlo_app', passwords.app),
    ownerUrl: databaseUrl(address, 'pharlo_owner', passwords.owner),
  };
}
