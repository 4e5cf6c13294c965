import { mkdirSync } from 'node:fs';
import { join } from 'node:path';
import { DatabaseSync, type SQLInputValue, type StatementSync } from 'node:sqlite';

type Params = Record<string, SQLInputValue>;

/** Durable rows of one sandbox network, and the folder of its bytes. Survives kill -9: every commit is on disk. */
export type Store = {
  get<Row>(sql: string, params?: Params): Row | undefined;
  all<Row>(sql: string, params?: Params): Row[];
  /** Returns how many rows changed. */
  run(sql: string, params?: Params): number;
  transaction<T>(work: () => T): T;
  mediaPath(file: string): string;
  close(): void;
};

/** Opens or creates the store in `folder`; `schema` must be repeatable. */
export function openStore(folder: string, schema: string): Store {
  const media = join(folder, 'media');
  mkdirSync(media, { recursive: true, mode: 0o700 });
  const db = new DatabaseSync(join(folder, 'store.sqlite'));
  db.exec(
    'PRAGMA journal_mode = WAL; PRAGMA synchronous = FULL; PRAGMA foreign_keys = ON; PRAGMA busy_timeout = 5000;',
  );
  db.exec(schema);

  const statements = new Map<string, StatementSync>();
  function prepared(sql: string): StatementSync {
    const statement = statements.get(sql) ?? db.prepare(sql);
    statements.set(sql, statement);
    return statement;
  }

  return {
    get: <Row>(sql: string, params: Params = {}) => prepared(sql).get(params) as Row | undefined,
    all: <Row>(sql: string, params: Params = {}) => prepared(sql).all(params) as Row[],
    run: (sql, params = {}) => Number(prepared(sql).run(params).changes),
    transaction(work) {
      db.exec('BEGIN IMMEDIATE');
      try {
        const result = work();
        db.exec('COMMIT');
        return result;
      } catch (error) {
        db.exec('ROLLBACK');
        throw error;
      }
    },
    mediaPath: (file) => join(media, file),
    close() {
      statements.clear();
      db.close();
    },
  };
}
