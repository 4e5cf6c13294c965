import { access, constants, stat, statfs } from 'node:fs/promises';
import { resolve } from 'node:path';
import type { Config } from '../../config.ts';
import { about, type Finding } from './finding.ts';

const mebibyte = 1024 * 1024;
const scarceBytes = 1024 * mebibyte;
const tooFewBytes = 200 * mebibyte;

/** The data folder: there, private, writable, with room left. */
export async function checkDataDir(config: Config): Promise<Finding[]> {
  const folder = about('data folder');
  const path = resolve(config.dataDir);
  const found = await stat(path).catch(() => undefined);
  if (!found) return [folder.warning(`${path} is not there yet: the first start makes it.`)];
  if (!found.isDirectory()) return [folder.failure(`${path} is not a folder: move it away or set PHARLO_DATA_DIR.`)];
  const usable = await access(path, constants.R_OK | constants.W_OK | constants.X_OK).then(
    () => true,
    () => false,
  );
  if (!usable) return [folder.failure(`${path} cannot be written: run as its owner.`)];
  const isOpen = (found.mode & 0o066) !== 0;
  const state = isOpen
    ? folder.warning(`${path} can be read or written by others: chmod 700 it (the next start does).`)
    : folder.ok(`${path} can be read and written by its owner only.`);
  return [state, await checkDisk(path)];
}

async function checkDisk(path: string): Promise<Finding> {
  const disk = about('disk');
  const { bavail, bsize } = await statfs(path);
  const free = bavail * bsize;
  const text = `${Math.floor(free / mebibyte)} MiB are free.`;
  if (free < tooFewBytes) return disk.failure(`${text} Make room: a full disk stops everything.`);
  return free < scarceBytes ? disk.warning(`${text} Make room soon.`) : disk.ok(text);
}
