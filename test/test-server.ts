import { randomBytes } from 'node:crypto';
import { mkdtemp, readFile, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { env } from 'node:process';
import pg from 'pg';
import { startEmbeddedPostgres } from '../src/store/embedded/index.ts';
import { migrate } from '../src/store/migrate.ts';
import { closeAll, withDatabase } from './database.ts';

/** A server whose owner role may create databases and end the sessions in them; `appUrl` is the same server for the application role. */
type TestServer = AsyncDisposable & { ownerUrl: string; appUrl: string; appRole?: string };

const testSettings = {
  fsync: 'off',
  full_page_writes: 'off',
  synchronous_commit: 'off',
  max_connections: '200',
  autovacuum: 'off',
};

async function startServer(): Promise<TestServer> {
  if (env.DATABASE_URL) {
    return { ownerUrl: env.DATABASE_URL, appUrl: env.DATABASE_URL, [Symbol.asyncDispose]: async () => {} };
  }
  const dataDir = await mkdtemp(join(tmpdir(), 'pharlo-test-'));
  const server = await startEmbeddedPostgres({ dataDir, settings: testSettings, random: randomBytes });
  const { superuser } = JSON.parse(await readFile(join(dataDir, 'postgres-passwords.json'), 'utf8'));
  const superuserUrl = new URL(withDatabase(server.ownerUrl, 'postgres'));
  superuserUrl.username = 'postgres';
  superuserUrl.password = superuser;
  await query(superuserUrl.href, 'alter role pharlo_owner createdb; grant pg_signal_backend to pharlo_owner');
  return {
    ownerUrl: server.ownerUrl,
    appUrl: server.url,
    appRole: 'pharlo_app',
    async [Symbol.asyncDispose]() {
      await server[Symbol.asyncDispose]();
      await rm(dataDir, { recursive: true, force: true });
    },
  };
}

/** Makes the migrated database that every test clones, its clock steerable through the table test_clock. */
async function createTemplate(server: TestServer): Promise<AsyncDisposable & { name: string }> {
  const name = `pharlo_test_${randomBytes(4).toString('hex')}`;
  await query(server.ownerUrl, `create database ${name}`);
  const url = withDatabase(server.ownerUrl, name);
  await migrate(url, server.appRole === undefined ? {} : { appRole: server.appRole });
  await query(
    url,
    `create table test_clock (offset_ms bigint not null);
     insert into test_clock values (0);
     grant select on test_clock to public;
     create or replace function pharlo_now() returns timestamptz language sql stable as $$
       select statement_timestamp() + (select offset_ms from public.test_clock) * interval '1 ms'
     $$;`,
  );
  return { name, [Symbol.asyncDispose]: () => closeAll(server.ownerUrl, name) };
}

async function query(url: string, text: string): Promise<void> {
  const client = new pg.Client(url);
  await client.connect();
  try {
    await client.query(text);
  } finally {
    await client.end();
  }
}

/** Starts the server and the template that createTestDatabase clones; `variables` tell the processes of tests of them. */
export async function startTestServer(): Promise<AsyncDisposable & { variables: Record<string, string> }> {
  await using stack = new AsyncDisposableStack();
  const server = stack.use(await startServer());
  const template = stack.use(await createTemplate(server));
  const disposables = stack.move();
  return {
    variables: {
      PHARLO_TEST_DATABASE_OWNER_URL: server.ownerUrl,
      PHARLO_TEST_DATABASE_APP_ROLE_URL: server.appUrl,
      PHARLO_TEST_TEMPLATE: template.name,
    },
    [Symbol.asyncDispose]: () => disposables.disposeAsync(),
  };
}
