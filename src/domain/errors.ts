/** What went wrong, in the product's own words. Surfaces turn a kind into a status; codes are stable and public. */
export type ErrorKind =
  | 'invalid'
  | 'unauthenticated'
  | 'payment'
  | 'forbidden'
  | 'not_found'
  | 'not_offered'
  | 'conflict'
  | 'too_large'
  | 'unsupported_media'
  | 'misdirected'
  | 'unprocessable'
  | 'throttled'
  | 'unavailable'
  | 'cancelled'
  | 'internal';

export const errorKinds = {
  validation_failed: 'invalid',
  malformed_json: 'invalid',
  unsupported_content_type: 'unsupported_media',
  body_too_large: 'too_large',
  unauthenticated: 'unauthenticated',
  insufficient_credits: 'payment',
  insufficient_scope: 'forbidden',
  key_required: 'forbidden',
  session_required: 'forbidden',
  not_found: 'not_found',
  method_not_allowed: 'not_offered',
  invalid_state: 'conflict',
  idempotency_conflict: 'conflict',
  account_mismatch: 'conflict',
  connection_inactive: 'conflict',
  reconnect_required: 'conflict',
  foreign_host: 'misdirected',
  platform_planned: 'unprocessable',
  platform_unconfigured: 'unprocessable',
  type_unsupported: 'unprocessable',
  media_unreachable: 'invalid',
  media_not_allowed: 'invalid',
  media_type_unsupported: 'invalid',
  media_too_large: 'invalid',
  result_too_large: 'unprocessable',
  declined: 'conflict',
  rate_limited: 'throttled',
  platform_unavailable: 'unavailable',
  call_cancelled: 'cancelled',
  internal: 'internal',
} as const satisfies Record<string, ErrorKind>;

export type ErrorCode = keyof typeof errorKinds;

/** Messages by field, e.g. `{ scheduledAt: ['must be in the future'] }`. */
export type FieldMessages = Record<string, string[]>;

export type ErrorExtras = {
  details?: FieldMessages;
  /** Credits the call would have cost, for `insufficient_credits`. */
  required?: number;
  /** Credits left, for `insufficient_credits`. */
  balance?: number;
  retryAfterSeconds?: number;
  /** Everything the token would have to hold, for `insufficient_scope`. */
  scopes?: readonly string[];
};

/** The one error handlers throw. `message` is public text written by us; a cause stays inside. */
export class DomainError extends Error {
  readonly code: ErrorCode;
  readonly extras: ErrorExtras;

  constructor(code: ErrorCode, message: string, extras: ErrorExtras = {}, cause?: unknown) {
    super(message, cause === undefined ? undefined : { cause });
    this.name = 'DomainError';
    this.code = code;
    this.extras = extras;
  }

  get kind(): ErrorKind {
    return errorKinds[this.code];
  }
}

/** Bad input, told by field. */
export function invalid(details: FieldMessages, message = 'Some fields are not valid.'): DomainError {
  return new DomainError('validation_failed', message, { details });
}

/** What the caller may not see answers exactly as what does not exist. */
export function notFound(noun: string): DomainError {
  return new DomainError('not_found', `No such ${noun}.`);
}
