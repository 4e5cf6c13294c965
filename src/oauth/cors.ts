import type { MiddlewareHandler } from 'hono';
import type { HttpEnv } from '../http.ts';
import type { OAuthDeps } from './context.ts';

const clientOrigins = ['https://claude.ai', 'https://claude.com'];

const shared = {
  'Access-Control-Allow-Headers': 'authorization, content-type, mcp-protocol-version',
  'Access-Control-Max-Age': '600',
};

/**
 * Lets browsers of Claude's and of the operator's origins read the answer; never with credentials. Answers OPTIONS
 * itself.
 */
export function cors(deps: OAuthDeps, methods: readonly string[]): MiddlewareHandler<HttpEnv> {
  const allowed = new Set([...clientOrigins, ...deps.config.allowedOrigins]);
  const allow = methods.join(', ');
  return async (c, next) => {
    const origin = c.req.header('origin');
    const preflight = c.req.method === 'OPTIONS';
    if (preflight) c.res = new Response(null, { status: 204, headers: { Allow: `${allow}, OPTIONS` } });
    else await next();
    c.header('Vary', 'Origin', { append: true });
    if (origin === undefined || !allowed.has(origin)) return;
    c.header('Access-Control-Allow-Origin', origin);
    c.header('Access-Control-Expose-Headers', 'Retry-After, WWW-Authenticate');
    if (!preflight) return;
    c.header('Access-Control-Allow-Methods', allow);
    for (const [name, value] of Object.entries(shared)) c.header(name, value);
  };
}
