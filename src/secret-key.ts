import { chmod, mkdir, readFile, rm, writeFile } from 'node:fs/promises';
import { join, resolve } from 'node:path';
import type { Random } from './domain/ids.ts';

/** Where the sealing key of an embedded store is kept, beside it. */
export function secretKeyFile(dataDir: string): string {
  return join(resolve(dataDir), 'secret.key');
}

/** The sealing key of an embedded store, made the first time; readable by its owner only. */
export async function ensureSecretKey(dataDir: string, random: Random): Promise<Uint8Array> {
  const made = random(32);
  await keepSecretKey(dataDir, made);
  const file = secretKeyFile(dataDir);
  await chmod(file, 0o600);
  return (await readSecretKey(dataDir)) ?? made;
}

/** The kept key, undefined when there is none. Throws when the file holds something else. */
export async function readSecretKey(dataDir: string): Promise<Uint8Array | undefined> {
  const file = secretKeyFile(dataDir);
  const text = await readFile(file, 'utf8').catch((error: unknown) => {
    if (hasCode(error, 'ENOENT')) return undefined;
    throw error;
  });
  if (text === undefined) return undefined;
  const key = Buffer.from(text, 'base64');
  if (key.length !== 32) throw new Error(`${file} must hold 32 bytes in base64.`);
  return key;
}

/** Keeps a key; one that is there already stays, and the answer is false. */
export async function keepSecretKey(dataDir: string, key: Uint8Array): Promise<boolean> {
  await mkdir(resolve(dataDir), { recursive: true, mode: 0o700 });
  try {
    await writeFile(secretKeyFile(dataDir), Buffer.from(key).toString('base64'), {
      flag: 'wx',
      mode: 0o600,
      flush: true,
    });
    return true;
  } catch (error) {
    if (hasCode(error, 'EEXIST')) return false;
    throw error;
  }
}

/** Takes away a key that nothing was sealed with. */
export async function dropSecretKey(dataDir: string): Promise<void> {
  await rm(secretKeyFile(dataDir), { force: true });
}

function hasCode(error: unknown, code: string): boolean {
  return error instanceof Error && 'code' in error && error.code === code;
}
