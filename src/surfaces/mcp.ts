import {
  createMcpHandler,
  isLegacyRequest,
  WebStandardStreamableHTTPServerTransport,
} from '@modelcontextprotocol/server';
import { Hono } from 'hono';
import { cors } from 'hono/cors';
import { countCalls } from '../allowance.ts';
import type { Deps } from '../deps.ts';
import type { Scope } from '../domain/access.ts';
import type { Caller } from '../domain/caller.ts';
import { DomainError } from '../domain/errors.ts';
import { isDeeper } from '../domain/json.ts';
import type { HttpEnv } from '../http.ts';
import { authenticate, challenge, scopeChallenge } from '../oauth/index.ts';
import { watchAssignments } from '../watch.ts';
import { isJson, parseJson, readText } from './body.ts';
import type { Catalog } from './catalog.ts';
import { alike, arrayProblem, withoutCancellations } from './mcp-arrays.ts';
import { type Listening, listen, listenUris } from './mcp-listen.ts';
import { lackingScopes, type Offer, offerOf } from './mcp-offer.ts';
import { createServer } from './mcp-server.ts';

/** The SDK's checks recurse; no message of a client comes near. */
const maxDepth = 1024;
const knownOrigins = ['https://claude.ai', 'https://claude.com'];

/** The MCP endpoint: stateless, both protocol eras on one URL; `ending` ends its streams. Mounted at `/_mcp`. */
export function mcpRoutes(
  deps: Deps,
  catalog: Catalog,
  { recheckMs = 15_000, ending }: { recheckMs?: number | undefined; ending: AbortSignal },
): Hono<HttpEnv> {
  const offer = offerOf(catalog);
  const origins = [...knownOrigins, ...deps.config.allowedOrigins];
  const app = new Hono<HttpEnv>();
  app.use(async (c, next) => {
    const origin = c.req.header('origin');
    const foreign = origin !== undefined && origin !== deps.config.publicUrl && !origins.includes(origin);
    return foreign ? rpcError(403, -32600, 'This origin is not allowed.') : next();
  });
  app.use(
    cors({
      origin: origins,
      allowMethods: ['POST'],
      allowHeaders: [
        'authorization',
        'content-type',
        'accept',
        'mcp-protocol-version',
        'mcp-method',
        'mcp-name',
        'mcp-session-id',
        'last-event-id',
      ],
      exposeHeaders: ['www-authenticate', 'retry-after'],
      maxAge: 600,
    }),
  );
  const modern = createMcpHandler(
    ({ authInfo }) => createServer(deps, offer, { caller: authInfo?.extra?.caller as Caller, era: 'modern' }),
    {
      legacy: 'reject',
      onerror: () => deps.log.info('mcp_request_refused'),
    },
  );
  const watcher = watchAssignments(deps, (id) => modern.notify.resourceUpdated(`pharlo://assignments/${id}`));
  const listening: Listening = { watcher, modern, recheckMs, ending, open: new Map() };
  app.all('/', (c) => serve({ deps, offer, listening }, c.req.raw, c.var.network));
  return app;
}

type Endpoint = { deps: Deps; offer: Offer; listening: Listening };

async function serve(endpoint: Endpoint, request: Request, network: string): Promise<Response> {
  const { deps } = endpoint;
  const found = await authenticate(deps, request.headers.get('authorization'), 'mcp', network);
  if (!found.ok) {
    const headers = { 'www-authenticate': challenge(deps, found.presented) };
    const isKey = /^bearer ds_live_/i.test(request.headers.get('authorization') ?? '');
    const text = isKey ? 'A key is not a token: paste it on the consent page.' : 'Authorization is required.';
    return rpcError(401, -32600, text, headers);
  }
  if (request.method !== 'POST') return rpcError(405, -32600, 'This endpoint takes POST.', { allow: 'POST' });
  if (!isJson(request)) return rpcError(415, -32600, 'Send the body as application/json.');
  let body: unknown;
  try {
    body = parseJson(await readText(request));
  } catch (error) {
    const tooLarge = error instanceof DomainError && error.code === 'body_too_large';
    return tooLarge ? rpcError(413, -32600, error.message) : rpcError(400, -32700, 'The body is not valid JSON.');
  }
  if (isDeeper(body, maxDepth)) return rpcError(400, -32600, 'The message is nested too deeply.');
  const problem = arrayProblem(request, body);
  if (problem) return rpcError(400, -32600, problem);
  const { headers, refused } = await countCalls(deps, found.caller, Array.isArray(body) ? body.length : 1);
  const response = refused
    ? rpcError(429, -32600, refused.message, { 'retry-after': String(refused.extras.retryAfterSeconds) }, idOf(body))
    : (missingScope(endpoint, body, found.caller) ?? (await answer(endpoint, request, body, found.caller)));
  for (const [name, value] of Object.entries(headers)) response.headers.set(name, value);
  return response;
}

