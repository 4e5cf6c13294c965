import { randomBytes } from 'node:crypto';
import { join, resolve } from 'node:path';
import { Hono } from 'hono';
import { routePath } from 'hono/route';
import type { Io, OpenedStore } from './commands/command.ts';
import { type Config, ConfigError } from './config.ts';
import type { Deps, JobKind } from './deps.ts';
import { DomainError } from './domain/errors.ts';
import { newId, type Random } from './domain/ids.ts';
import type { HttpEnv } from './http.ts';
import { type Engine, startEngine } from './jobs/engine.ts';
import { jobKinds } from './jobs/index.ts';
import { createLog } from './log.ts';
import { createOutgoing, type OutgoingOptions } from './net/outgoing.ts';
import { oauthRoutes } from './oauth/index.ts';
import { createPlatforms } from './platforms/index.ts';
import { createSandbox } from './sandbox/index.ts';
import { ensureSecretKey } from './secret-key.ts';
import { openServer, openStore } from './store/open.ts';
import { takeOverLeases } from './store/publish-jobs.ts';
import { findWorkspace, insertWorkspace } from './store/workspaces.ts';
import { type Catalog, createCatalog } from './surfaces/catalog.ts';
import { connectRoutes } from './surfaces/connect.ts';
import { documentRoutes } from './surfaces/documents.ts';
import { errorResponse } from './surfaces/errors.ts';
import { homeRoutes } from './surfaces/home.ts';
import { mcpRoutes } from './surfaces/mcp.ts';
import { isTrustedPeer, networkOf } from './surfaces/network.ts';
import { restRoutes } from './surfaces/rest.ts';
import { createVault, type Vault } from './vault.ts';

/** What the world is made of; tests replace parts of it. */
export type World = {
  now: () => number;
  random: Random;
  /** Takes one log line. */
  write: (line: string) => void;
  lookup?: OutgoingOptions['lookup'];
  /** How often an open stream's token is looked at again. */
  recheckMs?: number;
  /** Served beside the product's own, as the conformance tool needs it. */
  extra?: Partial<Catalog>;
};

export type App = AsyncDisposable & {
  deps: Deps;
  /** From now on the server tells that it is not ready, so that no new work is sent to it; open streams end. */
  drain(): void;
  /** Serves one request; `peer` is the address of the other end of the connection. */
  fetch(request: Request, peer?: string): Promise<Response>;
  /** Starts the claim loops of the worker role. */
  work(): Promise<Engine>;
};

/** Wires everything. The one place where the parts meet. */
export async function createApp(config: Config, world: Partial<World> = {}): Promise<App> {
  const { now = Date.now, random = randomBytes, write = () => {} } = world;
  const log = createLog(write, now);
  const stack = new AsyncDisposableStack();
  try {
    const store = stack.use(
      await openStore({
        ...config,
        plans: plansOf(config),
        random,
        onError: (error) => log.error('store_connection', error),
      }),
    );
    const { db } = store;
    await ensureDefaultWorkspace({ db, now, random }, config.defaultPlan);
    const vault = await openVault(config, random);
    const outgoing = stack.use(
      createOutgoing({
        allowedPrivateHosts: config.allowedPrivateHosts,
        ...(world.lookup && { lookup: world.lookup }),
      }),
    );
    const platforms = createPlatforms({
      settings: config.platform,
      realFetch: (connector, operatorBases) => outgoing.platform({ hosts: connector.hosts, operatorBases }),
      ...(config.sandboxUrl && { sandboxUrl: config.sandboxUrl, sandboxFetch: outgoing.sandbox(config.sandboxUrl) }),
    });
    const wake: { engine?: Engine } = {};
    const nudge = (kind: JobKind) => wake.engine?.nudge(kind);
    const deps: Deps = { config, db, now, random, vault, outgoing, platforms, log, nudge };
    const sandbox = servesSandbox(config) ? stack.use(createSandboxServer(config, { now, random })) : undefined;
    const ending = new AbortController();
    const routes = allRoutes(deps, world, ending.signal);
    const disposables = stack.move();
    const state = { draining: false };
    return {
      deps,
      drain: () => {
        state.draining = true;
        ending.abort();
      },
      fetch: (request, peer) => serve({ deps, routes, sandbox, state }, request, peer),
      async work() {
        if (store.workers === 'sole') await takeOverLeases(db);
        wake.engine = startEngine(deps, store.workers === 'none' ? [] : jobKinds(deps));
        return wake.engine;
      },
      [Symbol.asyncDispose]: () => disposables.disposeAsync(),
    };
  } catch (error) {
    await stack.disposeAsync();
    throw error;
  }
}

type EdgeEnv = HttpEnv & { Bindings: HttpEnv['Variables'] };

function allRoutes(deps: Deps, { recheckMs, extra }: Partial<World>, ending: AbortSignal): Hono<EdgeEnv> {
  const app = new Hono<EdgeEnv>();
  app.use(async (c, next) => {
    c.set('network', c.env.network);
    await next();
  });
  app.onError((error, c) => errorResponse(deps, error, { route: routePath(c), method: c.req.method }));
  app.notFound(() => errorResponse(deps, new DomainError('not_found', 'There is nothing at this path.')));
  const catalog = createCatalog(extra);
  app.route('/', homeRoutes(deps));
  app.route('/', documentRoutes(deps.config, catalog.operations));
  app.route('/', oauthRoutes(deps));
  app.route('/_mcp', mcpRoutes(deps, catalog, { recheckMs, ending }));
  app.route('/api/v1/oauth', connectRoutes(deps));
  app.route('/api/v1', restRoutes(deps, catalog.operations));
  return app;
}

