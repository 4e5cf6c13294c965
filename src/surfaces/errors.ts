import type { Deps } from '../deps.ts';
import { toCredits } from '../domain/credits.ts';
import { DomainError, type ErrorKind } from '../domain/errors.ts';
import { newId } from '../domain/ids.ts';
import { present } from '../domain/json.ts';
import type { LogFields } from '../log.ts';
import type { Outcome } from '../operation.ts';

/** The HTTP status of each kind of error. */
export const statuses = {
  invalid: 400,
  unauthenticated: 401,
  payment: 402,
  forbidden: 403,
  not_found: 404,
  not_offered: 405,
  conflict: 409,
  too_large: 413,
  unsupported_media: 415,
  misdirected: 421,
  unprocessable: 422,
  throttled: 429,
  /** Nobody reads it: the caller closed the connection. */
  cancelled: 499,
  internal: 500,
  unavailable: 503,
} as const satisfies Record<ErrorKind, number>;

/** The one error body of REST, and `_meta` of a failed tool. */
export type ErrorBody = {
  code: string;
  message: string;
  details?: Record<string, string[]>;
  required?: number;
  balance?: number;
  incident?: string;
};

/** Any failure as a DomainError; what nobody foresaw is logged under an incident id and told as nothing else. */
export function publicError(
  deps: Deps,
  error: unknown,
  place: LogFields = {},
): { error: DomainError; incident?: string } {
  if (error instanceof DomainError) return { error };
  const incident = newId(deps.now(), deps.random);
  deps.log.error('internal', error, { ...place, incident });
  return { error: new DomainError('internal', `Something went wrong on our side (incident ${incident}).`), incident };
}

export function errorBody(error: DomainError, incident?: string): ErrorBody {
  const { details, required, balance } = error.extras;
  return present({ code: error.code, message: error.message, details, required, balance, incident }) as ErrorBody;
}

/** The REST answer of a failure. */
export function errorResponse(deps: Deps, failure: unknown, place?: LogFields): Response {
  const { error, incident } = publicError(deps, failure, place);
  const headers = new Headers({ 'cache-control': 'no-store' });
  const { required, balance, retryAfterSeconds } = error.extras;
  if (required !== undefined) headers.set('x-credits-required', String(required));
  if (balance !== undefined) headers.set('x-credits-balance', String(balance));
  if (retryAfterSeconds !== undefined) headers.set('retry-after', String(retryAfterSeconds));
  if (error.kind === 'unauthenticated') headers.set('www-authenticate', 'Bearer');
  return Response.json({ error: errorBody(error, incident) }, { status: statuses[error.kind], headers });
}

/** `X-Credits-*` of an answer, free ones included. */
export function creditHeaders(outcome: Pick<Outcome, 'used' | 'balance'>): Record<string, string> {
  return {
    'x-credits-used': String(toCredits(outcome.used)),
    ...(outcome.balance !== undefined && { 'x-credits-balance': String(toCredits(outcome.balance)) }),
  };
}
