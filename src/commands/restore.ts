import { resolve } from 'node:path';
import { parseArgs } from 'node:util';
import type { Config } from '../config.ts';
import { dropSecretKey, keepSecretKey, readSecretKey, secretKeyFile } from '../secret-key.ts';
import { inspectBackup } from '../store/backup/file.ts';
import { type BackupHeader, sealedFor } from '../store/backup/header.ts';
import { type Restored, restoreBackup } from '../store/backup/load.ts';
import { migrate } from '../store/migrate.ts';
import { createVault } from '../vault.ts';
import { asUsage } from './backup.ts';
import { type Command, type Io, UsageError } from './command.ts';

/** `pharlo restore`: loads a backup into a store that was never used, all of it or nothing. */
export const restoreCommand: Command = {
  name: 'restore',
  usage: ['restore <file> [--publish-overdue] [--json]'],
  async run(args, io, config) {
    const { values, positionals } = parseArgs({
      args,
      allowPositionals: true,
      options: { 'publish-overdue': { type: 'boolean', default: false }, json: { type: 'boolean', default: false } },
    });
    const [name] = positionals;
    if (name === undefined || positionals.length > 1) throw new UsageError();
    const file = resolve(name);
    const header = await asUsage(() => inspectBackup(file));
    const key = await keyFor(io, config, header);
    const restored = await load(io, config, { file, header, key }, values['publish-overdue']);
    const { takenAt } = header;
    if (values.json) return io.out(JSON.stringify({ file, takenAt, ...restored }));
    io.out(`Restored ${restored.rows} rows of ${restored.tables} tables, as they were at ${takenAt}.`);
    tellJobs(io, restored);
  },
};

function tellJobs(io: Io, { inDoubt, missed, publishedNow }: Restored): void {
  if (inDoubt > 0) {
    io.out(
      `Assignments that may have been published after the backup: ${inDoubt}. Pharlo looks for their posts at the next ` +
        'start; those it does not find end as failed / outcome_unknown and are not posted.',
    );
  }
  if (missed > 0) {
    io.out(`Assignments due more than a day ago: ${missed}. They end as failed / schedule_missed at the next start.`);
  }
  if (publishedNow > 0) io.out(`Overdue assignments: ${publishedNow}. They are published at the next start.`);
}

/** The key to keep beside the store; undefined when it is there already or comes from the settings. */
type Key = Uint8Array | undefined;

/** Makes sure that what is restored can be opened again. Throws UsageError. */
async function keyFor(io: Io, config: Config, { secretKey, sealed, takenAt }: BackupHeader): Promise<Key> {
  const own = secretKey === undefined ? undefined : Buffer.from(secretKey, 'base64');
  const opens = (keys: readonly Uint8Array[]) =>
    createVault(keys, io.random).open(sealedFor, Buffer.from(sealed, 'base64')) === takenAt;
  if (config.secretKeys) {
    if (opens(config.secretKeys)) return undefined;
    throw new UsageError('PHARLO_SECRET_KEY is not the key of this backup, nor is PHARLO_SECRET_KEY_PREVIOUS.');
  }
  const file = secretKeyFile(config.dataDir);
  const kept = await readSecretKey(config.dataDir);
  if (kept) {
    if (opens([kept])) return undefined;
    throw new UsageError(
      `${file} is not the key of this backup: put the right one there${own ? ', or remove it' : ''}.`,
    );
  }
  if (!own) {
    throw new UsageError(`The backup holds no secret key: put the secret.key of the old data folder at ${file} first.`);
  }
  if (own.length === 32 && opens([own])) return own;
  throw new UsageError('The key in the backup does not open it.');
}

type Source = { file: string; header: BackupHeader; key: Key };

async function load(io: Io, config: Config, { file, header, key }: Source, publishOverdue: boolean): Promise<Restored> {
  await using server = await io.openServer(config);
  if (server.workers === 'none') throw new UsageError('Pharlo is running on this data folder: stop it first.');
  const { ownerUrl, appRole } = server;
  await migrate(ownerUrl, { ...(appRole !== undefined && { appRole }) });
  // Before the rows, so that no start can make another key for them.
  const wrote = key !== undefined && (await keepSecretKey(config.dataDir, key));
  try {
    return await asUsage(() => restoreBackup(ownerUrl, file, header, { publishOverdue }));
  } catch (error) {
    if (wrote) await dropSecretKey(config.dataDir);
    throw error;
  }
}
