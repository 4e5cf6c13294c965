import { type ErrorCause, type ErrorCode, errorCodes, isRetryable } from '../domain/error-codes.ts';
import { type OAuthErrorCode, oauthStatuses } from '../oauth/errors.ts';
import type { Operation, RestFace } from '../operation.ts';
import { statuses } from './errors.ts';
import failureCodes from './failure-codes.json' with { type: 'json' };
import { schemasOf } from './schemas.ts';

type Shape = {
  op: Operation;
  face: RestFace<unknown>;
  takes: (name: string) => boolean;
  needs: (name: string) => boolean;
};

/** Deleting a channel works in every state of it. */
const onChannel = ({ op, face, needs }: Shape) =>
  op.hints.openWorld && face.method !== 'DELETE' && (needs('connectionId') || needs('assignmentId'));

/** Which REST calls can fail for a cause. */
const applies: Record<ErrorCause, (shape: Shape) => boolean> = {
  edge: () => false,
  call: () => true,
  body: ({ face }) => takesBody(face),
  price: ({ op }) => op.credits !== 'FREE',
  scope: ({ op }) => op.access !== 'key' && op.access !== 'session',
  key: ({ op }) => op.access === 'key' || op.access === 'full_key',
  session: ({ op }) => op.access === 'session',
  change: ({ op, takes }) => op.kind !== 'read' && ['assignmentId', 'postId', 'deliveryId'].some(takes),
  idempotency: ({ takes }) => takes('idempotencyKey'),
  platform: ({ op, takes }) => op.hints.openWorld && (takes('platform') || takes('payload')),
  channel: onChannel,
  asking: ({ op }) => op.kind === 'outside',
  content: ({ takes }) => takes('payload'),
  media: ({ takes }) => takes('mediaUrl'),
  tool: () => false,
  connecting: () => false,
};

/** Whether a REST call reads its input from a body. */
export function takesBody({ method }: RestFace<unknown>): boolean {
  return method === 'POST' || method === 'PATCH';
}

/** The codes a REST call can answer, in the order of the catalogue; `op` with its input as REST takes it. */
export function errorsOf(op: Operation): ErrorCode[] {
  const { rest: face } = op;
  if (!face) return [];
  const { properties = {}, required = [] } = schemasOf(op).input as { properties?: object; required?: string[] };
  const takes = (name: string) => Object.hasOwn(properties, name);
  const shape = { op, face, takes, needs: (name: string) => required.includes(name) };
  return codes().filter((code) => statusOf(code) !== statuses.cancelled && applies[errorCodes[code].cause](shape));
}

export function codes(): ErrorCode[] {
  return Object.keys(errorCodes) as ErrorCode[];
}

export function statusOf(code: ErrorCode): number {
  return statuses[errorCodes[code].kind];
}

const oauthTexts: Record<OAuthErrorCode, [meaning: string, next: string]> = {
  invalid_request: [
    'A parameter is missing, malformed or given twice.',
    'Correct the request; error_description names the parameter.',
  ],
  invalid_client: ['The client is not known, or could not prove who it is.', 'Register again, then authorize again.'],
  invalid_grant: [
    'The code or refresh token is unknown, used, expired or revoked, or belongs to another client.',
    'Authorize again.',
  ],
  invalid_token: [
    'The token is unknown, expired or revoked.',
    'Refresh the token; if that is refused too, authorize again.',
  ],
  unauthorized_client: ['The client may not use this kind of grant.', 'Register with the grant type that is meant.'],
  unsupported_grant_type: ['The kind of grant is not offered.', 'Use one that the metadata document names.'],
  unsupported_response_type: ['Only the code flow is offered.', 'Use response_type=code.'],
  request_not_supported: ['Request objects are not taken.', 'Send plain parameters.'],
  request_uri_not_supported: ['Requests by reference are not taken.', 'Send plain parameters.'],
  access_denied: ['The person said no.', 'Do not ask again unless the user wants it.'],
  invalid_scope: [
    'None of the scopes is known, or more is asked than was granted.',
    'Ask for scopes that the metadata document names.',
  ],
  invalid_target: ['The resource is not one of this server.', 'Use the resource that the metadata document names.'],
  invalid_redirect_uri: ['The redirect URI is not allowed.', 'Use https, a loopback address or the scheme of an app.'],
  invalid_client_metadata: [
    'The registration has a value that is not taken.',
    'Correct it; error_description names the member.',
  ],
  too_many_requests: [
    'There were too many requests in a short time.',
    'Wait as long as Retry-After tells, then call again.',
  ],
  temporarily_unavailable: ['The server cannot answer at the moment.', 'Wait a little, then call again.'],
};

const passing: ReadonlySet<OAuthErrorCode> = new Set(['too_many_requests', 'temporarily_unavailable']);

/** Every error a client can meet, as `/errors.json` and docs/errors.json tell it. */
export function errorCatalog() {
  return {
    api: codes().map((code) => {
      const { kind, meaning, next } = errorCodes[code];
      return { code, status: statusOf(code), kind, meaning, retryable: isRetryable(code), next };
    }),
    oauth: (Object.keys(oauthStatuses) as OAuthErrorCode[]).map((code) => {
      const [meaning, next] = oauthTexts[code];
      return { code, status: oauthStatuses[code], meaning, retryable: passing.has(code), next };
    }),
    assignment: failureCodes,
  };
}
