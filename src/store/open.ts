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

/** A database server that is there, its schema as it was found. */
export type Server = AsyncDisposable & {
  /** For the application's role, through a pooler where there is one. */
  url: string;
  /** For the role that owns the tables, past any pooler. */
  ownerUrl: string;
  /** The application's role where it is another one than the owner. */
  appRole?: string;
  workers: Store['workers'];
};

/** Finds the operator's PostgreSQL, or starts or joins the embedded one. */
export async function openServer(
  options: Pick<StoreOptions, 'databaseUrl' | 'databaseDirectUrl' | 'dataDir' | 'random'>,
): Promise<Server> {
  const { databaseUrl: url, databaseDirectUrl, dataDir, random } = options;
  if (url !== undefined) {
    return { url, ownerUrl: databaseDirectUrl ?? url, workers: 'shared', [Symbol.asyncDispose]: async () => {} };
  }
  const server = await startEmbeddedPostgres({ dataDir, random });
  return { ...server, appRole: 'pharlo_app', workers: server.owner ? 'sole' : 'none' };
}

/** Opens the operator's PostgreSQL, or the embedded one, brings its schema up to date and makes the plans known. */
export async function openStore(options: StoreOptions): Promise<Store> {
  // What was opened is closed again when a later step fails.
  await using stack = new AsyncDisposableStack();
  const { url, ownerUrl, appRole, workers } = stack.use(await openServer(options));
  await migrate(ownerUrl, { ...(appRole !== undefined && { appRole }) });
  const db = stack.use(
    openDb({ url, ...(appRole === undefined && { directUrl: ownerUrl }), onError: options.onError }),
  );
  await savePlans(db, options.plans);
  const held = stack.move();
  return { db, workers, [Symbol.asyncDispose]: () => held.disposeAsync() };
}
