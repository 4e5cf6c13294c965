import { createHash } from 'node:crypto';
import { createReadStream, createWriteStream } from 'node:fs';
import { link, rename, rm, stat } from 'node:fs/promises';
import { pipeline } from 'node:stream/promises';
import { createGunzip, createGzip } from 'node:zlib';
import { type BackupHeader, backupFormat, parseHeader } from './header.ts';

/** Why a backup cannot be written or read; one line for the operator, without anything of what is in it. */
export class BackupError extends Error {}

/**
 * One line of a backup: a word, a space, JSON. First `pharlo-backup` with the header; then for each table `table` and one
 * `row` per row; last `end` with the number of rows and the SHA-256 of all that came before.
 */
export type BackupLine = { word: 'table' | 'row'; json: string };

/** Whole lines, and how many of them are rows. */
export type Lines = { text: string; rows: number };

const newline = 0x0a;
/** Longer than any row can be. */
const longestLine = 256 * 1024 * 1024;

export type Written = { bytes: number; rows: number };

/**
 * Writes a backup, readable by its owner only. The file is there once it is
 * complete and on disk, or not at all; one that is there already stays.
 */
export async function writeBackup(path: string, header: BackupHeader, lines: AsyncIterable<Lines>): Promise<Written> {
  if (await exists(path)) throw new BackupError(`${path} is there already: nothing is overwritten.`);
  const draft = `${path}.partial`;
  const count = { rows: 0 };
  try {
    const file = createWriteStream(draft, { flags: 'wx', mode: 0o600, flush: true });
    await pipeline(sealed(header, lines, count), createGzip({ level: 6 }), file);
  } catch (error) {
    if (codeOf(error) === 'EEXIST') {
      throw new BackupError(`${draft} is there: another backup is being written, or was cut off. Remove it.`);
    }
    await rm(draft, { force: true });
    throw readable(error, `Cannot write ${path}`);
  }
  try {
    await moveInto(draft, path);
    return { bytes: (await stat(path)).size, ...count };
  } catch (error) {
    throw readable(error, `Cannot write ${path}`);
  } finally {
    await rm(draft, { force: true });
  }
}

/** Unlike a rename, a link never replaces what somebody else has put there meanwhile; not every file system has links. */
async function moveInto(draft: string, path: string): Promise<void> {
  try {
    await link(draft, path);
  } catch (error) {
    if (!['EPERM', 'ENOTSUP', 'EOPNOTSUPP', 'ENOSYS'].includes(codeOf(error) ?? '') || (await exists(path)))
      throw error;
    await rename(draft, path);
  }
}

async function* sealed(
  header: BackupHeader,
  lines: AsyncIterable<Lines>,
  count: { rows: number },
): AsyncGenerator<Buffer> {
  const hash = createHash('sha256');
  const told = (text: string) => {
    const bytes = Buffer.from(text);
    hash.update(bytes);
    return bytes;
  };
  yield told(`pharlo-backup ${JSON.stringify(header)}\n`);
  for await (const { text, rows } of lines) {
    count.rows += rows;
    yield told(text);
  }
  yield Buffer.from(`end ${JSON.stringify({ rows: count.rows, sha256: hash.digest('hex') })}\n`);
}

/** The header of a backup that was read to its end and is whole. Throws BackupError. */
export async function inspectBackup(path: string): Promise<BackupHeader> {
  await using lines = readLines(path);
  const first = await lines.next();
  const header = first.done ? undefined : parseHeader(first.value.toString('utf8'));
  if (!header) throw new BackupError(`${path} is no backup of Pharlo.`);
  if (header.format > backupFormat) {
    throw new BackupError(`${path} was made by Pharlo ${header.pharlo}, which is newer: restore it with that version.`);
  }
  while (!(await lines.next()).done);
  return header;
}

/** The lines between header and end. Throws BackupError when the file is not whole. */
export async function* readBackup(path: string): AsyncGenerator<BackupLine> {
  await using lines = readLines(path);
  await lines.next();
  for await (const line of lines) {
    const word = isRow(line) ? 'row' : 'table';
    if (!line.subarray(0, word.length + 1).equals(Buffer.from(`${word} `))) throw damaged(path);
    yield { word, json: line.toString('utf8', word.length + 1) };
  }
}

const isRow = (line: Buffer) => line[0] === 0x72;

/** Every line but the last one, which is checked. */
async function* readLines(path: string): AsyncGenerator<Buffer, undefined> {
  const hash = createHash('sha256');
  let end: string | undefined;
  let rows = 0;
  for await (const line of splitLines(path)) {
    if (end !== undefined) throw damaged(path);
    if (line.subarray(0, 4).toString('latin1') === 'end ') {
      end = line.toString('utf8');
      continue;
    }
    hash.update(line);
    if (isRow(line)) rows += 1;
    yield line.subarray(0, -1);
  }
  if (end !== `end ${JSON.stringify({ rows, sha256: hash.digest('hex') })}\n`) throw damaged(path);
}

/** Lines with their newlines. */
async function* splitLines(path: string): AsyncGenerator<Buffer> {
  const file = createReadStream(path);
  const plain = createGunzip({ chunkSize: 256 * 1024 });
  const flow = pipeline(file, plain).catch(() => {});
  let rest: Buffer[] = [];
  let length = 0;
  try {
    for await (const chunk of plain as AsyncIterable<Buffer>) {
      let start = 0;
      for (let end = chunk.indexOf(newline) + 1; end > 0; end = chunk.indexOf(newline, start) + 1) {
        const line = chunk.subarray(start, end);
        yield rest.length > 0 ? Buffer.concat([...rest, line]) : line;
        rest = [];
        length = 0;
        start = end;
      }
      if (start === chunk.length) continue;
      rest.push(chunk.subarray(start));
      length += chunk.length - start;
      if (length > longestLine) throw damaged(path);
    }
  } catch (error) {
    if (error instanceof BackupError) throw error;
    throw codeOf(error)?.startsWith('Z_') ? damaged(path) : readable(error, `Cannot read ${path}`);
  } finally {
    file.destroy();
    plain.destroy();
    await flow;
  }
  if (length > 0) throw damaged(path);
}

function damaged(path: string): BackupError {
  return new BackupError(`${path} is cut or damaged: nothing was restored from it.`);
}

const reasons: Record<string, string> = {
  ENOENT: 'there is no such file or folder',
  EACCES: 'permission denied',
  EPERM: 'permission denied',
  EISDIR: 'it is a folder',
  ENOSPC: 'the disk is full',
  EROFS: 'the file system is read-only',
  EEXIST: 'it is there already and nothing is overwritten',
};

/** A failure of the file system in one line; every other one as it is. */
function readable(error: unknown, what: string): unknown {
  const reason = reasons[codeOf(error) ?? ''];
  return reason === undefined ? error : new BackupError(`${what}: ${reason}.`);
}

function codeOf(error: unknown): string | undefined {
  return error instanceof Error && 'code' in error && typeof error.code === 'string' ? error.code : undefined;
}

async function exists(path: string): Promise<boolean> {
  return (await stat(path).catch(() => undefined)) !== undefined;
}
