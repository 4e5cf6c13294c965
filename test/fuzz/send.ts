import { once } from 'node:events';
import { Agent, type IncomingMessage, request } from 'node:http';
import { connect } from 'node:net';
import { toBytes, type Wire } from './wire.ts';

/** `closed`: the server ended the connection without an answer. `stream`: its first event was read, then we left. */
export type Answer = {
  status: number | 'closed' | 'stream' | 'late';
  headers: Headers;
  text: string;
  /** Sent past a client library, so that the HTTP parser itself may have answered. */
  raw: boolean;
};

export type Sender = Disposable & { send(wire: Wire): Promise<Answer> };

const noHeaders = new Headers();

/** Sends to one origin; an answer that takes longer than `deadlineMs` is `late`. */
export function createSender(origin: string, deadlineMs: number): Sender {
  const { hostname, port, host } = new URL(origin);
  const address = hostname === 'localhost' ? '127.0.0.1' : hostname;
  const agent = new Agent({ keepAlive: true, maxSockets: 16 });
  const target = { agent, hostname: address, port, host };
  return {
    async send(wire) {
      if (wire.bytes) return sendBytes(address, Number(port), toBytes(wire, host), deadlineMs);
      const sent = await sendPlain(target, wire, deadlineMs);
      return sent ?? sendBytes(address, Number(port), toBytes(wire, host), deadlineMs);
    },
    [Symbol.dispose]: () => agent.destroy(),
  };
}

type Target = { agent: Agent; hostname: string; port: string; host: string };

/** Undefined where Node's client refuses to send such a thing. */
async function sendPlain(target: Target, wire: Wire, deadlineMs: number, again = true): Promise<Answer | undefined> {
  const { agent, hostname, port, host } = target;
  const headers: Record<string, string> = { host, 'content-length': String(wire.body?.length ?? 0) };
  for (const [name, value] of wire.headers) headers[name] = value;
  const deadline = AbortSignal.timeout(deadlineMs);
  let outgoing: ReturnType<typeof request>;
  try {
    outgoing = request({ agent, hostname, port, method: wire.method, path: wire.path, headers, signal: deadline });
  } catch {
    return undefined;
  }
  try {
    outgoing.end(wire.body);
    const [incoming] = (await once(outgoing, 'response')) as [IncomingMessage];
    return await readAnswer(incoming);
  } catch {
    // A kept connection may have been closed for its idleness while this was on its way.
    if (outgoing.reusedSocket && again && !deadline.aborted) return sendPlain(target, wire, deadlineMs, false);
    return { status: deadline.aborted ? 'late' : 'closed', headers: noHeaders, text: '', raw: false };
  }
}

async function readAnswer(incoming: IncomingMessage): Promise<Answer> {
  const headers = new Headers();
  for (const [name, value] of Object.entries(incoming.headers)) headers.append(name, String(value));
  const streamed = headers.get('content-type')?.startsWith('text/event-stream');
  let text = '';
  for await (const chunk of incoming.setEncoding('utf8')) {
    text += chunk;
    // A subscription goes on for ever; every other stream ends with its answer.
    if (streamed && text.includes('notifications/subscriptions'))
      return { status: 'stream', headers, text, raw: false };
  }
  return { status: incoming.statusCode ?? 0, headers, text, raw: false };
}

/** Writes bytes, closes our half and reads until the server closes its own. */
async function sendBytes(host: string, port: number, bytes: Buffer, deadlineMs: number): Promise<Answer> {
  const socket = connect({ host, port, allowHalfOpen: true });
  const deadline = AbortSignal.timeout(deadlineMs);
  deadline.addEventListener('abort', () => socket.destroy(), { once: true });
  socket.end(bytes);
  const chunks: Buffer[] = [];
  try {
    for await (const chunk of socket) chunks.push(chunk);
  } catch {
    // A reset is an answer too.
  }
  socket.destroy();
  return parseBytes(Buffer.concat(chunks).toString(), deadline.aborted);
}

function parseBytes(text: string, late: boolean): Answer {
  const status = /^HTTP\/1\.1 (?:100 [^\r]*\r\n\r\nHTTP\/1\.1 )?(\d{3})/.exec(text)?.[1];
  if (status === undefined) return { status: late ? 'late' : 'closed', headers: noHeaders, text: '', raw: true };
  const headEnd = text.indexOf('\r\n\r\n');
  const headers = new Headers();
  for (const line of text.slice(0, headEnd).split('\r\n').slice(1)) {
    const [, name, value] = /^([\w-]+):\s*(.*)$/.exec(line) ?? [];
    if (name !== undefined && value !== undefined) headers.append(name, value);
  }
  // What is behind it answers what the parser took for the next request.
  const length = Number(headers.get('content-length') ?? Number.POSITIVE_INFINITY);
  const body = Buffer.from(text.slice(headEnd + 4))
    .subarray(0, length)
    .toString();
  return { status: late ? 'late' : Number(status), headers, text: body, raw: true };
}
