import { hashSecret } from '../domain/ids.ts';
import { insertAudit } from '../store/audit.ts';
import type { ClientRow } from '../store/oauth-clients.ts';
import { revokeGrant } from '../store/oauth-grants.ts';
import { endAccessToken, findTokenOf } from '../store/oauth-tokens.ts';
import { json } from './answers.ts';
import { asClient } from './client-authentication.ts';
import type { OAuthContext, OAuthDeps, ServerDeps } from './context.ts';
import { OAuthError } from './errors.ts';

/**
 * POST /oauth/mcp/revoke (RFC 7009): a client ends its own token. A refresh token, rotated or not, ends its grant and
 * so every access token; an access token ends alone. Whatever else is sent gets the same 200.
 */
export function revoke(c: OAuthContext, deps: ServerDeps): Promise<Response> {
  return asClient(c, deps, 'revoke', async (form, client) => {
    const token = form.get('token');
    if (token === undefined) throw new OAuthError('invalid_request', 'token is missing.');
    await end(deps, client, hashSecret(token), c.var.network);
    return json({});
  });
}

async function end(deps: OAuthDeps, client: ClientRow, hash: Buffer, network: string): Promise<void> {
  await deps.db.transaction(async (tx) => {
    const token = await findTokenOf(tx, hash, client.id);
    if (!token) return;
    const { kind, grantId, workspaceId, keyId } = token;
    const ended = kind === 'refresh' ? await revokeGrant(tx, grantId, 'client') : await endAccessToken(tx, hash);
    if (!ended) return;
    const who = { workspaceId, keyId, grantId, clientId: client.id, network };
    await insertAudit(tx, { ...who, action: 'oauth.revoke', outcome: 'ok', target: `${kind}_token` });
  });
}
