import { hashSecret } from '../../domain/ids.ts';
import { findKeptSuccessor, findUnusedPair } from '../../store/oauth-tokens.ts';
import type { OAuthDeps } from '../context.ts';
import { narrowScopes } from '../policy.ts';
import { audience, auditRefresh, type Exchange, type Issued } from './issue.ts';

/** A rotated token that comes again this soon is taken for a client racing itself, not for theft. */
export const raceSeconds = 30;

const context = 'oauth successor';

/** Seals an answer so that only the holder of the token it replaced can read it. */
export function sealSuccessor(deps: OAuthDeps, token: string, issued: Issued): Buffer {
  return deps.vault.under(token).seal(context, JSON.stringify(issued));
}

/**
 * The answer a just rotated token got, once more: for the same client, scope and resource, while its successor is
 * unused and all of it lives. `expires_in` counts from the first issue. Undefined when any of that is not so.
 */
export async function repeatRefresh(exchange: Exchange, token: string): Promise<Issued | undefined> {
  const { deps, client, form } = exchange;
  const grant = await findKeptSuccessor(deps.db, hashSecret(token), client.id, raceSeconds);
  const plain = grant && deps.vault.under(token).open(context, grant.successor);
  if (!plain) return undefined;
  const issued = JSON.parse(plain) as Issued;
  const pair = await findUnusedPair(deps.db, hashSecret(issued.access_token), hashSecret(issued.refresh_token ?? ''));
  const asked = narrowScopes(form.get('scope'), grant);
  if (!pair || asked?.scopes.join() !== pair.scopes.join() || audience(exchange, grant) !== pair.resource) {
    return undefined;
  }
  await auditRefresh(deps.db, exchange, grant, 'repeat');
  return { ...issued, expires_in: pair.secondsLeft };
}
