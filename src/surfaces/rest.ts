import { type Context, Hono } from 'hono';
import { routePath } from 'hono/route';
import { countCalls } from '../allowance.ts';
import type { Deps } from '../deps.ts';
import type { Caller } from '../domain/caller.ts';
import { DomainError, invalid } from '../domain/errors.ts';
import { isUuid } from '../domain/ids.ts';
import type { HttpEnv } from '../http.ts';
import { authenticate } from '../oauth/index.ts';
import { atRest, execute, type Operation, type RestFace } from '../operation.ts';
import { isJson, parseJson, readText } from './body.ts';
import { creditHeaders, errorResponse } from './errors.ts';
import { schemasOf } from './schemas.ts';

/** The REST API, derived from the registry. Mounted at `/api/v1`. */
export function restRoutes(deps: Deps, operations: readonly Operation[]): Hono<HttpEnv> {
  const app = new Hono<HttpEnv>();
  app.onError((error, c) => errorResponse(deps, error, { route: routePath(c), method: c.req.method }));
  app.notFound(() => errorResponse(deps, new DomainError('not_found', 'There is nothing at this path.')));
  app.get('/health', () => Response.json({ status: 'ok', timestamp: new Date(deps.now()).toISOString() }));
  app.get('/ready', () => ready(deps));
  const methods = new Map<string, string[]>();
  for (const op of operations.map(atRest)) {
    if (!op.rest) continue;
    const face = op.rest;
    const path = face.path.replace(/\{(\w+)\}/g, ':$1');
    methods.set(path, [...(methods.get(path) ?? []), face.method]);
    app.on(face.method, path, (c) => answer(deps, op, face, c));
  }
  for (const [path, allowed] of methods) app.all(path, () => methodNotAllowed(allowed));
  return app;
}

async function ready(deps: Deps): Promise<Response> {
  try {
    await deps.db.query({ text: 'select 1', values: [] });
    return Response.json({ status: 'ready' });
  } catch {
    return Response.json({ status: 'unavailable' }, { status: 503 });
  }
}

function methodNotAllowed(allowed: string[]): Response {
  const error = { code: 'method_not_allowed', message: `This path takes ${allowed.join(', ')}.` };
  return Response.json({ error }, { status: 405, headers: { allow: allowed.join(', ') } });
}

async function answer(deps: Deps, op: Operation, face: RestFace<unknown>, c: Context<HttpEnv>): Promise<Response> {
  const caller = await callerOf(deps, c.req.raw, c.var.network);
  const { headers, refused } = await countCalls(deps, caller);
  const place = { route: routePath(c), method: c.req.method };
  const response = refused
    ? errorResponse(deps, refused)
    : await run(deps, op, face, caller, c).catch((error: unknown) => errorResponse(deps, error, place));
  for (const [name, value] of Object.entries(headers)) response.headers.set(name, value);
  return response;
}

async function run(
  deps: Deps,
  op: Operation,
  face: RestFace<unknown>,
  caller: Caller,
  c: Context<HttpEnv>,
): Promise<Response> {
  const request = c.req.raw;
  const params = c.req.param() as Record<string, string>;
  const given = face.method === 'GET' || face.method === 'DELETE' ? queryOf(op, request) : await bodyOf(request);
  for (const name of Object.keys(params)) {
    if (name in given) throw invalid({ [name]: ['is told by the path'] });
  }
  const input = withIdempotencyKey(op, request, { ...given, ...params });
  const asked = { organizationId: organizationOf(request), signal: request.signal };
  const outcome = await execute(deps, op, input, caller, asked);
  const headers = new Headers({ 'cache-control': 'no-store', ...creditHeaders(outcome) });
  if (outcome.replayed) headers.set('idempotent-replayed', 'true');
  if (face.status === 204) return new Response(null, { status: 204, headers });
  return Response.json(outcome.output, { status: face.statusOf?.(outcome.output) ?? face.status, headers });
}

async function callerOf(deps: Deps, request: Request, network: string): Promise<Caller> {
  const found = await authenticate(deps, request.headers.get('authorization'), 'rest', network);
  if (found.ok) return found.caller;
  const text = 'Send a valid key or token as "Authorization: Bearer ...".';
  throw new DomainError('unauthenticated', text);
}

function organizationOf(request: Request): string | undefined {
  const id = request.headers.get('x-organization-id') ?? undefined;
  if (id !== undefined && !isUuid(id)) throw invalid({ 'X-Organization-Id': ['must be a UUID'] });
  return id;
}

/** Query text becomes the types the schema names; what does not fit stays text and is refused by the schema. */
function queryOf(op: Operation, request: Request): Record<string, unknown> {
  const { properties = {} } = schemasOf(op).input;
  const given = new Map<string, unknown>();
  for (const [name, text] of new URL(request.url).searchParams) {
    if (given.has(name)) throw invalid({ [name]: ['may be given once'] });
    const type = properties[name]?.type;
    if ((type === 'integer' || type === 'number') && /^-?\d{1,15}(\.\d+)?$/.test(text)) given.set(name, Number(text));
    else if (type === 'boolean' && /^(true|false)$/.test(text)) given.set(name, text === 'true');
    else given.set(name, text);
  }
  return Object.fromEntries(given);
}

async function bodyOf(request: Request): Promise<Record<string, unknown>> {
  for (const name of new URL(request.url).searchParams.keys()) {
    throw invalid({ [name]: ['is not a known query parameter; send it in the body'] });
  }
  const text = await readText(request);
  if (text === '') return {};
  if (!isJson(request)) {
    throw new DomainError('unsupported_content_type', 'Send the body as application/json.');
  }
  const body = parseJson(text);
  if (body === null || typeof body !== 'object' || Array.isArray(body))
    throw invalid({ body: ['must be a JSON object'] });
  return body as Record<string, unknown>;
}

/** The header is another way to give the member of that name; both may stand if they say the same. */
function withIdempotencyKey(op: Operation, request: Request, input: Record<string, unknown>): Record<string, unknown> {
  const key = request.headers.get('idempotency-key');
  if (key === null || !schemasOf(op).input.properties?.idempotencyKey) return input;
  if (input.idempotencyKey !== undefined && input.idempotencyKey !== key) {
    throw invalid({ idempotencyKey: ['differs from the Idempotency-Key header'] });
  }
  return { ...input, idempotencyKey: key };
}
