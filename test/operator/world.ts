import { randomBytes } from 'node:crypto';
import { join } from 'node:path';
import { type Ended, type Running, runCommand, startCommand, temporaryFolder } from '../command.ts';
import { createTestDatabase, type TestDatabase } from '../database.ts';
import { type MediaServer, serveMedia } from '../engine/media-server.ts';
import { type Platform, startPlatform } from '../engine/platform.ts';
import { freePort } from '../free-port.ts';
import { callRest, type RestAnswer } from '../harness.ts';

/** Where one Pharlo keeps everything; another one is another machine. */
export type Place = {
  environment: Record<string, string>;
  /** Undefined for the embedded store. */
  database?: TestDatabase;
  /** Starts the server and waits until it is up. */
  start(): Promise<Running>;
  run(...args: string[]): Promise<Ended>;
  /** Runs a command with --json that must succeed. */
  told(...args: string[]): Promise<Record<string, unknown>>;
  rest(method: string, path: string, body?: unknown): Promise<RestAnswer>;
  /** The key that `rest` calls with. */
  key: string;
};

export type World = AsyncDisposable & {
  folder: string;
  platform: Platform;
  media: MediaServer;
  place(store: 'embedded' | 'DATABASE_URL', environment?: Record<string, string>): Promise<Place>;
};

/** A sandbox platform and a media server that outlive every Pharlo, and a folder. */
export async function startWorld(): Promise<World> {
  await using stack = new AsyncDisposableStack();
  const { path: folder } = stack.use(await temporaryFolder());
  const media = stack.use(await serveMedia(1024 * 1024));
  const platform = stack.use(await startPlatform());
  const disposables = stack.move();
  const secretKey = randomBytes(32).toString('base64');
  let places = 0;
  return {
    folder,
    platform,
    media,
    async place(store, given = {}) {
      places += 1;
      const port = await freePort();
      const environment: Record<string, string> = {
        PORT: String(port),
        PHARLO_DATA_DIR: join(folder, `data-${places}`),
        PHARLO_SANDBOX_URL: platform.origin,
        PHARLO_ALLOWED_PRIVATE_HOSTS: media.host,
        PHARLO_LIMITS: 'api=1000000/s',
        ...given,
      };
      const database = store === 'embedded' ? undefined : disposables.use(await createTestDatabase());
      if (database) {
        environment.DATABASE_URL = database.url;
        environment.DATABASE_DIRECT_URL = database.ownerUrl;
        environment.PHARLO_SECRET_KEY ??= secretKey;
      }
      const run = (...args: string[]) => runCommand(args, environment);
      const place: Place = {
        environment,
        ...(database && { database }),
        key: '',
        run,
        async start() {
          const running = disposables.use(startCommand([], environment));
          await running.printed(/is running/);
          return running;
        },
        async told(...args) {
          const { code, stdout, stderr } = await run(...args, '--json');
          if (code !== 0) throw new Error(`${args.join(' ')}: ${stderr}`);
          return JSON.parse(stdout);
        },
        rest: (method, path, body) => callRest(`http://localhost:${port}`, place.key, method, path, body),
      };
      return place;
    },
    [Symbol.asyncDispose]: () => disposables.disposeAsync(),
  };
}

export async function stop(running: Running): Promise<void> {
  running.signal('SIGTERM');
  await running.ended;
}
