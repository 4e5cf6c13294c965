import { createHash } from 'node:crypto';
import { hashSecret } from '../../domain/ids.ts';
import { findGrantOfUsedCode, takeCode } from '../../store/oauth-codes.ts';
import { OAuthError } from '../errors.ts';
import { isRedirectUri } from '../redirect-uris.ts';
import { type Exchange, type Issued, issueTokens, revokeForReuse } from './issue.ts';

/** RFC 7636 §4.1 */
const verifier = /^[A-Za-z0-9\-._~]{43,128}$/;

/** grant_type=authorization_code (OAuth 2.1 §4.1.3). A code that comes again ends what it gave. */
export async function exchangeCode(exchange: Exchange): Promise<Issued> {
  const { form, deps, client } = exchange;
  const code = form.get('code');
  const redirectUri = form.get('redirect_uri');
  const codeVerifier = form.get('code_verifier');
  if (!code) throw new OAuthError('invalid_request', 'code is missing.');
  if (!redirectUri) throw new OAuthError('invalid_request', 'redirect_uri is missing.');
  if (!codeVerifier) throw new OAuthError('invalid_request', 'code_verifier is missing.');
  if (!verifier.test(codeVerifier)) {
    throw new OAuthError('invalid_request', 'code_verifier must be 43 to 128 unreserved characters.');
  }
  const refused = new OAuthError(
    'invalid_grant',
    'The code is not valid, was used before, or belongs to another request.',
  );
  if (!isRedirectUri(redirectUri, deps.config.redirectSchemes)) throw refused;
  const codeHash = hashSecret(code);
  const codeChallenge = createHash('sha256').update(codeVerifier).digest('base64url');
  const issued = await deps.db.transaction(async (tx) => {
    const grant = await takeCode(tx, { codeHash, clientId: client.id, redirectUri, codeChallenge });
    if (!grant) return undefined;
    const access = { scopes: grant.scopes, text: grant.scopeText };
    return issueTokens(tx, exchange, grant, access, 'oauth.exchange');
  });
  if (issued) return issued;
  const replayed = await findGrantOfUsedCode(deps.db, codeHash);
  if (replayed) await revokeForReuse(exchange, replayed, 'code');
  throw refused;
}
