import type { LookupAddress } from 'node:dns';
import { createServer, type RequestListener, type Server } from 'node:http';
import { createServer as createSecureServer } from 'node:https';
import net, { type AddressInfo, isIP, type LookupFunction, type Socket, type TcpNetConnectOpts } from 'node:net';
import type { TestContext } from 'node:test';
import tls from 'node:tls';
import { createOutgoing, type Outgoing, type OutgoingOptions } from '../../src/net/outgoing.ts';
import { CERTIFICATE, KEY } from './certificate.ts';

/** Answers of a name server, one list per question; the last one is repeated. A single list always holds. */
export type Names = Record<string, string[] | string[][]>;

export type World = {
  /** Every address a socket was opened to. */
  dialled: string[];
  /** Every name that was asked for. */
  asked: string[];
  lookup: LookupFunction;
  /** What the one server of this world received: `METHOD host path`. */
  requests: string[];
  /** The port the server listens on; sockets to any port but 443 arrive there, those to 443 on its TLS twin. */
  port: number;
  outgoing(options?: Partial<OutgoingOptions>): Outgoing;
};

/**
 * An internet in which every address of every name and literal is one local server. So a guard that lets anything
 * through is seen, and a public address can be reached without leaving the machine. Sockets tell the address dialled.
 */
export async function createWorld(t: TestContext, names: Names, answer: RequestListener = ok): Promise<World> {
  const requests: string[] = [];
  const listener: RequestListener = (request, response) => {
    requests.push(`${request.method} ${request.headers.host} ${request.url}`);
    answer(request, response);
  };
  const port = await listen(t, createServer(listener));
  const securePort = await listen(t, createSecureServer({ cert: CERTIFICATE, key: KEY }, listener));
  const dialled: string[] = [];
  const asked: string[] = [];

  const connect = net.connect;
  t.mock.method(net, 'connect', (options: TcpNetConnectOpts & { host: string }): Socket => {
    let peer = options.host;
    const socket = connect({
      ...options,
      // A name that is never looked up elsewhere, so that Node asks the lookup below for literals too.
      host: 'local.invalid',
      port: options.port === 443 ? securePort : port,
      lookup: (_name, how, done) => {
        const arrive = (address: string) => {
          peer = address;
          dialled.push(address);
          if (how.all) done(null, [{ address: '127.0.0.1', family: 4 }]);
          else done(null, '127.0.0.1', 4);
        };
        if (isIP(options.host) !== 0) return arrive(options.host);
        options.lookup?.(options.host, { ...how, all: true }, (error, found) => {
          const [first] = found as LookupAddress[];
          if (error || !first) done(error, []);
          else arrive(first.address);
        });
      },
    });
    Object.defineProperty(socket, 'remoteAddress', { get: () => peer });
    return socket;
  });

  const lookup: LookupFunction = (name, _how, done) => {
    const times = asked.filter((one) => one === name).length;
    asked.push(name);
    const answers = names[name];
    const lists = (answers && Array.isArray(answers[0]) ? answers : answers ? [answers] : []) as string[][];
    const found = lists[Math.min(times, lists.length - 1)];
    if (found)
      done(
        null,
        found.map((address) => ({ address, family: isIP(address) })),
      );
    else done(Object.assign(new Error('secret upstream words'), { code: 'ENOTFOUND' }), []);
  };

  const outgoing = (options: Partial<OutgoingOptions> = {}) => {
    const created = createOutgoing({ allowedPrivateHosts: [], lookup, ...options });
    t.after(() => created[Symbol.asyncDispose]());
    return created;
  };
  return { dialled, asked, lookup, requests, port, outgoing };
}

/** Makes the world's certificate a trusted one for the rest of this process. */
export function trustWorld(): void {
  tls.setDefaultCACertificates([CERTIFICATE]);
}

/** Starts a server on a free loopback port and ends it, with all its sockets, after the test. */
export async function listen(t: TestContext, server: Server): Promise<number> {
  const { promise, resolve } = Promise.withResolvers<void>();
  server.listen(0, '127.0.0.1', resolve);
  await promise;
  t.after(() => {
    server.closeAllConnections();
    server.close();
  });
  return (server.address() as AddressInfo).port;
}

const ok: RequestListener = (_request, response) => response.end('ok');

/** The code of the OutgoingError a promise rejects with; fails when it does not reject with one. */
export async function codeOf(promise: Promise<unknown>): Promise<string> {
  try {
    await promise;
  } catch (error) {
    if (error instanceof Error && error.name === 'OutgoingError' && 'code' in error) return String(error.code);
    throw error;
  }
  throw new Error('did not reject');
}
