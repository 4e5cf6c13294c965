import { countRefusal } from '../store/audit.ts';
import type { OAuthContext, OAuthDeps } from './context.ts';
import { OAuthError, type OAuthErrorCode } from './errors.ts';

/** What somebody unknown was refused. */
type Refused =
  | 'access_refused'
  | 'authorize_refused'
  | 'consent_refused'
  | 'deny'
  | 'document_refused'
  | 'introspect_refused'
  | 'key_refused'
  | 'register_refused'
  | 'revoke_refused'
  | 'token_refused';

/** Counts a refusal for the audit trail, as `oauth.<what>`; `clientId` only of a client that is known here. */
export async function noteRefusal(
  deps: OAuthDeps,
  network: string,
  what: Refused,
  outcome: OAuthErrorCode,
  clientId?: string,
): Promise<void> {
  await countRefusal(deps.db, { action: `oauth.${what}`, outcome, network, ...(clientId && { clientId }) });
}

/** Runs what serves one request of a stranger, and counts the error it answers with. */
export async function notingRefusals<T>(
  c: OAuthContext,
  deps: OAuthDeps,
  what: Refused,
  run: () => Promise<T>,
): Promise<T> {
  try {
    return await run();
  } catch (error) {
    if (error instanceof OAuthError) await noteRefusal(deps, c.var.network, what, error.code);
    throw error;
  }
}
