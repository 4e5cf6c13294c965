import { createServer, request } from 'node:http';
import { freePort } from '../free-port.ts';

export type Proxy = AsyncDisposable & { origin: string };

/**
 * A loopback proxy in front of `target` that adds the bearer token, which the conformance tool cannot send.
 * It presents the target's name where a client names the proxy; every other Host and Origin passes unchanged.
 */
export async function startProxy(target: string, token: string): Promise<Proxy> {
  const port = await freePort();
  const own = `localhost:${port}`;
  const { host, port: targetPort } = new URL(target);
  const server = createServer((incoming, answer) => {
    const headers = { ...incoming.headers, authorization: `Bearer ${token}` };
    if (headers.host === own) headers.host = host;
    if (headers.origin === `http://${own}`) headers.origin = `http://${host}`;
    const { method, url: path } = incoming;
    const onward = request({ host: '127.0.0.1', port: targetPort, method, path, headers }, (received) => {
      answer.writeHead(received.statusCode ?? 502, received.headers);
      received.pipe(answer);
      received.once('error', () => answer.destroy());
    });
    onward.once('error', () => answer.destroy());
    answer.once('close', () => onward.destroy());
    incoming.pipe(onward);
  });
  await new Promise<void>((done) => server.listen(port, '127.0.0.1', done));
  return {
    origin: `http://${own}`,
    async [Symbol.asyncDispose]() {
      const closed = new Promise((done) => server.close(done));
      server.closeAllConnections();
      await closed;
    },
  };
}
