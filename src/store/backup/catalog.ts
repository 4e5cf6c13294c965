import type { Queryable } from '../db.ts';

/** A table whose rows outlive a crash, with the columns that are written (generated ones follow from them). */
export type BackupTable = { name: string; columns: string[] };

/**
 * Every table of the schema but the migrator's own, from the catalogue, so that none is ever forgotten. Unlogged tables
 * hold nothing that is worth keeping.
 */
export async function listTables(on: Queryable): Promise<BackupTable[]> {
  return await on.query<BackupTable>({
    text: `select c.relname as name, array_agg(a.attname::text order by a.attnum) as columns
           from pg_class c join pg_attribute a on a.attrelid = c.oid
           where c.relnamespace = current_schema()::regnamespace and c.relkind = 'r' and c.relpersistence = 'p'
             and c.relname not like 'kysely\\_migration%' and a.attnum > 0 and not a.attisdropped
             and a.attgenerated = ''
           group by c.relname order by c.relname`,
    values: [],
  });
}

/** Names of the migrations that have made the schema, in order; none where Pharlo never started. */
export async function listMigrations(on: Queryable): Promise<string[]> {
  const there = await on.query<{ there: boolean }>({
    text: `select to_regclass('kysely_migration') is not null as there`,
    values: [],
  });
  if (there[0]?.there !== true) return [];
  const rows = await on.query<{ name: string }>({
    text: 'select name from kysely_migration order by name',
    values: [],
  });
  return rows.map(({ name }) => name);
}

/** A name as SQL takes it. */
export function quoted(name: string): string {
  return `"${name.replaceAll('"', '""')}"`;
}
