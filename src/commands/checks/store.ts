import { stat } from 'node:fs/promises';
import { join, resolve } from 'node:path';
import { readWebhookSecrets } from '../../callback.ts';
import type { Config } from '../../config.ts';
import { readSecretKey, secretKeyFile } from '../../secret-key.ts';
import { listMigrations } from '../../store/backup/catalog.ts';
import { type Db, openDb } from '../../store/db.ts';
import { databaseTime, readBacklog, sampleSecrets, sampleTokens, serverVersion } from '../../store/health.ts';
import { knownMigrations } from '../../store/migrate.ts';
import { openTokens } from '../../tokens.ts';
import { createVault } from '../../vault.ts';
import type { Io } from '../command.ts';
import { about, type Finding, several } from './finding.ts';

const oldestVersion = 14;
const samples = 50;

/** The database and what is in it; nothing is changed, a store that is not there is not made. */
export async function checkStore(io: Io, config: Config): Promise<Finding[]> {
  const store = about('store');
  if (!config.databaseUrl && !(await isThere(join(resolve(config.dataDir), 'postgres')))) {
    return [store.warning('There is no embedded PostgreSQL yet: the first start makes it.')];
  }
  try {
    await using stack = new AsyncDisposableStack();
    const server = stack.use(await io.openServer(config));
    const { url, ownerUrl, appRole } = server;
    const db = stack.use(openDb({ url, ...(appRole === undefined && { directUrl: ownerUrl }) }));
    const version = Math.floor((await serverVersion(db)) / 10_000);
    if (version < oldestVersion) {
      return [store.failure(`PostgreSQL ${version} is too old: Pharlo needs ${oldestVersion} or newer.`)];
    }
    if (config.databaseDirectUrl) await (await db.connect()).end();
    const where = config.databaseUrl ? 'at DATABASE_URL' : 'embedded';
    const found = [store.ok(`PostgreSQL ${version} (${where}) answers.`)];
    const { finding, isReadable } = await checkMigrations(db);
    found.push(finding);
    if (isReadable) found.push(await checkClock(io, db), await checkKey(io, config, db), ...(await checkBacklog(db)));
    return found;
  } catch (error) {
    return [store.failure(unreachable(error, config))];
  }
}

async function isThere(path: string): Promise<boolean> {
  return (await stat(path).catch(() => undefined)) !== undefined;
}

/** What a driver says may quote an address or a name; of the embedded store's own words nothing is secret. */
function unreachable(error: unknown, { databaseUrl }: Config): string {
  if (!databaseUrl) return error instanceof Error ? error.message : 'The embedded PostgreSQL does not start.';
  const code = error instanceof Error && 'code' in error ? String(error.code) : '';
  const reasons: Record<string, string> = {
    ECONNREFUSED: 'nothing listens there',
    ENOTFOUND: 'its host name is not known',
    ETIMEDOUT: 'it does not answer',
    '28P01': 'the password is wrong',
    '28000': 'the user may not log in',
    '3D000': 'there is no such database',
    '42501': 'the user may not read the tables',
    '53300': 'it has no connection left',
  };
  return `DATABASE_URL or DATABASE_DIRECT_URL cannot be used: ${reasons[code] ?? 'it gives no usable answer'}.`;
}

async function checkMigrations(db: Db): Promise<{ finding: Finding; isReadable: boolean }> {
  const tables = about('tables');
  const present = await listMigrations(db);
  const known = await knownMigrations();
  const pending = known.filter((name) => !present.includes(name)).length;
  if (present.some((name) => !known.includes(name))) {
    const text = 'A newer Pharlo has changed the tables: run that version, or restore a backup of before.';
    return { finding: tables.failure(text), isReadable: false };
  }
  if (present.length === 0) {
    return { finding: tables.warning('There are no tables yet: the first start makes them.'), isReadable: false };
  }
  if (pending > 0) {
    const text = `${several(pending, 'migration is', 'migrations are')} to be applied: the next start does it.`;
    return { finding: tables.warning(text), isReadable: false };
  }
  return { finding: tables.ok('They are up to date.'), isReadable: true };
}

/** The database was asked between the two looks at our clock. */
async function checkClock(io: Io, db: Db): Promise<Finding> {
  const clock = about('clock');
  const before = io.now();
  const there = await databaseTime(db);
  const after = io.now();
  const ahead = Math.max(there - after, before - there, 0);
  const text = `The clocks of database and process differ by ${(ahead / 1000).toFixed(1)} s`;
  if (ahead > 60_000) return clock.failure(`${text}: set both by NTP; tokens and schedules depend on it.`);
  return ahead > 2000 ? clock.warning(`${text}: set both by NTP.`) : clock.ok(`${text}.`);
}

async function checkKey(io: Io, config: Config, db: Db): Promise<Finding> {
  const told = about('secret key');
  const tokens = await sampleTokens(db, samples);
  const secrets = await sampleSecrets(db, samples);
  const count = tokens.length + secrets.length;
  const kept = config.secretKeys ? undefined : await readSecretKey(config.dataDir);
  const keys = config.secretKeys ?? (kept ? [kept] : []);
  const name = config.secretKeys ? 'PHARLO_SECRET_KEY' : secretKeyFile(config.dataDir);
  if (keys.length === 0) {
    if (count === 0) return told.warning(`There is no ${name} yet: the first start makes it.`);
    return told.failure(`${name} is missing: put it back before the next start, which would make another one.`);
  }
  const vault = createVault(keys, io.random);
  let closed = tokens.filter((row) => openTokens({ vault }, row) === undefined).length;
  for (const { workspaceId } of secrets) {
    if ((await readWebhookSecrets({ vault, random: io.random }, db, workspaceId)) === undefined) closed += 1;
  }
  if (closed > 0) {
    return told.failure(
      `${name} does not open ${closed} of ${count} stored secrets: put the right key back, or set the one before as ` +
        'PHARLO_SECRET_KEY_PREVIOUS.',
    );
  }
  return told.ok(
    count === 0 ? 'Nothing is sealed yet.' : `It opens ${several(count, 'stored secret', 'stored secrets')}.`,
  );
}

async function checkBacklog(db: Db): Promise<Finding[]> {
  const { overdue, broken, undelivered } = await readBacklog(db);
  const jobs = about('assignments');
  const channels = about('channels');
  const webhooks = about('webhooks');
  return [
    overdue > 0
      ? jobs.warning(
          `${several(overdue, 'is', 'are')} overdue: see that a worker runs (the server, or PHARLO_ROLE=worker).`,
        )
      : jobs.ok('None is overdue.'),
    broken > 0
      ? channels.warning(`${several(broken, 'needs', 'need')} a person to connect it again.`)
      : channels.ok('None waits for a person.'),
    undelivered > 0
      ? webhooks.warning(
          `${several(undelivered, 'delivery fails', 'deliveries fail')}: see /api/v1/webhooks/deliveries.`,
        )
      : webhooks.ok('Deliveries arrive.'),
  ];
}