async function answer(endpoint: Endpoint, request: Request, body: unknown, caller: Caller): Promise<Response> {
  const { deps, listening } = endpoint;
  const uris = listenUris(body);
  if (uris === undefined || (await isLegacyRequest(request, body))) {
    return dispatch(endpoint, request, body, caller);
  }
  const stream = await listen(deps, listening, { request, body, uris, caller });
  if (stream instanceof Response) return stream;
  const { status, message } = stream;
  const headers: Record<string, string> = status === 429 ? { 'retry-after': '15' } : {};
  return rpcError(status, status === 400 ? -32602 : -32600, message, headers, idOf(body));
}

/** Every element is checked before anything runs; one missing scope refuses all, and the challenge names the full set. */
function missingScope({ deps, offer }: Endpoint, body: unknown, caller: Caller): Response | undefined {
  const missing = new Set<Scope>();
  for (const message of Array.isArray(body) ? body : [body]) {
    const lacking = message !== null && typeof message === 'object' ? lackingScopes(offer, message, caller) : [];
    for (const scope of lacking) missing.add(scope);
    const listens = listenUris(message)?.some((uri) => uri.startsWith('pharlo://assignments/'));
    if (listens && !caller.scopes.has('assignments:read')) missing.add('assignments:read');
  }
  if (missing.size === 0) return undefined;
  const headers = { 'www-authenticate': scopeChallenge(deps, caller.scopes, missing) };
  return rpcError(403, -32600, `The token does not cover: ${[...missing].join(', ')}.`, headers, idOf(body));
}

async function dispatch(
  { deps, offer, listening }: Endpoint,
  request: Request,
  body: unknown,
  caller: Caller,
): Promise<Response> {
  if (await isLegacyRequest(request, body)) {
    const transport = new WebStandardStreamableHTTPServerTransport({ enableJsonResponse: true });
    const server = createServer(deps, offer, { caller, era: 'legacy', gone: request.signal });
    await server.connect(transport as never);
    const parsedBody = withoutCancellations(body);
    if (Array.isArray(parsedBody) && parsedBody.length === 0) return new Response(null, { status: 202 });
    return alike(body, await transport.handleRequest(acceptingBoth(request), { parsedBody }));
  }
  // The caller travels to the server factory as verified authentication information.
  const authInfo = { token: '', clientId: '', scopes: [...caller.scopes], extra: { caller } };
  return listening.modern.fetch(request, { parsedBody: body, authInfo });
}

/** Answers are JSON here, yet the transport refuses whoever does not also take event streams by name. */
function acceptingBoth(request: Request): Request {
  const accept = request.headers.get('accept') ?? '*/*';
  const both = accept.includes('application/json') && accept.includes('text/event-stream');
  if (both || !/application\/(json|\*)|\*\/\*/i.test(accept)) return request;
  const headers = new Headers(request.headers);
  headers.set('accept', 'application/json, text/event-stream');
  return new Request(request.url, { method: 'POST', headers });
}

type RpcId = string | number | null;

/** The id that an error has to repeat; null for arrays and where none can be told. */
function idOf(body: unknown): RpcId {
  const id = body !== null && typeof body === 'object' && 'id' in body ? body.id : null;
  return typeof id === 'string' || typeof id === 'number' ? id : null;
}

function rpcError(
  status: number,
  code: number,
  message: string,
  headers: Record<string, string> = {},
  id: RpcId = null,
): Response {
  return Response.json(
    { jsonrpc: '2.0', error: { code, message }, id },
    { status, headers: { ...headers, 'cache-control': 'no-store' } },
  );
}
