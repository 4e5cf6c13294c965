import { chmodSync } from 'node:fs';
import { DatabaseSync } from 'node:sqlite';

/** An exclusive lock on a file, let go by the operating system when its process dies, however it dies. */
export type FileLock = Disposable & { tryAcquire(): boolean };

const SQLITE_BUSY = 5;

/**
 * Opens the lock at `path` without taking it. Node has no file locks of its own; an exclusive SQLite transaction on an
 * empty database holds one on every platform. Nothing else may open the file: closing any descriptor of it in this
 * process would drop the lock (POSIX record locks).
 */
export function openFileLock(path: string): FileLock {
  const database = new DatabaseSync(path, { timeout: 0 });
  chmodSync(path, 0o600);
  return {
    tryAcquire() {
      try {
        database.exec('begin exclusive');
        return true;
      } catch (error) {
        if (error instanceof Error && 'errcode' in error && error.errcode === SQLITE_BUSY) return false;
        throw error;
      }
    },
    [Symbol.dispose]: () => database[Symbol.dispose](),
  };
}
