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
  // What was opened is closed again when a later step fails.
  await using stack = new AsyncDisposableStack();
  if (databaseUrl !== undefined) {
    const directUrl = databaseDirectUrl ?? databaseUrl;
    await migrate(directUrl);
    const db = stack.use(openDb({ url: databaseUrl, directUrl, onError }));
    await savePlans(db, options.plans);
    return opened(db, 'shared', stack.move());
  }
  const server = stack.use(await startEmbeddedPostgres({ dataDir, random }));
  await migrate(server.ownerUrl, { appRole: 'pharlo_app' });
  const db = stack.use(openDb({ url: server.url, onError }));
  await savePlans(db, options.plans);
  return opened(db, server.owner ? 'sole' : 'none', stack.move());
}

function opened(db: Db, workers: Store['workers'], stack: AsyncDisposableStack): Store {
  return { db, workers, [Symbol.asyncDispose]: () => stack.disposeAsync() };
}