const healthPaths = new Set(['/api/v1/health', '/api/v1/ready']);

type Served = {
  deps: Deps;
  routes: Hono<EdgeEnv>;
  sandbox: SandboxServer | undefined;
  state: { draining: boolean };
};

/** Product and sandbox share the port and are told apart by Host; any other Host is answered 421. */
async function serve(served: Served, request: Request, peer: string | undefined): Promise<Response> {
  const { deps, routes, sandbox, state } = served;
  const { config } = deps;
  const url = new URL(request.url);
  const trusted = isTrustedPeer(peer, config.trustedProxies);
  const named = (trusted && request.headers.get('x-forwarded-host')) || request.headers.get('host') || url.host;
  const host = named.toLowerCase();
  if (sandbox && host === new URL(sandbox.origin).host) return sandbox.fetch(request);
  if (host !== new URL(config.publicUrl).host && !healthPaths.has(url.pathname)) {
    const error = new DomainError('foreign_host', 'This server does not answer for that host.');
    return secured(config, errorResponse(deps, error));
  }
  if (state.draining && url.pathname === '/api/v1/ready') return Response.json({ status: 'draining' }, { status: 503 });
  const forwarded = request.headers.get('x-forwarded-for') ?? undefined;
  const network = networkOf(peer, forwarded, config.trustedProxies);
  return secured(config, await routes.fetch(request, { network }));
}

function secured(config: Config, response: Response): Response {
  response.headers.set('x-content-type-options', 'nosniff');
  if (config.publicUrl.startsWith('https:')) response.headers.set('strict-transport-security', 'max-age=31536000');
  return response;
}

function plansOf(config: Config) {
  return config.plans.map(({ slug, name, monthlyCredits }) => ({
    slug,
    name,
    monthly: monthlyCredits === undefined ? null : Math.round(monthlyCredits * 100),
  }));
}

/** The store alone, for commands; joins the embedded server of a running Pharlo. */
async function openWorldStore(config: Config): Promise<OpenedStore> {
  const random = randomBytes;
  const store = await openStore({ ...config, plans: plansOf(config), random, onError: () => {} });
  await ensureDefaultWorkspace({ db: store.db, now: Date.now, random }, config.defaultPlan);
  const vault = await openVault(config, random);
  return { store, now: Date.now, random, vault, [Symbol.asyncDispose]: () => store[Symbol.asyncDispose]() };
}

/** The world that commands work on. */
export const commandWorld: Omit<Io, 'out' | 'nodeVersion'> = {
  now: Date.now,
  random: randomBytes,
  openStore: openWorldStore,
  openServer: (config) => openServer({ ...config, random: randomBytes }),
};

const loopback = new Set(['localhost', '127.0.0.1', '[::1]']);

/** A loopback sandbox on another port than ours is a process of its own. */
function servesSandbox(config: Config): boolean {
  if (!config.sandboxUrl || config.role === 'worker') return false;
  const { hostname, port } = new URL(config.sandboxUrl);
  return !loopback.has(hostname) || Number(port || 80) === config.port;
}

type Sandbox = ReturnType<typeof createSandbox>;

export type SandboxServer = Disposable & { origin: string; hosts: string[]; port: number; fetch: Sandbox['fetch'] };

/** The sandbox networks, inside the product's process or alone. Throws ConfigError when they are switched off. */
export function createSandboxServer(
  config: Config,
  { now, random }: Pick<World, 'now' | 'random'> = { now: Date.now, random: randomBytes },
): SandboxServer {
  const origin = config.sandboxUrl;
  if (!origin) throw new ConfigError('PHARLO_SANDBOX=off: there is no sandbox network to run.');
  const sandbox = createSandbox({ origin, dataDir: join(resolve(config.dataDir), 'sandbox'), now, random });
  const { hostname, port } = new URL(origin);
  const local = loopback.has(hostname);
  return {
    origin,
    hosts: [local ? hostname.replace(/[[\]]/g, '') : '0.0.0.0'],
    port: local ? Number(port || 80) : config.port,
    fetch: sandbox.fetch,
    [Symbol.dispose]: () => sandbox.dispose(),
  };
}

async function ensureDefaultWorkspace(deps: Pick<Deps, 'db' | 'now' | 'random'>, plan: string): Promise<void> {
  const { db, now, random } = deps;
  if (await findWorkspace(db, 'default')) return;
  const ids = { id: newId(now(), random), organizationId: newId(now(), random) };
  await db.transaction((tx) => insertWorkspace(tx, { ...ids, slug: 'default', name: 'Default', plan }));
}

async function openVault(config: Config, random: Random): Promise<Vault> {
  return createVault(config.secretKeys ?? [await ensureSecretKey(config.dataDir, random)], random);
}
