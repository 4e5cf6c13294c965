import { readdir, readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { Kysely, PostgresDialect, sql } from 'kysely';
import { type Migration, Migrator } from 'kysely/migration';
import pg from 'pg';

const folder = join(import.meta.dirname, '../../migrations');

/**
 * Brings the schema up to date; safe to call from several replicas at once (the migrator holds a lock).
 * `url` is the owner's; `appRole` gets the rights the running program needs: all rows, but audit is insert-only.
 */
export async function migrate(url: string, options: { appRole?: string } = {}): Promise<void> {
  const pool = new pg.Pool({
    connectionString: url,
    max: 2,
    options: '-c lock_timeout=3s -c client_min_messages=warning',
  });
  const db = new Kysely<unknown>({ dialect: new PostgresDialect({ pool }) });
  try {
    const migrator = new Migrator({ db, provider: { getMigrations: readMigrations } });
    const { error } = await migrator.migrateToLatest();
    if (error) throw error;
    if (options.appRole) await grantRights(db, options.appRole);
  } finally {
    await db.destroy();
  }
}

/** Names of the migrations of this version, in order. */
export async function knownMigrations(): Promise<string[]> {
  return Object.keys(await readMigrations()).sort();
}

async function readMigrations(): Promise<Record<string, Migration>> {
  const files = (await readdir(folder)).filter((name) => name.endsWith('.sql')).sort();
  const entries = files.map(async (name): Promise<[string, Migration]> => {
    const text = await readFile(join(folder, name), 'utf8');
    return [name.replace(/\.sql$/, ''), { up: async (db) => void (await sql.raw(text).execute(db)) }];
  });
  return Object.fromEntries(await Promise.all(entries));
}

async function grantRights(db: Kysely<unknown>, role: string): Promise<void> {
  const app = sql.id(role);
  await sql`grant select, insert, update, delete on all tables in schema public to ${app}`.execute(db);
  await sql`grant usage, select on all sequences in schema public to ${app}`.execute(db);
  await sql`revoke update, delete on audit from ${app}`.execute(db);
}
