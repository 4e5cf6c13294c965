/** Error codes as they go over the wire, with the status they have unless one is given. */
export const oauthStatuses = {
  invalid_request: 400,
  invalid_client: 400,
  invalid_grant: 400,
  invalid_token: 401,
  unauthorized_client: 400,
  unsupported_grant_type: 400,
  unsupported_response_type: 400,
  request_not_supported: 400,
  request_uri_not_supported: 400,
  access_denied: 403,
  invalid_scope: 400,
  invalid_target: 400,
  invalid_redirect_uri: 400,
  invalid_client_metadata: 400,
  too_many_requests: 429,
  temporarily_unavailable: 503,
} as const satisfies Record<string, number>;

export type OAuthErrorCode = keyof typeof oauthStatuses;

export type OAuthErrorStatus = 400 | 401 | 403 | 405 | 413 | 415 | 429 | 503;

type Options = { status?: OAuthErrorStatus; headers?: Record<string, string> };

/** An answer of RFC 6749 §5.2, RFC 7591 §3.2.2 or §4.1.2.1. `message` is the description: public, ours, ASCII. */
export class OAuthError extends Error {
  readonly code: OAuthErrorCode;
  readonly status: OAuthErrorStatus;
  readonly headers: Record<string, string>;

  constructor(code: OAuthErrorCode, description: string, options: Options = {}) {
    super(description);
    this.name = 'OAuthError';
    this.code = code;
    this.status = options.status ?? oauthStatuses[code];
    this.headers = options.headers ?? {};
  }
}

export function tooMany(retryAfterSeconds: number): OAuthError {
  const headers = { 'Retry-After': String(retryAfterSeconds) };
  return new OAuthError('too_many_requests', 'Too many requests. Try again later.', { headers });
}
