import type pg from 'pg';
import type { Db } from '../db.ts';
import { listMigrations, listTables, quoted } from './catalog.ts';
import type { Lines } from './file.ts';

/** One moment of the whole store, open until it is disposed of. */
export type Snapshot = AsyncDisposable & {
  migrations: string[];
  tables: string[];
  /** The lines of a backup; some hundred rows are held at a time, however many there are. */
  lines(): AsyncGenerator<Lines>;
};

const rowsAtATime = 200;

/** Rows as text that any PostgreSQL reads back to the same values. */
const settings = `set local timezone = 'UTC'; set local bytea_output = 'hex'; set local datestyle = 'ISO';
  set local statement_timeout = 0; set local idle_in_transaction_session_timeout = 0`;

/** Holds one moment of the store (repeatable read, read only); writers are not held up. */
export async function openSnapshot(db: Db): Promise<Snapshot> {
  await using stack = new AsyncDisposableStack();
  const client = stack.adopt(await db.connect(), (open) => open.end());
  await client.query('begin isolation level repeatable read read only');
  await client.query(settings);
  const on = { query: async <R>(statement: pg.QueryConfig) => (await client.query(statement)).rows as R[] };
  const tables = await listTables(on);
  const migrations = await listMigrations(on);
  const held = stack.move();
  return {
    migrations,
    tables: tables.map(({ name }) => name),
    async *lines() {
      for (const { name, columns } of tables) {
        yield { text: `table ${JSON.stringify({ name, columns })}\n`, rows: 0 };
        yield* rowsOf(client, name, columns);
      }
    },
    [Symbol.asyncDispose]: () => held.disposeAsync(),
  };
}

async function* rowsOf(client: pg.Client, table: string, columns: string[]): AsyncGenerator<Lines> {
  const listed = columns.map(quoted).join(', ');
  await client.query(
    `declare backup no scroll cursor for
     select row_to_json(r)::text as line from (select ${listed} from ${quoted(table)}) r`,
  );
  for (;;) {
    const { rows } = await client.query<{ line: string }>(`fetch ${rowsAtATime} from backup`);
    if (rows.length > 0) yield { text: rows.map(({ line }) => `row ${line}\n`).join(''), rows: rows.length };
    if (rows.length < rowsAtATime) break;
  }
  await client.query('close backup');
}
