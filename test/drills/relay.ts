import { once } from 'node:events';
import { Agent, createServer, request as httpRequest, type IncomingHttpHeaders, type IncomingMessage } from 'node:http';
import type { AddressInfo } from 'node:net';
import { buffer } from 'node:stream/consumers';

export type PlatformCall = {
  kind: 'session start' | 'piece' | 'last piece' | 'probe' | 'other';
  /** Whose upload it is. */
  assignmentId: string | undefined;
  /** The caller's end of the connection. */
  fromPort: number;
};

export type Answer = {
  status: number;
  headers: IncomingHttpHeaders;
  body: Buffer;
  /** Called once the answer has left for the caller. */
  left?: () => void;
};

/** May answer itself, hold the call, or do the work and lose the answer. */
export type Around = (call: PlatformCall, forward: () => Promise<Answer>) => Promise<Answer | 'hang up'>;

export type Relay = AsyncDisposable & {
  origin: string;
  /** Where the platform listens. */
  target: number;
  around: Around | undefined;
  /** Sessions the platform knows nothing of any more, once they have made their video. */
  forgetful: (assignmentId: string) => boolean;
};

/** Stands between Pharlo and the platform; bytes are passed on as they come. */
export async function startRelay(): Promise<Relay> {
  const agent = new Agent({ keepAlive: false });
  const owners = new Map<string, string>();
  const completed = new Set<string>();
  const server = createServer((request, response) => {
    const { kind, uploadId } = kindOf(request);
    const slug = /^pharlo-(.+)$/.exec(String(request.headers.slug ?? ''))?.[1];
    const assignmentId = slug ?? owners.get(uploadId ?? '');
    const call: PlatformCall = { kind, assignmentId, fromPort: request.socket.remotePort ?? 0 };
    const forward = async () => {
      if (uploadId !== undefined && completed.has(uploadId)) return refusal(404);
      const answer = await pass(request, relay.target, agent);
      const opened = uploadIdOf(String(answer.headers.location ?? ''));
      if (slug !== undefined && opened !== undefined) owners.set(opened, slug);
      if (uploadId !== undefined && answer.status < 300 && assignmentId && relay.forgetful(assignmentId))
        completed.add(uploadId);
      return answer;
    };
    const answered = relay.around ? relay.around(call, forward) : forward();
    answered.then(
      (answer) => {
        if (answer === 'hang up') return request.socket.destroy();
        const { 'transfer-encoding': _, connection: __, ...headers } = answer.headers;
        response.writeHead(answer.status, headers).end(answer.body, answer.left);
        request.resume();
      },
      () => request.socket.destroy(),
    );
  });
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  const relay: Relay = {
    origin: `http://127.0.0.1:${(server.address() as AddressInfo).port}`,
    target: 0,
    around: undefined,
    forgetful: () => false,
    async [Symbol.asyncDispose]() {
      server.closeAllConnections();
      server.close();
      await once(server, 'close');
      agent.destroy();
    },
  };
  return relay;
}

/** An answer in the platform's own form. */
export function refusal(status: number): Answer {
  const body = Buffer.from(JSON.stringify({ error: { code: status, message: 'No.', errors: [] } }));
  return { status, headers: { 'content-type': 'application/json' }, body };
}

function kindOf({ method, url = '', headers }: IncomingMessage): Pick<PlatformCall, 'kind'> & { uploadId?: string } {
  if (!url.startsWith('/youtube/upload/')) return { kind: 'other' };
  if (method === 'POST') return { kind: 'session start' };
  const uploadId = uploadIdOf(url) ?? '';
  const [, last, total] = /^bytes \d+-(\d+)\/(\d+|\*)$/.exec(headers['content-range'] ?? '') ?? [];
  if (last === undefined) return { kind: 'probe', uploadId };
  return { kind: Number(last) + 1 === Number(total) ? 'last piece' : 'piece', uploadId };
}

function uploadIdOf(url: string): string | undefined {
  return URL.parse(url, 'http://127.0.0.1')?.searchParams.get('upload_id') ?? undefined;
}

function pass(request: IncomingMessage, port: number, agent: Agent): Promise<Answer> {
  const { promise, resolve, reject } = Promise.withResolvers<Answer>();
  const { method, url: path, headers } = request;
  const onward = httpRequest({ host: '127.0.0.1', port, method, path, headers, agent }, (response) => {
    const { statusCode: status = 502, headers } = response;
    buffer(response).then((body) => resolve({ status, headers, body }), reject);
  });
  onward.once('error', reject);
  // What a killed process was sending ends where it was killed.
  request.once('error', (error) => onward.destroy(error));
  request.pipe(onward);
  return promise;
}
