import type { OAuthError } from './errors.ts';

/** RFC 6749 §5.1: nothing that carries a credential, or says why there is none, may be stored. */
const unstored = { 'Cache-Control': 'no-store', Pragma: 'no-cache' };

/** A JSON answer of the endpoints that clients call. */
export function json(value: object, status = 200, headers: Record<string, string> = {}): Response {
  return Response.json(value, { status, headers: { ...unstored, ...headers } });
}

export function errorJson(error: OAuthError): Response {
  return json({ error: error.code, error_description: error.message }, error.status, error.headers);
}
