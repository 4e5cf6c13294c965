export type OutgoingErrorCode =
  | 'invalid_url'
  | 'blocked_address'
  | 'unreachable'
  | 'timeout'
  | 'too_many_redirects'
  | 'redirect_refused'
  | 'too_large'
  | 'tls';

// A blocked host and one that does not answer share one sentence, so that nobody can map a private network by asking.
const UNREACHABLE = 'The host could not be reached.';

const MESSAGES: Record<OutgoingErrorCode, string> = {
  invalid_url: 'The URL must be a plain http or https URL on a usual port, without user name or password.',
  blocked_address: UNREACHABLE,
  unreachable: UNREACHABLE,
  timeout: 'The host did not answer in time.',
  too_many_redirects: 'The URL redirects too often.',
  redirect_refused: 'The URL redirects to a place that is not allowed.',
  too_large: 'The answer is larger than allowed.',
  tls: 'The host has no valid certificate for this name.',
};

/**
 * Why an outgoing request failed. The message is a fixed sentence per code and safe to show.
 * `sent` is false only when it is certain that no byte of the request left this machine.
 */
export class OutgoingError extends Error {
  override readonly name = 'OutgoingError';
  readonly code: OutgoingErrorCode;
  readonly sent: boolean;

  constructor(code: OutgoingErrorCode, sent = false) {
    super(MESSAGES[code]);
    this.code = code;
    this.sent = sent;
  }
}
