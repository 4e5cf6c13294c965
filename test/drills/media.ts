import { createHash } from 'node:crypto';
import { once } from 'node:events';
import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import { videoOf } from '../engine/media-server.ts';

export type MediaFile = { url: string; sha256: string; name: string };

export type MediaHost = AsyncDisposable & {
  /** host:port, for PHARLO_ALLOWED_PRIVATE_HOSTS. */
  host: string;
  /** A video whose content no other one has. */
  add(): MediaFile;
  /** From now on only its first bytes can be had, until it is healed. */
  spoil(file: MediaFile): void;
  heal(file: MediaFile): void;
};

const stampBytes = 8;

/** Serves as many different videos as asked for, `bytes` long each; `onAsked` hears of every request. */
export async function hostMedia(bytes: number, onAsked: () => void): Promise<MediaHost> {
  const common = videoOf(bytes).subarray(0, -stampBytes);
  const hashed = createHash('sha256').update(common);
  const spoiled = new Set<string>();
  const server = createServer((request, response) => {
    onAsked();
    const name = /^\/(\d+)\.mp4$/.exec(request.url ?? '')?.[1] ?? '';
    const [, from, to] = /^bytes=(\d+)-(\d*)$/.exec(request.headers.range ?? '') ?? [];
    if (name === '' || (spoiled.has(name) && !to)) return void response.writeHead(404).end();
    const [first, last] = [Number(from ?? 0), Math.min(bytes - 1, to ? Number(to) : bytes - 1)];
    const part = Buffer.concat([common, stampOf(name)]).subarray(first, last + 1);
    const range = from !== undefined && { 'content-range': `bytes ${first}-${last}/${bytes}` };
    response.writeHead(range ? 206 : 200, { 'content-length': part.length, ...range }).end(part);
  });
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  const host = `127.0.0.1:${(server.address() as AddressInfo).port}`;
  let count = 0;
  return {
    host,
    add() {
      count += 1;
      const name = String(count);
      const sha256 = hashed.copy().update(stampOf(name)).digest('hex');
      return { url: `http://${host}/${name}.mp4`, sha256, name };
    },
    spoil: ({ name }) => void spoiled.add(name),
    heal: ({ name }) => void spoiled.delete(name),
    async [Symbol.asyncDispose]() {
      server.closeAllConnections();
      server.close();
      await once(server, 'close');
    },
  };
}

function stampOf(name: string): Buffer {
  return Buffer.from(name.padStart(stampBytes, '0'));
}
