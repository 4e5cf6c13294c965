import { expandScopes } from '../../domain/access.ts';
import { hashSecret } from '../../domain/ids.ts';
import { findRefreshToken, keepSuccessor, rotateRefreshToken } from '../../store/oauth-tokens.ts';
import { takeFromLimit } from '../../store/rate-limits.ts';
import { OAuthError, tooMany } from '../errors.ts';
import { limits } from '../limits.ts';
import { narrowScopes } from '../policy.ts';
import { type Exchange, type Issued, isMcpProfile, issueTokens, revokeForReuse } from './issue.ts';
import { raceSeconds, repeatRefresh, sealSuccessor } from './repeat.ts';

/** grant_type=refresh_token (OAuth 2.1 §4.3): the token is used up and its successor issued in one transaction. */
export async function refresh(exchange: Exchange): Promise<Issued> {
  const { form, deps, client } = exchange;
  const sent = form.get('refresh_token');
  if (!sent) throw new OAuthError('invalid_request', 'refresh_token is missing.');
  if (!client.grantTypes.includes('refresh_token')) {
    throw new OAuthError('unauthorized_client', 'This client did not register for refresh_token.');
  }
  const hash = hashSecret(sent);
  const issued = await deps.db.transaction(async (tx) => {
    const grant = await rotateRefreshToken(tx, hash, client.id);
    if (!grant) return undefined;
    const access = narrowScopes(form.get('scope'), grant);
    if (!access) throw new OAuthError('invalid_scope', 'scope must not exceed what was granted.');
    const wait = await takeFromLimit(tx, `refresh:${grant.id}`, limits.refreshes);
    if (wait > 0) throw tooMany(wait);
    const pair = await issueTokens(tx, exchange, grant, access, 'oauth.refresh');
    if (isMcpProfile(exchange)) await keepSuccessor(tx, hash, sealSuccessor(deps, sent, pair));
    return pair;
  });
  return issued ?? ((isMcpProfile(exchange) && (await repeatRefresh(exchange, sent))) || refuse(exchange, hash));
}

/** Finds out why a refresh token could not be used, and ends its grant when that looks like theft. */
async function refuse(exchange: Exchange, hash: Buffer): Promise<never> {
  const asked = exchange.form.get('scope')?.trim();
  const scopes = asked ? expandScopes(asked.split(' ')) : null;
  const token = await findRefreshToken(exchange.deps.db, hash, { seconds: raceSeconds, scopes });
  const own = token?.clientId === exchange.client.id;
  const tolerated = own && token.fresh && !isMcpProfile(exchange);
  if (token?.rotated && !tolerated) await revokeForReuse(exchange, token.grantId, 'refresh_token');
  if (!token || !own) throw new OAuthError('invalid_grant', 'The refresh token is not known.');
  throw ended(exchange);
}

/** Clients that name a resource recover from `invalid_grant` alone; the plain answer is the documented 401. */
function ended(exchange: Exchange): OAuthError {
  const code = isMcpProfile(exchange) ? 'invalid_grant' : 'invalid_token';
  return new OAuthError(code, 'The refresh token has ended. Authorize again.');
}
