import { createHash } from 'node:crypto';
import { once } from 'node:events';
import { readFileSync } from 'node:fs';
import { createServer, type IncomingMessage, type ServerResponse } from 'node:http';

const sample = readFileSync(new URL('../../src/sandbox/assets/sample.mp4', import.meta.url));

/** A playable video of exactly `bytes` bytes: the sample and a `free` box whose content differs everywhere. */
export function videoOf(bytes: number): Buffer {
  const file = Buffer.alloc(bytes);
  for (let at = 0; at + 4 <= bytes; at += 4) file.writeUInt32LE((at * 2_654_435_761) >>> 0, at);
  sample.copy(file);
  file.writeUInt32BE(bytes - sample.length, sample.length);
  file.write('free', sample.length + 4, 'latin1');
  return file;
}

export type MediaServer = AsyncDisposable & {
  /** host:port, for PHARLO_ALLOWED_PRIVATE_HOSTS. */
  host: string;
  url: string;
  /** The file that is served; replace it to change the media. */
  file: Buffer;
  sha256: string;
  /** First byte of each range asked for, in order; the probe's first bytes included. */
  starts: number[];
  /** Holds back every byte from this offset on until it is raised. */
  gate: number;
  /** Answers this status instead of the file, if set. */
  status: number | undefined;
  /** What becomes of a Range: `ignored` answers the whole file, `wrong` another part than was asked for. */
  ranges: 'honest' | 'ignored' | 'wrong';
  /** Sent as ETag, if set. */
  etag: string | undefined;
  /** The If-Range of each request that had one. */
  conditions: string[];
  /** Cuts the connection at this offset, once. */
  breakAt: number | undefined;
  /** Resolves once a reader stands at the closed gate. */
  reached(): Promise<void>;
  /** Opens the gate wide. */
  open(): void;
};

const pieceBytes = 64 * 1024;

/** Serves one file on loopback with ranges; the test decides how far a reader gets. */
export async function serveMedia(bytes: number): Promise<MediaServer> {
  const file = videoOf(bytes);
  const server = createServer();
  let waiting = Promise.withResolvers<void>();
  let opened = Promise.withResolvers<void>();
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  const address = server.address();
  if (typeof address !== 'object' || address === null) throw new Error('No port.');
  const host = `127.0.0.1:${address.port}`;
  const media: MediaServer = {
    host,
    url: `http://${host}/video.mp4`,
    file,
    sha256: createHash('sha256').update(file).digest('hex'),
    starts: [],
    gate: Number.POSITIVE_INFINITY,
    status: undefined,
    ranges: 'honest',
    etag: undefined,
    conditions: [],
    breakAt: undefined,
    reached: () => waiting.promise,
    open() {
      media.gate = Number.POSITIVE_INFINITY;
      waiting = Promise.withResolvers<void>();
      opened.resolve();
      opened = Promise.withResolvers<void>();
    },
    async [Symbol.asyncDispose]() {
      server.closeAllConnections();
      server.close();
      await once(server, 'close');
    },
  };
  server.on('request', (request, response) => {
    serve(request, response).catch(() => response.destroy());
  });

  async function serve(request: IncomingMessage, response: ServerResponse): Promise<void> {
    const closed = once(response, 'close');
    if (media.status !== undefined) return void response.writeHead(media.status).end();
    const asked = /^bytes=(\d+)-(\d*)$/.exec(request.headers.range ?? '');
    const condition = request.headers['if-range'];
    if (typeof condition === 'string') media.conditions.push(condition);
    const stale = condition !== undefined && condition !== media.etag;
    const range = media.ranges === 'ignored' || stale ? null : asked;
    const first = media.ranges === 'wrong' ? 0 : Number(range?.[1] ?? 0);
    const last = Math.min(media.file.length - 1, range?.[2] ? Number(range[2]) : Number.POSITIVE_INFINITY);
    media.starts.push(first);
    const length = String(last + 1 - first);
    const contentRange = { 'Content-Range': `bytes ${first}-${last}/${media.file.length}` };
    const tag = media.etag === undefined ? {} : { ETag: media.etag };
    response.writeHead(range ? 206 : 200, { 'Content-Length': length, ...tag, ...(range && contentRange) });
    for (let at = first; at <= last; ) {
      if (at >= media.gate) {
        const pass = opened.promise;
        waiting.resolve();
        await Promise.race([pass, closed]);
      }
      if (response.destroyed) return;
      if (media.breakAt !== undefined && at >= media.breakAt) {
        media.breakAt = undefined;
        return void response.destroy();
      }
      const end = Math.min(last + 1, at + pieceBytes, at < media.gate ? media.gate : Number.POSITIVE_INFINITY);
      if (!response.write(media.file.subarray(at, end))) await Promise.race([once(response, 'drain'), closed]);
      at = end;
    }
    response.end();
  }
  return media;
}
