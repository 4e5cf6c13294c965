import { randomBytes } from 'node:crypto';
import { env } from 'node:process';
import pg from 'pg';

/** A migrated database of its own for one test. */
export type TestDatabase = AsyncDisposable & {
  /** URL for the application role. */
  url: string;
  /** URL for the role that owns the tables. */
  ownerUrl: string;
  /** Moves the database's clock, `pharlo_now()`, by `ms` against real time. */
  setClockOffset(ms: number): Promise<void>;
};

const ATTEMPTS = 5;
const OBJECT_IN_USE = '55006';

/** Clones the template that test/run.ts made; dropped on dispose even while clients are connected. */
export async function createTestDatabase(): Promise<TestDatabase> {
  const { PHARLO_TEST_DATABASE_OWNER_URL, PHARLO_TEST_DATABASE_APP_ROLE_URL, PHARLO_TEST_TEMPLATE } = env;
  if (!PHARLO_TEST_DATABASE_OWNER_URL || !PHARLO_TEST_DATABASE_APP_ROLE_URL || !PHARLO_TEST_TEMPLATE) {
    throw new Error('There is no test database: run tests with `npm test -- <file>`.');
  }
  const name = `${PHARLO_TEST_TEMPLATE}_${randomBytes(6).toString('hex')}`;
  await clone(PHARLO_TEST_DATABASE_OWNER_URL, PHARLO_TEST_TEMPLATE, name);
  const ownerUrl = withDatabase(PHARLO_TEST_DATABASE_OWNER_URL, name);
  return {
    url: withDatabase(PHARLO_TEST_DATABASE_APP_ROLE_URL, name),
    ownerUrl,
    setClockOffset: (ms) =>
      withClient(ownerUrl, (client) => client.query('update test_clock set offset_ms = $1', [ms])),
    [Symbol.asyncDispose]: () =>
      withClient(PHARLO_TEST_DATABASE_OWNER_URL, (client) =>
        client.query(`drop database if exists ${name} with (force)`),
      ),
  };
}

/** The same server and role, another database. */
export function withDatabase(url: string, name: string): string {
  const changed = new URL(url);
  changed.pathname = `/${name}`;
  return changed.href;
}

/** Drops the template and every clone a crashed test left. */
export function closeAll(ownerUrl: string, template: string): Promise<void> {
  return withClient(ownerUrl, async (client) => {
    const { rows } = await client.query<{ name: string }>(
      'select datname as name from pg_database where starts_with(datname, $1)',
      [template],
    );
    for (const { name } of rows) await client.query(`drop database if exists ${name} with (force)`);
  });
}

/** The server itself waits five seconds for others to leave the template before it says that it is in use. */
function clone(ownerUrl: string, template: string, name: string): Promise<void> {
  return withClient(ownerUrl, async (client) => {
    for (let attempt = 1; ; attempt++) {
      try {
        return await client.query(`create database ${name} template ${template}`);
      } catch (error) {
        if (!(error instanceof pg.DatabaseError) || error.code !== OBJECT_IN_USE || attempt === ATTEMPTS) throw error;
      }
    }
  });
}

async function withClient(url: string, use: (client: pg.Client) => Promise<unknown>): Promise<void> {
  const client = new pg.Client(url);
  await client.connect();
  try {
    await use(client);
  } finally {
    await client.end();
  }
}
