import { randomBytes } from 'node:crypto';
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { type App, createApp, type World } from '../src/app.ts';
import { makeKey } from '../src/commands/keys.ts';
import { readConfig } from '../src/config.ts';
import { listen } from '../src/serve.ts';
import { findWorkspace } from '../src/store/workspaces.ts';
import { createTestDatabase } from './database.ts';
import { freePort } from './free-port.ts';

export type Harness = AsyncDisposable & {
  app: App;
  /** The product's origin, e.g. http://localhost:40000. */
  url: string;
  /** The sandbox's origin on the same port. */
  sandboxUrl: string;
  /** A key for the whole default workspace. */
  key: string;
  workspaceId: string;
  /** What the configuration was read from. */
  environment: Record<string, string>;
  /** Every log line so far. */
  logs: string[];
  /** Moves the clocks of the process and of the database forward. */
  advance(ms: number): Promise<void>;
  /** A REST call with the key; `path` is below /api/v1. */
  rest(method: string, path: string, body?: unknown, headers?: Record<string, string>): Promise<RestAnswer>;
  /** Another key of the default workspace. */
  newKey(options?: { scopes?: string[]; organizationId?: string; spendingLimit?: number }): Promise<string>;
};

export type RestAnswer = { status: number; headers: Headers; body: Record<string, unknown> };

/** Pharlo as it runs, on a port of its own and a fresh database; workers run only when asked for. */
export async function startHarness(
  options: { environment?: Record<string, string>; world?: Partial<World>; work?: boolean } = {},
): Promise<Harness> {
  const stack = new AsyncDisposableStack();
  const database = stack.use(await createTestDatabase());
  const dataDir = await mkdtemp(join(tmpdir(), 'pharlo-harness-'));
  stack.defer(() => rm(dataDir, { recursive: true, force: true }));
  const port = await freePort();
  const environment = {
    PORT: String(port),
    PHARLO_DATA_DIR: dataDir,
    DATABASE_URL: database.url,
    DATABASE_DIRECT_URL: database.ownerUrl,
    PHARLO_SECRET_KEY: randomBytes(32).toString('base64'),
    PHARLO_LIMITS: 'api=1000000/s',
    ...options.environment,
  };
  const config = readConfig(environment);
  const logs: string[] = [];
  let offset = 0;
  const app = stack.use(
    await createApp(config, { now: () => Date.now() + offset, write: (line) => logs.push(line), ...options.world }),
  );
  stack.use(await listen(app.fetch, ['127.0.0.1'], port));
  if (options.work) {
    const engine = await app.work();
    stack.defer(() => engine.stop());
  }
  const workspace = await findWorkspace(app.deps.db, 'default');
  if (!workspace) throw new Error('There is no default workspace.');
  const newKey: Harness['newKey'] = async (given = {}) =>
    (await makeKey(app.deps, { workspaceId: workspace.id, name: 'Test', ...given })).key;
  const key = await newKey();
  const url = config.publicUrl;
  const disposables = stack.move();
  return {
    app,
    url,
    sandboxUrl: config.sandboxUrl ?? '',
    key,
    workspaceId: workspace.id,
    environment,
    logs,
    async advance(ms) {
      offset += ms;
      await database.setClockOffset(offset);
    },
    rest: (method, path, body, headers) => callRest(url, key, method, path, body, headers),
    newKey,
    [Symbol.asyncDispose]: () => disposables.disposeAsync(),
  };
}

/** A REST call as a key; `path` is below /api/v1. */
export async function callRest(
  url: string,
  key: string,
  method: string,
  path: string,
  body?: unknown,
  headers: Record<string, string> = {},
): Promise<RestAnswer> {
  const response = await fetch(`${url}/api/v1${path}`, {
    method,
    headers: {
      authorization: `Bearer ${key}`,
      ...(body !== undefined && { 'content-type': 'application/json' }),
      ...headers,
    },
    ...(body !== undefined && { body: typeof body === 'string' ? body : JSON.stringify(body) }),
  });
  const text = await response.text();
  return { status: response.status, headers: response.headers, body: text ? JSON.parse(text) : {} };
}
