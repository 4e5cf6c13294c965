import { type ErrorCode, type ErrorKind, errorCodes } from './error-codes.ts';

export type { ErrorCode, ErrorKind } from './error-codes.ts';

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
    return errorCodes[this.code].kind;
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
