import type { Context } from 'hono';
import type { Deps } from '../deps.ts';
import type { HttpEnv } from '../http.ts';
import type { Outgoing } from '../net/outgoing.ts';
import type { Clients } from './clients.ts';
import type { Signing } from './signing.ts';

/** What the authorization server needs of the dependencies. */
export type OAuthDeps = Pick<Deps, 'config' | 'db' | 'now' | 'random' | 'vault' | 'log'> & {
  outgoing: Pick<Outgoing, 'document'>;
};

/** The same with what lives as long as the server does. */
export type ServerDeps = OAuthDeps & { clients: Clients; signing: Signing };

export type OAuthContext = Context<HttpEnv>;

export const paths = {
  serverMetadata: '/.well-known/oauth-authorization-server',
  resourceMetadata: '/.well-known/oauth-protected-resource',
  keys: '/.well-known/jwks.json',
  register: '/oauth/mcp/register',
  authorize: '/oauth/mcp/authorize',
  consent: '/oauth/mcp/consent',
  token: '/oauth/mcp/token',
  revoke: '/oauth/mcp/revoke',
  introspect: '/oauth/mcp/introspect',
  /** The protected resource itself; its metadata stand below both well-known paths under this suffix. */
  resource: '/_mcp',
  /** Where tokens work that were asked for without a resource. */
  rest: '/api/v1',
} as const;

/** Seconds. Codes, tokens and their rows live by the database's clock; the consent request by ours. */
export const lifetimes = {
  consentRequest: 600,
  code: 180,
  accessToken: 3600,
  refreshToken: 30 * 24 * 3600,
} as const;
