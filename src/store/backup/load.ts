import pg from 'pg';
import { z } from 'zod';
import { insertAudit } from '../audit.ts';
import { applicationName, type Queryable } from '../db.ts';
import { takeOverLeases } from '../publish-jobs.ts';
import { type BackupTable, listMigrations, listTables, quoted } from './catalog.ts';
import { type Doubts, settleDoubts } from './doubts.ts';
import { BackupError, readBackup } from './file.ts';
import type { BackupHeader } from './header.ts';

export type Restored = Doubts & { tables: number; rows: number };

const rowsAtATime = 500;
const bytesAtATime = 1024 * 1024;

/**
 * Loads a backup that was inspected into a store in which nothing has been done yet, in one transaction: all of it or
 * nothing. `url` is the owner's. Throws BackupError.
 */
export async function restoreBackup(
  url: string,
  path: string,
  header: BackupHeader,
  options: { publishOverdue: boolean },
): Promise<Restored> {
  const client = new pg.Client({ connectionString: url, options: '-c lock_timeout=10s -c statement_timeout=0' });
  client.on('error', () => {});
  await client.connect();
  const on: Queryable = {
    query: async <R>(statement: pg.QueryConfig) => (await client.query(statement)).rows as R[],
  };
  try {
    await client.query('begin');
    await refuseCompany(on);
    const tables = await listTables(on);
    const names = tables.map(({ name }) => quoted(name)).join(', ');
    await client.query(`lock table ${names} in access exclusive mode`);
    checkMigrations(await listMigrations(on), header);
    await refuseUsed(on);
    const keys = await dropForeignKeys(on);
    await client.query(`truncate ${names}`);
    const loaded = await load(on, path, tables);
    for (const { table, name, definition } of keys) {
      await client.query(`alter table ${table} add constraint ${name} ${definition}`);
    }
    await setIdentities(on);
    await takeOverLeases(on);
    const doubts = await settleDoubts(on, options);
    await insertAudit(on, { action: 'operator.restore', outcome: 'ok', target: header.takenAt });
    await client.query(`analyze ${names}`);
    await client.query('commit');
    return { ...loaded, ...doubts };
  } catch (error) {
    throw refusal(error);
  } finally {
    // What was not committed is rolled back by the end of the session.
    await client.end();
  }
}

/** What the database itself refuses, in words that quote no row. */
function refusal(error: unknown): unknown {
  const code = error instanceof pg.DatabaseError ? error.code : undefined;
  if (code === undefined) return error;
  if (code === '42501')
    return new BackupError('The role of DATABASE_DIRECT_URL (or DATABASE_URL) must own the tables.');
  if (code === '55P03') return new BackupError('Somebody else uses the tables: stop every Pharlo first.');
  if (/^2[23]/.test(code))
    return new BackupError('The rows of the backup do not fit the tables: nothing was restored.');
  return error;
}

/** The schema must be the one the rows were in: what later migrations did to rows, loading them cannot do again. */
function checkMigrations(present: string[], { migrations, pharlo }: BackupHeader): void {
  if (migrations.join() === present.join()) return;
  const age = migrations.every((name) => present.includes(name)) ? 'older' : 'newer';
  const then = age === 'older' ? ', then start this one on it' : '';
  throw new BackupError(
    `The backup was made by Pharlo ${pharlo}, whose tables are ${age}: restore it with that version${then}.`,
  );
}

/** A worker that is running would start at once with what is loaded. */
async function refuseCompany(on: Queryable): Promise<void> {
  const [others] = await on.query<{ count: number }>({
    text: `select count(*)::int as count from pg_stat_activity
           where datname = current_database() and application_name = $1 and pid <> pg_backend_pid()`,
    values: [applicationName],
  });
  if (others?.count !== 0) {
    throw new BackupError(
      'A Pharlo is connected to this database: stop it first (a pooler may keep its sessions for some minutes).',
    );
  }
}

/** What a first start makes by itself (the default workspace, a key) may be replaced, what people made may not. */
async function refuseUsed(on: Queryable): Promise<void> {
  const [used] = await on.query<{ used: boolean }>({
    text: `select exists (select from assignments) or exists (select from connections)
             or exists (select from oauth_grants) or exists (select from ledger)
             or exists (select from workspaces where slug <> 'default') as used`,
    values: [],
  });
  if (used?.used !== false) {
    throw new BackupError('The store is not empty: a backup is restored only into one that was never used.');
  }
}

type ForeignKey = { table: string; name: string; definition: string };

/** Rows come in no particular order; the keys are made again afterwards, which checks all rows at once. */
async function dropForeignKeys(on: Queryable): Promise<ForeignKey[]> {
  const keys = await on.query<ForeignKey>({
    text: `select conrelid::regclass::text as table, quote_ident(conname) as name, pg_get_constraintdef(oid) as definition
           from pg_constraint where contype = 'f' and connamespace = current_schema()::regnamespace`,
    values: [],
  });
  for (const { table, name } of keys) {
    await on.query({ text: `alter table ${table} drop constraint ${name}`, values: [] });
  }
  return keys;
}

const tableLine = z.object({ name: z.string(), columns: z.array(z.string()).min(1) });

async function load(
  on: Queryable,
  path: string,
  tables: readonly BackupTable[],
): Promise<{ tables: number; rows: number }> {
  let insert = '';
  let batch: string[] = [];
  let bytes = 0;
  const count = { tables: 0, rows: 0 };
  const flush = async () => {
    if (batch.length > 0) await on.query({ text: insert, values: [`[${batch.join(',')}]`] });
    count.rows += batch.length;
    batch = [];
    bytes = 0;
  };
  for await (const { word, json } of readBackup(path)) {
    if (word === 'table') {
      await flush();
      insert = insertInto(tableLine.parse(JSON.parse(json)), tables);
      count.tables += 1;
      continue;
    }
    batch.push(json);
    bytes += json.length;
    if (batch.length >= rowsAtATime || bytes >= bytesAtATime) await flush();
  }
  await flush();
  return count;
}

/** Only names of the catalogue get into SQL. */
function insertInto({ name, columns }: BackupTable, tables: readonly BackupTable[]): string {
  const known = tables.find((table) => table.name === name);
  if (!known || columns.some((column) => !known.columns.includes(column))) {
    throw new BackupError('The backup holds a table or column that this Pharlo does not have.');
  }
  const listed = columns.map(quoted).join(', ');
  return `insert into ${quoted(name)} (${listed}) overriding system value
    select ${listed} from json_populate_recordset(null::${quoted(name)}, $1::json)`;
}

/** Identities go on after the highest number that was given. */
async function setIdentities(on: Queryable): Promise<void> {
  const columns = await on.query<{ table: string; column: string }>({
    text: `select c.oid::regclass::text as table, a.attname as column
           from pg_class c join pg_attribute a on a.attrelid = c.oid
           where c.relnamespace = current_schema()::regnamespace and c.relkind = 'r' and a.attidentity <> ''`,
    values: [],
  });
  for (const { table, column } of columns) {
    await on.query({
      text: `select setval(pg_get_serial_sequence($1, $2), coalesce(max(${quoted(column)}), 0) + 1, false) from ${table}`,
      values: [table, column],
    });
  }
}
