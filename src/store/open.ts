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

/** `singleton`: proof that no other worker can be alive on this store (the embedded data dir's lock). */
export type Store = AsyncDisposable & { db: Db; singleton: boolean };

/** Opens the operator's PostgreSQL, or the embedded one, brings its schema up to date and makes the plans known. */
export async function openStore(options: StoreOptions): Promise<Store> {
  const { databaseUrl, databaseDirectUrl, dataDir, random, onError } = options;
  if (databaseUrl !== undefined) {
    const directUrl = databaseDirectUrl ?? databaseUrl;
    await migrate(directUrl);
    const db = openDb({ url: databaseUrl, directUrl, onError });
    await savePlans(db, options.plans);
    return { db, singleton: false, [Symbol.asyncDispose]: () => db[Symbol.asyncDispose]() };
  }
  const server = await startEmbeddedPostgres({ dataDir, random });
  await migrate(server.ownerUrl, { appRole: 'pharlo_app' });
  const db = openDb({ url: server.url, onError });
  await savePlans(db, options.plans);
  return {
    db,
    singleton: server.owner,
    async [Symbol.asyncDispose]() {
      await db[Symbol.asyncDispose]();
      await server[Symbol.asyncDispose]();
    },
  };
}
