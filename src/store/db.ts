import pg from 'pg';

/** Anything statements can be sent to: the pool or an open transaction. */
export type Queryable = {
  query<R>(statement: { name?: string; text: string; values: unknown[] }): Promise<R[]>;
};

/** An open transaction. Functions that must not run outside one ask for this type. */
export type Tx = Queryable & {
  readonly inTransaction: true;
  /** Runs after a successful commit, e.g. to wake a worker; never before, never after a roll-back. */
  afterCommit(effect: () => void): void;
};

export type Db = Queryable &
  AsyncDisposable & {
    transaction<T>(run: (tx: Tx) => Promise<T>): Promise<T>;
    /** A client of its own, outside the pool, for LISTEN and session locks. */
    connect(): Promise<pg.Client>;
  };

/** A prepared statement: planned once per connection, looked up by name. Names are unique (a test says so). */
export function named<V extends unknown[], R>(
  name: string,
  text: string,
): (on: Queryable, ...values: V) => Promise<R[]> {
  return (on, ...values) => on.query<R>({ name, text, values });
}

const int8 = 20;
const types: pg.CustomTypesConfig = {
  getTypeParser: ((oid: number, format?: 'text') =>
    oid === int8 ? Number : pg.types.getTypeParser(oid, format)) as pg.CustomTypesConfig['getTypeParser'],
};

/** How a running Pharlo is told from other sessions of its database. */
export const applicationName = 'pharlo';

export type DbOptions = {
  url: string;
  /** Session pooling or a direct connection, for LISTEN and locks; the same as `url` unless a pooler stands between. */
  directUrl?: string;
  poolSize?: number;
  onError?: (error: Error) => void;
};

/** Opens the pool. Nothing connects before the first statement. */
export function openDb(options: DbOptions): Db {
  const pool = new pg.Pool({
    connectionString: options.url,
    application_name: applicationName,
    max: options.poolSize ?? 16,
    types,
    keepAlive: true,
    idleTimeoutMillis: 30_000,
    // A database that hangs must fail requests and jobs, not hold them.
    connectionTimeoutMillis: 5_000,
    query_timeout: 20_000,
  });
  // A server that is stopped right after us still ends connections that are just closing; that is no error.
  const closing = new AbortController();
  const report = (error: Error) => {
    if (!closing.signal.aborted) options.onError?.(error);
  };
  pool.on('error', report);
  const send = async <R>(client: pg.Pool | pg.PoolClient, statement: { text: string; values: unknown[] }) =>
    (await client.query(statement)).rows as R[];
  return {
    query: (statement) => send(pool, statement),
    async transaction(run) {
      const client = await pool.connect();
      const effects: (() => void)[] = [];
      let broken: Error | undefined;
      // The pool listens to idle clients only; an unheard error of this one would end the process.
      const onBroken = (error: Error) => {
        broken = error;
      };
      client.on('error', onBroken);
      try {
        await client.query('begin');
        const tx: Tx = {
          inTransaction: true,
          query: (statement) => send(client, statement),
          afterCommit: (effect) => effects.push(effect),
        };
        const result = await run(tx);
        await client.query('commit');
        return result;
      } catch (error) {
        effects.length = 0;
        await client.query('rollback').catch(onBroken);
        throw error;
      } finally {
        client.off('error', onBroken);
        client.release(broken);
        for (const effect of effects) effect();
      }
    },
    async connect() {
      const client = new pg.Client({ connectionString: options.directUrl ?? options.url, types });
      client.on('error', report);
      await client.connect();
      return client;
    },
    [Symbol.asyncDispose]: () => {
      closing.abort();
      return pool.end();
    },
  };
}
