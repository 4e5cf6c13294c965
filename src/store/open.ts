import { type Db, openDb } from './db.ts';
import { startEmbeddedPostgres } from './embedded/index.ts';
import { migrate } from './migrate.ts';
import { type PlanRow, savePlans } from './workspaces.ts';

export type StoreOptions = {
  databaseUrl: string | undefined;
  databaseDirectUrl: string | undefined;
  dataDir: string;
  plans: readonly PlanRow[];
  random: (bytes: number) => Uint8Array;
  onError: (error: Error) => void;
};

export type Store = AsyncDisposable & {
  db: Db;
  /**
   * `sole`: this process holds the embedded data dir's lock, so no other worker is alive. `shared`: an operator's
   * PostgreSQL, workers of other replicas may be. `none`: joined the embedded store of another process, must not work.
   */
  workers: 'sole' | 'shared' | 'none';
};

/** Opens the operator's PostgreSQL, or the embedded one, brings its schema up to date and makes the plans known. */
export async function openStore(options: StoreOptions): Promise<Store> {
  const { databaseUrl, databaseDirectUrl, dataDir, random, onError } = options;
  if (databaseUrl !== undefined) {
    const directUrl = databaseDirectUrl ?? databaseUrl;
    await migrate(directUrl);
    const db = openDb({ url: databaseUrl, directUrl, onError });
    await savePlans(db, options.plans);
    return { db, workers: 'shared', [Symbol.asyncDispose]: () => db[Symbol.asyncDispose]() };
  }
  const server = await startEmbeddedPostgres({ dataDir, random });
  await migrate(server.ownerUrl, { appRole: 'pharlo_app' });
  const db = openDb({ url: server.url, onError });
  await savePlans(db, options.plans);
  return {
    db,
    workers: server.owner ? 'sole' : 'none',
    async [Symbol.asyncDispose]() {
      await db[Symbol.asyncDispose]();
      await server[Symbol.asyncDispose]();
    },
  };
}
