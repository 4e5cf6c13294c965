import { resolve } from 'node:path';
import { parseArgs } from 'node:util';
import { pharloVersion } from '../runtime.ts';
import { readSecretKey, secretKeyFile } from '../secret-key.ts';
import { openSnapshot } from '../store/backup/dump.ts';
import { BackupError, writeBackup } from '../store/backup/file.ts';
import { backupFormat, sealedFor } from '../store/backup/header.ts';
import { type Command, UsageError } from './command.ts';

/** `pharlo backup`: one moment of the store as one file, with or without a running server. */
export const backupCommand: Command = {
  name: 'backup',
  usage: ['backup <file> [--with-key] [--json]'],
  async run(args, io, config) {
    const { values, positionals } = parseArgs({
      args,
      allowPositionals: true,
      options: { 'with-key': { type: 'boolean', default: false }, json: { type: 'boolean', default: false } },
    });
    const [name] = positionals;
    if (name === undefined || positionals.length > 1) throw new UsageError();
    const withKey = values['with-key'];
    if (withKey && config.secretKeys) {
      throw new UsageError('--with-key is for a key that Pharlo keeps itself; yours is PHARLO_SECRET_KEY.');
    }
    const file = resolve(name);
    await using opened = await io.openStore(config);
    await using snapshot = await openSnapshot(opened.store.db);
    const key = withKey ? await readSecretKey(config.dataDir) : undefined;
    const takenAt = new Date(opened.now()).toISOString();
    const header = {
      format: backupFormat,
      pharlo: pharloVersion(),
      takenAt,
      migrations: snapshot.migrations,
      sealed: opened.vault.seal(sealedFor, takenAt).toString('base64'),
      ...(key && { secretKey: Buffer.from(key).toString('base64') }),
    };
    const { bytes, rows } = await asUsage(() => writeBackup(file, header, snapshot.lines()));
    const tables = snapshot.tables.length;
    if (values.json) return io.out(JSON.stringify({ file, takenAt, tables, rows, bytes, hasKey: withKey }));
    io.out(`Wrote ${file}: ${rows} rows of ${tables} tables, ${bytes} bytes.`);
    const kept = config.secretKeys ? 'PHARLO_SECRET_KEY' : secretKeyFile(config.dataDir);
    io.out(
      withKey
        ? 'The secret key is in it: whoever has this file can use every connected channel. Keep it like a password.'
        : `The secret key is NOT in it: keep ${kept} too, elsewhere. Without that key no channel can be used again.`,
    );
  },
};

/** What is wrong with a backup is told as it is. */
export async function asUsage<T>(work: () => Promise<T>): Promise<T> {
  try {
    return await work();
  } catch (error) {
    if (error instanceof BackupError) throw new UsageError(error.message);
    throw error;
  }
}
