import { constants } from 'node:fs';
import { open } from 'node:fs/promises';
import { badRequest } from './errors.ts';

/** Every chunk but the last is a multiple of this. */
export const chunkUnit = 256 * 1024;
const checkpointBytes = 32 * 1024 * 1024;

export function wholeUnits(bytes: number): number {
  return bytes - (bytes % chunkUnit);
}

export type ContentRange =
  | { kind: 'probe'; total: number | undefined }
  | { kind: 'chunk'; first: number; last: number; total: number | undefined }
  | { kind: 'whole' };

/** Parses the Content-Range of an upload; without the header the body is the whole file. */
export function parseContentRange(header: string | undefined): ContentRange {
  if (header === undefined) return { kind: 'whole' };
  const match = /^bytes (?:(\d{1,15})-(\d{1,15})|\*)\/(\d{1,15}|\*)$/.exec(header.trim());
  if (!match) throw badRequest('badRequest', 'Failed to parse Content-Range header.');
  const total = match[3] === '*' ? undefined : Number(match[3]);
  if (match[1] === undefined) return { kind: 'probe', total };
  const [first, last] = [Number(match[1]), Number(match[2])];
  if (last < first || (total !== undefined && last >= total)) {
    throw badRequest('badRequest', 'Failed to parse Content-Range header.');
  }
  return { kind: 'chunk', first, last, total };
}

type Append = {
  path: string;
  body: ReadableStream<Uint8Array> | null;
  /** Offset in the file of the body's first byte; what lies before `kept` is skipped. */
  first: number;
  kept: number;
  /** Offset after the last byte the body may hold. */
  end: number;
  signal: AbortSignal;
  /** Called now and then with an offset up to which the bytes are on disk. */
  onSynced: (position: number) => void;
};
/** `offset` is where the body ended, `position` where the file does. */
export type Appended = { offset: number; position: number; ended: 'clean' | 'broken' | 'overlong' };

/** Writes the body behind the kept bytes, with constant memory; on return everything before `position` is on disk. */
export async function appendBody(options: Append): Promise<Appended> {
  const { body, end, signal, onSynced } = options;
  await using file = await open(options.path, constants.O_RDWR | constants.O_CREAT, 0o600);
  let offset = options.first;
  let position = options.kept;
  let synced = position;
  let ended: Appended['ended'] = 'clean';
  const reader = body?.getReader();
  const stop = () => void reader?.cancel().catch(() => {});
  signal.addEventListener('abort', stop);
  try {
    while (reader) {
      const piece = await reader.read().catch(() => undefined);
      if (!piece || (piece.done && signal.aborted)) ended = 'broken';
      if (!piece || piece.done) break;
      if (offset + piece.value.byteLength > end) {
        ended = 'overlong';
        stop();
        break;
      }
      const fresh = piece.value.subarray(Math.min(piece.value.byteLength, Math.max(0, position - offset)));
      for (let written = 0; written < fresh.byteLength; ) {
        written += (await file.write(fresh, written, fresh.byteLength - written, position + written)).bytesWritten;
      }
      offset += piece.value.byteLength;
      position += fresh.byteLength;
      if (position - synced < checkpointBytes) continue;
      await file.datasync();
      synced = position;
      onSynced(position);
    }
  } finally {
    signal.removeEventListener('abort', stop);
  }
  await file.truncate(position);
  await file.sync();
  return { offset, position, ended };
}

/** Reads the body to its end and keeps nothing. */
export async function discard(body: ReadableStream<Uint8Array> | null): Promise<void> {
  await body?.pipeTo(new WritableStream()).catch(() => {});
}
