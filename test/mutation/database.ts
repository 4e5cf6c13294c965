import pg from 'pg';
import { createTestDatabase as clone, type TestDatabase } from '../database.ts';

/** Databases that tests gave back. Making one takes longer than most tests. */
type Spare = { database: TestDatabase; client: pg.Client; shape: string; broken: boolean };

const spares: Spare[] = [];

/** Nobody else is in it, and it has the tables, rights and functions it was made with. */
const inspect = `
  select (select count(*)::int from pg_stat_activity where datname = current_database() and pid <> pg_backend_pid()) as others,
         md5(concat(
           (select string_agg(concat(relname, relacl), ',' order by relname) from pg_class
            where relnamespace = 'public'::regnamespace),
           (select string_agg(concat(attrelid, attname, attnotnull), ',' order by attrelid, attnum) from pg_attribute
            where attnum > 0 and attrelid in (select oid from pg_class where relnamespace = 'public'::regnamespace)),
           (select string_agg(prosrc, ',' order by proname) from pg_proc where pronamespace = 'public'::regnamespace)
         )) as shape`;

const empty = `
  do $$
  declare one text; used text[] := '{}'; found boolean;
  begin
    for one in select tablename from pg_tables where schemaname = 'public'
               and tablename <> 'test_clock' and not starts_with(tablename, 'kysely') loop
      execute format('select exists (select from %I)', one) into found;
      if found then used := used || quote_ident(one); end if;
    end loop;
    if used <> '{}' then execute 'truncate ' || array_to_string(used, ', ') || ' restart identity cascade'; end if;
    update test_clock set offset_ms = 0;
  end $$`;

/** As of test/database.ts, but databases are emptied and used again. */
export async function createTestDatabase(): Promise<TestDatabase> {
  const spare = (await takeSpare()) ?? (await makeSpare());
  const { database, client } = spare;
  return {
    url: database.url,
    ownerUrl: database.ownerUrl,
    async setClockOffset(ms) {
      await client.query('update test_clock set offset_ms = $1', [ms]);
    },
    async [Symbol.asyncDispose]() {
      spares.push(spare);
    },
  };
}

async function makeSpare(): Promise<Spare> {
  const database = await clone();
  const client = new pg.Client(database.ownerUrl);
  await client.connect();
  const { rows } = await client.query(inspect);
  const spare = { database, client, shape: rows[0].shape, broken: false };
  client.on('error', () => {
    spare.broken = true;
  });
  return spare;
}

async function takeSpare(): Promise<Spare | undefined> {
  for (let spare = spares.shift(); spare; spare = spares.shift()) {
    if (!spare.broken) {
      const { rows } = await spare.client.query(inspect);
      if (rows[0].others === 0 && rows[0].shape === spare.shape) {
        await spare.client.query(empty);
        return spare;
      }
    }
    await spare.client.end();
    await spare.database[Symbol.asyncDispose]();
  }
  return undefined;
}

export { closeAll, withDatabase } from '../database.ts';
