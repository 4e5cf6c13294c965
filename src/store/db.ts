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
    max: options.poolSize ?? 16,
    types,
    idleTimeoutMillis: 30_000,
  });
  pool.on('error', (error) => options.onError?.(error));
  const send = async <R>(client: pg.Pool | pg.PoolClient, statement: { text: string; values: unknown[] }) =>
    (await client.query(statement)).rows as R[];
  return {
    query: (statement) => send(pool, statement),
    async transaction(run) {
      const client = await pool.connect();
      const effects: (() => void)[] = [];
      let broken: Error | undefined;
      try {
        await client.query('begin');
        const tx: Tx = {
          inTransaction: true,
          query: (statement) => send(client, statement),
          afterCommit: (effect) => effects.push(effect),
        };
        const result = await run(tx);
        await client.query('commit');
        for (const effect of effects) effect();
        return result;
      } catch (error) {
        await client.query('rollback').catch((failure: Error) => {
          broken = failure;
        });
        throw error;
      } finally {
        client.release(broken);
      }
    },
    async connect() {
      const client = new pg.Client({ connectionString: options.directUrl ?? options.url, types });
      await client.connect();
      return client;
    },
    [Symbol.asyncDispose]: () => pool.end(),
  };
}

/** True for a violated unique constraint of that name (SQLSTATE 23505). */
export function violates(error: unknown, constraint: string): boolean {
  return error instanceof pg.DatabaseError && error.code === '23505' && error.constraint === constraint;
}
