import { createAdaptorServer, type HttpBindings } from '@hono/node-server';

export type Listening = AsyncDisposable & {
  /** Stops taking connections, lets running requests finish for at most `ms`, then closes what is left. */
  close(ms: number): Promise<void>;
};

type Handler = (request: Request, peer?: string) => Response | Promise<Response>;

/**
 * Listens on every address that this machine has (localhost is 127.0.0.1 and, where there is IPv6, ::1).
 * Throws when the first one cannot be listened on.
 */
export async function listen(fetch: Handler, hosts: readonly string[], port: number): Promise<Listening> {
  const servers: ReturnType<typeof createAdaptorServer>[] = [];
  for (const [index, host] of hosts.entries()) {
    const server = createAdaptorServer({
      async fetch(request, env) {
        try {
          return await fetch(request, (env as HttpBindings).incoming.socket.remoteAddress);
        } catch {
          // The server's own answer would quote the error.
          return Response.json(
            { error: { code: 'internal', message: 'Something went wrong on our side.' } },
            { status: 500 },
          );
        }
      },
      overrideGlobalObjects: false,
    });
    const failure = await new Promise<Error | undefined>((done) => {
      // Stays after the start: an unheard error would end the process.
      server.on('error', done);
      server.listen(port, host, () => done(undefined));
    });
    if (!failure) servers.push(server);
    else if (index === 0) throw failure;
  }
  const close = async (ms: number) => {
    const closed = servers.map((server) => new Promise<void>((done) => server.close(() => done())));
    for (const server of servers) if ('closeIdleConnections' in server) server.closeIdleConnections();
    const timer = setTimeout(() => {
      for (const server of servers) if ('closeAllConnections' in server) server.closeAllConnections();
    }, ms);
    await Promise.all(closed);
    clearTimeout(timer);
  };
  return { close, [Symbol.asyncDispose]: () => close(0) };
}
