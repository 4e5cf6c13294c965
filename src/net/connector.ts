import { once } from 'node:events';
import net, { isIP, type LookupFunction, type Socket } from 'node:net';
import tls from 'node:tls';
import type { buildConnector } from 'undici';
import { isPublicAddress, mayBePublic, withoutBrackets } from './addresses.ts';
import { OutgoingError } from './errors.ts';

/** `origin` as `URL.origin` writes it, `hostname` without brackets. */
export type Target = { origin: string; hostname: string; port: number };

/** How far a dispatcher may go to a target: only to public addresses, to any address, or not at all. */
export type Reach = 'public' | 'any' | 'none';

export type ConnectorOptions = {
  reach: (target: Target) => Reach;
  lookup: LookupFunction;
  /** Limit for name, TCP and TLS together, ms. */
  connectMs: number;
};

/**
 * The connector of a dispatcher: every new socket passes here, so redirects, literals and DNS rebinding do too.
 * Node never calls `lookup` for literals, so those are judged before; what `lookup` answers is judged and is what gets
 * dialled; and the peer is judged once more before the first byte. Errors are OutgoingErrors with `sent: false`.
 */
export function createConnector(options: ConnectorOptions): buildConnector.connector {
  return (request, callback) => {
    openSocket(request, options).then(
      (socket) => callback(null, socket),
      (error: Error) => callback(error, null),
    );
  };
}

async function openSocket(request: buildConnector.Options, options: ConnectorOptions): Promise<Socket> {
  const secure = request.protocol === 'https:';
  const hostname = withoutBrackets(request.hostname);
  const port = request.port ? Number(request.port) : secure ? 443 : 80;
  const reach = options.reach({ origin: `${request.protocol}//${request.host}`, hostname, port });
  const guarded = reach === 'public';
  if (reach === 'none' || (guarded && !mayBePublic(hostname))) throw new OutgoingError('blocked_address');

  const socket = net.connect({
    host: hostname,
    port,
    lookup: guarded ? publicOnly(options.lookup) : options.lookup,
    autoSelectFamily: true,
    noDelay: true,
    keepAlive: true,
    keepAliveInitialDelay: 60_000,
  });
  let current: Socket = socket;
  const timer = setTimeout(() => current.destroy(new OutgoingError('timeout')), options.connectMs);
  try {
    await established(socket, 'connect');
    if (guarded && !isPublicAddress(socket.remoteAddress ?? '')) throw new OutgoingError('blocked_address');
    if (secure) {
      current = tls.connect({
        socket,
        host: hostname,
        ...(isIP(hostname) === 0 ? { servername: hostname } : {}),
        ALPNProtocols: ['http/1.1'],
        rejectUnauthorized: true,
      });
      await established(current, 'secureConnect');
    }
    return current;
  } catch (error) {
    current.destroy();
    socket.destroy();
    throw connectError(error, current !== socket);
  } finally {
    clearTimeout(timer);
  }
}

/** Resolves at the event. A listener for errors stays, since one may come before the client has put its own. */
async function established(socket: Socket, event: 'connect' | 'secureConnect'): Promise<void> {
  socket.on('error', () => {});
  await once(socket, event);
}

const LOST = new Set(['ECONNRESET', 'EPIPE', 'ETIMEDOUT']);

function connectError(error: unknown, handshake: boolean): OutgoingError {
  if (error instanceof OutgoingError) return error;
  const code = error instanceof Error && 'code' in error ? String(error.code) : '';
  return new OutgoingError(handshake && !LOST.has(code) ? 'tls' : 'unreachable');
}

/** A lookup that fails when any answer is not public: a mixed answer is an attack or a split network, never a CDN. */
function publicOnly(lookup: LookupFunction): LookupFunction {
  return (hostname, options, callback) => {
    lookup(hostname, { ...options, all: true }, (error, answer, answerFamily) => {
      if (error) return callback(error, []);
      const entries = typeof answer === 'string' ? [{ address: answer, family: answerFamily ?? isIP(answer) }] : answer;
      const checked = entries.map(({ address, family }) => ({ address, family }));
      const [first] = checked;
      if (!first || !checked.every(({ address }) => isPublicAddress(address))) {
        return callback(new OutgoingError('blocked_address'), []);
      }
      return options.all ? callback(null, checked) : callback(null, first.address, first.family);
    });
  };
}
