import { hashSecret } from '../domain/ids.ts';
import { findLiveTokenOf, type LiveToken } from '../store/oauth-tokens.ts';
import { json } from './answers.ts';
import { asClient } from './client-authentication.ts';
import type { OAuthContext, ServerDeps } from './context.ts';
import { OAuthError } from './errors.ts';
import { audienceOf } from './resource.ts';

/** POST /oauth/mcp/introspect (RFC 7662): what a client's own token is worth now; of any other it learns nothing. */
export function introspect(c: OAuthContext, deps: ServerDeps): Promise<Response> {
  return asClient(c, deps, 'introspect', async (form, client) => {
    const token = form.get('token');
    if (token === undefined) throw new OAuthError('invalid_request', 'token is missing.');
    const live = await findLiveTokenOf(deps.db, hashSecret(token), client.id);
    return json(live ? describe(deps.config.publicUrl, client.id, live) : { active: false });
  });
}

function describe(issuer: string, clientId: string, token: LiveToken) {
  const scopes = token.scopes.filter((scope) => token.keyScopes.includes(scope));
  return {
    active: true,
    iss: issuer,
    sub: token.workspaceId,
    aud: audienceOf(issuer, token.resource),
    client_id: clientId,
    ...(token.kind === 'access' && { token_type: 'Bearer' }),
    ...(scopes.length > 0 && { scope: scopes.join(' ') }),
    iat: seconds(token.createdAt),
    exp: seconds(token.expiresAt),
  };
}

function seconds(date: Date): number {
  return Math.floor(date.getTime() / 1000);
}
