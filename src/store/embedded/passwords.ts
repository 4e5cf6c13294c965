import { closeSync, fsyncSync, openSync, readFileSync, renameSync, writeSync } from 'node:fs';
import { z } from 'zod';
import { hasCode } from './binaries.ts';

const password = z.string().regex(/^[\w-]{32}$/);
const passwordsSchema = z.object({ superuser: password, owner: password, app: password });

/** One password per role; base64url, so they need no quoting in SQL or in a URL. */
export type Passwords = z.infer<typeof passwordsSchema>;

/** The stored passwords, undefined when there are none yet. Throws a one-line error when they cannot be read. */
export function readPasswords(path: string): Passwords | undefined {
  try {
    return passwordsSchema.parse(JSON.parse(readFileSync(path, 'utf8')));
  } catch (cause) {
    if (hasCode(cause, 'ENOENT')) return undefined;
    throw new Error(`Cannot read the database passwords in ${path}: restore that file from a backup.`, { cause });
  }
}

/** Makes new passwords and stores them (0600), on disk before it returns. */
export function createPasswords(path: string, random: (bytes: number) => Uint8Array): Passwords {
  const create = () => Buffer.from(random(24)).toString('base64url');
  const passwords = { superuser: create(), owner: create(), app: create() };
  const draft = `${path}.new`;
  const file = openSync(draft, 'w', 0o600);
  try {
    writeSync(file, `${JSON.stringify(passwords, null, 2)}\n`);
    fsyncSync(file);
  } finally {
    closeSync(file);
  }
  renameSync(draft, path);
  return passwords;
}
