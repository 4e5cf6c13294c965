import { randomBytes } from 'node:crypto';
import { once } from 'node:events';
import { mkdtemp, rm } from 'node:fs/promises';
import type { IncomingMessage, Server } from 'node:http';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { createAdaptorServer } from '@hono/node-server';
import { createSandbox } from '../../src/sandbox/index.ts';

export type Call = {
  request: Request;
  /** e.g. `PUT /youtube/upload/youtube/v3/videos`. */
  name: string;
  /** Content-Range of a piece or probe. */
  range: string | null;
  /** Cuts the connection, so that no answer arrives. */
  hangUp(): Promise<Response>;
};

/** Stands before the sandbox: may answer itself, or do the work and lose the answer. */
export type Around = (call: Call, next: () => Promise<Response>) => Promise<Response>;

export type Video = { id: string; title: string; sha256: string; bytes: number };

export type Platform = AsyncDisposable & {
  origin: string;
  /** Name and range of every call so far. */
  calls: string[];
  around: Around | undefined;
  /** The sandbox's own clock. */
  now: () => number;
  videos(workspaceId: string): Promise<Video[]>;
};

/** The sandbox networks on a port of their own, with faults at the test's will; never restarted, never de-duplicating. */
export async function startPlatform(options: { processingMs?: number } = {}): Promise<Platform> {
  const dataDir = await mkdtemp(join(tmpdir(), 'pharlo-platform-'));
  const answer = { fetch: async (_request: Request, _socket: IncomingMessage['socket']) => new Response() };
  const server = createAdaptorServer({
    fetch: (request, env) => answer.fetch(request, (env as { incoming: IncomingMessage }).incoming.socket),
    overrideGlobalObjects: false,
  }) as Server;
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  const address = server.address();
  if (typeof address !== 'object' || address === null) throw new Error('No port.');
  const origin = `http://127.0.0.1:${address.port}`;
  const random = (bytes: number) => new Uint8Array(randomBytes(bytes));
  const sandbox = createSandbox({ processingMs: 0, ...options, origin, dataDir, now: () => platform.now(), random });
  const platform: Platform = {
    origin,
    calls: [],
    around: undefined,
    now: Date.now,
    async videos(workspaceId) {
      const url = `${origin}/youtube/_videos?client_id=pharlo-sandbox.${workspaceId}`;
      const response = await sandbox.fetch(new Request(url));
      return ((await response.json()) as { items: Video[] }).items;
    },
    async [Symbol.asyncDispose]() {
      server.closeAllConnections();
      server.close();
      await once(server, 'close');
      sandbox.dispose();
      await rm(dataDir, { recursive: true, force: true });
    },
  };
  answer.fetch = async (request, socket) => {
    const name = `${request.method} ${new URL(request.url).pathname}`;
    const range = request.headers.get('content-range');
    platform.calls.push(range === null ? name : `${name} ${range}`);
    const next = async () => sandbox.fetch(request);
    const hangUp = async () => {
      socket.destroy();
      return new Response(null, { status: 502 });
    };
    return platform.around ? platform.around({ request, name, range, hangUp }, next) : next();
  };
  return platform;
}

/** True for a PUT that carries the last bytes of a file. */
export function isLastPiece({ name, range }: Call): boolean {
  const [, last, total] = /^bytes \d+-(\d+)\/(\d+)$/.exec(range ?? '') ?? [];
  return name.startsWith('PUT ') && last !== undefined && Number(last) + 1 === Number(total);
}

/** True for the call that opens an upload session. */
export const isSessionStart = ({ name }: Call): boolean => name === 'POST /youtube/upload/youtube/v3/videos';
