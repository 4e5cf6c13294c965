import { spawn } from 'node:child_process';
import { randomBytes } from 'node:crypto';
import { once } from 'node:events';
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { openServer } from '../../src/store/open.ts';
import { connectChannel } from '../engine/rig.ts';
import { freePort } from '../free-port.ts';
import { callRest } from '../harness.ts';
import { makeKey } from '../kill/pharlo.ts';
import { type Receiver, startReceiver } from '../webhooks/receiver.ts';
import { type Client, startClient } from './client.ts';
import { type Eyes, openEyes } from './eyes.ts';
import { hostMedia, type MediaHost } from './media.ts';
import { type Relay, startRelay } from './relay.ts';
import { type Replica, replicaOf } from './replica.ts';
import type { Video } from './verdict.ts';

/** Where Pharlo keeps its rows: its own PostgreSQL, or one that is there already. */
export type DrillStore = {
  databaseUrl?: string;
  databaseDirectUrl?: string;
  /** Moves the database's clock forward; where it can, nothing is waited for. */
  advance?: (ms: number) => Promise<void>;
};

export type SceneOptions = { store: DrillStore; replicas: number; mediaBytes: number; processingMs: number };

export type Scene = AsyncDisposable & {
  replicas: readonly Replica[];
  relay: Relay;
  media: MediaHost;
  receiver: Receiver;
  client: Client;
  eyes: Eyes;
  channels: readonly string[];
  /** What Pharlo wrote to stderr. */
  log: string;
  videos(): Promise<Video[]>;
};

const plans = [{ slug: 'drill', name: 'Drill', monthlyCredits: 10_000_000 }];

/** Everybody who takes part, each where it belongs; `onEvent` hears of whatever happens between them. */
export async function startScene(options: SceneOptions, onEvent: () => void): Promise<Scene> {
  await using stack = new AsyncDisposableStack();
  const folder = await mkdtemp(join(tmpdir(), 'pharlo-drill-'));
  stack.defer(() => rm(folder, { recursive: true, force: true, maxRetries: 10, retryDelay: 100 }));
  const media = stack.use(await hostMedia(options.mediaBytes, onEvent));
  const receiver = stack.use(await startReceiver());
  const relay = stack.use(await startRelay());
  relay.target = await freePort();
  stack.use(await startPlatformProcess(relay, join(folder, 'platform'), options.processingMs));

  const { databaseUrl, databaseDirectUrl } = options.store;
  const ports = [];
  for (let count = 0; count < options.replicas; count++) ports.push(await freePort());
  const publicUrl = `http://localhost:${ports[0]}`;
  const dataDir = join(folder, 'pharlo');
  const environment = {
    PATH: process.env.PATH ?? '',
    PORT: String(ports[0]),
    PHARLO_PUBLIC_URL: publicUrl,
    PHARLO_TRUSTED_PROXIES: '127.0.0.0/8',
    PHARLO_DATA_DIR: dataDir,
    PHARLO_SANDBOX_URL: relay.origin,
    PHARLO_ALLOWED_PRIVATE_HOSTS: `${media.host},${new URL(receiver.url).host}`,
    PHARLO_SECRET_KEY: randomBytes(32).toString('base64'),
    PHARLO_PLANS: JSON.stringify(plans),
    PHARLO_DEFAULT_PLAN: 'drill',
    PHARLO_LIMITS: 'api=1000000/s',
    ...(databaseUrl && { DATABASE_URL: databaseUrl }),
    ...(databaseDirectUrl && { DATABASE_DIRECT_URL: databaseDirectUrl }),
  };
  const log = join(folder, 'pharlo.log');
  const replicas = ports.map((port) => replicaOf(environment, port, log));
  for (const replica of replicas) {
    stack.defer(() => replica.end('SIGTERM'));
    if ((await replica.start()) === undefined) throw new Error('Pharlo did not start.');
  }
  const key = await makeKey(environment);
  const rest: Parameters<typeof connectChannel>[0]['rest'] = (method, path, body) =>
    callRest(publicUrl, key, method, path, body);
  const channels = [await connectChannel({ rest }, 0), await connectChannel({ rest }, 1)];
  const eyes = openEyes(databaseUrl ?? (await embeddedUrl(dataDir)));
  const client = await startClient(publicUrl, key, replicas, onEvent);
  const clientId = `pharlo-sandbox.${await eyes.workspaceId()}`;
  const disposables = stack.move();
  return {
    replicas,
    relay,
    media,
    receiver,
    client,
    eyes,
    channels,
    log,
    async videos() {
      const response = await fetch(`http://127.0.0.1:${relay.target}/youtube/_videos?client_id=${clientId}`);
      return ((await response.json()) as { items: Video[] }).items;
    },
    [Symbol.asyncDispose]: () => disposables.disposeAsync(),
  };
}

/** The address of a running Pharlo's own database. */
async function embeddedUrl(dataDir: string): Promise<string> {
  const none = { databaseUrl: undefined, databaseDirectUrl: undefined };
  await using server = await openServer({ ...none, dataDir, random: randomBytes });
  return server.url;
}

async function startPlatformProcess(relay: Relay, folder: string, processingMs: number): Promise<AsyncDisposable> {
  const script = join(import.meta.dirname, 'platform-process.ts');
  const args = [script, String(relay.target), relay.origin, folder, String(processingMs)];
  const child = spawn(process.execPath, args, { stdio: ['pipe', 'pipe', 'inherit'] });
  const exited = once(child, 'exit');
  await Promise.race([once(child.stdout, 'data'), exited.then(() => Promise.reject(new Error('No platform.')))]);
  return {
    async [Symbol.asyncDispose]() {
      child.stdin.end();
      await exited;
    },
  };
}
