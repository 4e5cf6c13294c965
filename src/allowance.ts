import type { Deps } from './deps.ts';
import type { Caller } from './domain/caller.ts';
import { DomainError } from './domain/errors.ts';
import { takeAllowance } from './store/rate-limits.ts';

/** What is told beside every answer: draft-ietf-httpapi-ratelimit-headers-06. */
export type AllowanceHeaders = Record<
  'ratelimit-limit' | 'ratelimit-remaining' | 'ratelimit-reset' | 'ratelimit-policy',
  string
>;

/**
 * Counts `calls` of a caller: a key, or a grant by itself. The same on every replica. `refused` is the error to answer
 * when that is too fast; then nothing is counted.
 */
export async function countCalls(
  deps: Deps,
  caller: Caller,
  calls = 1,
): Promise<{ headers: AllowanceHeaders; refused?: DomainError }> {
  const limit = deps.config.limits.api;
  const { taken, remaining, resetSeconds, waitSeconds } = await takeAllowance(
    deps.db,
    `api:${caller.grantId ?? caller.keyId}`,
    limit,
    calls,
  );
  const headers = {
    'ratelimit-limit': String(limit.burst),
    'ratelimit-remaining': String(remaining),
    'ratelimit-reset': String(resetSeconds),
    'ratelimit-policy': `${limit.burst};w=${Math.ceil(limit.burst * limit.everySeconds)}`,
  };
  if (taken) return { headers };
  const text = 'Too many calls in a short time.';
  return { headers, refused: new DomainError('rate_limited', text, { retryAfterSeconds: waitSeconds }) };
}
