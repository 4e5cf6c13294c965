/** What kind of wrong it is; surfaces turn a kind into a status. */
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

/** Which calls can be answered with a code, told by what a call does. */
export type ErrorCause =
  /** Before it is known which capability is meant. */
  | 'edge'
  /** Any call. */
  | 'call'
  /** One that takes a body. */
  | 'body'
  /** One that costs credits. */
  | 'price'
  /** One that needs a scope, a key, a person's session. */
  | 'scope'
  | 'key'
  | 'session'
  /** One on a job or a delivery whose status matters. */
  | 'change'
  /** One that may be repeated under an idempotency key. */
  | 'idempotency'
  /** One that starts something at a platform. */
  | 'platform'
  /** One that acts on a channel at its platform. */
  | 'channel'
  /** One that asks a platform while the caller waits. */
  | 'asking'
  /** One that makes a post. */
  | 'content'
  /** One that takes a file. */
  | 'media'
  /** A tool call only. */
  | 'tool'
  /** The page that connects a channel. */
  | 'connecting';

/** `next` is what a program or an agent should do then. */
type ErrorText = { kind: ErrorKind; cause: ErrorCause; meaning: string; next: string };

const otherFile = 'Give another file, or the same file in a form the platform takes; then call again.';
const askScope = 'Ask the user for this permission; do not repeat the call before it is granted.';
const otherKey = 'Use a ds_live_ key. An agent should tell the user that this takes a key.';

/** Every code an answer of ours can have, once. Codes are public and stable. */
export const errorCodes = {
  validation_failed: {
    kind: 'invalid',
    cause: 'call',
    meaning: 'Some fields are missing, unknown or not valid; details names each of them.',
    next: 'Correct the named fields and call again.',
  },
  malformed_json: {
    kind: 'invalid',
    cause: 'body',
    meaning: 'The body is not JSON in UTF-8.',
    next: 'Send valid JSON.',
  },
  unsupported_content_type: {
    kind: 'unsupported_media',
    cause: 'body',
    meaning: 'The body is not marked as JSON.',
    next: 'Send it with Content-Type: application/json.',
  },
  body_too_large: {
    kind: 'too_large',
    cause: 'body',
    meaning: 'The body is larger than this server takes.',
    next: 'Send less; files are given by URL, never inside the body.',
  },
  unauthenticated: {
    kind: 'unauthenticated',
    cause: 'call',
    meaning: 'There is no valid key or token: it is missing, unknown, expired or revoked.',
    next: 'Send a valid one; an MCP client refreshes its token or connects again.',
  },
  insufficient_credits: {
    kind: 'payment',
    cause: 'price',
    meaning: 'The workspace has fewer credits than the call costs; required and balance tell both. Nothing was done.',
    next: 'Do not repeat the call; ask the user to add credits, or wait for the next cycle.',
  },
  user_spending_limit_exceeded: {
    kind: 'payment',
    cause: 'price',
    meaning: 'The key has spent what it may spend in a cycle, though the workspace has credits. Nothing was done.',
    next: 'Do not repeat the call; ask the user to raise the limit of the key.',
  },
  insufficient_scope: {
    kind: 'forbidden',
    cause: 'scope',
    meaning: 'The key or token lacks the scope of this call.',
    next: askScope,
  },
  key_required: { kind: 'forbidden', cause: 'key', meaning: 'This takes a ds_live_ key, no token.', next: otherKey },
  session_required: {
    kind: 'forbidden',
    cause: 'session',
    meaning: 'This takes a person who is logged in, no key.',
    next: 'Ask the user to log in to the console and do this there.',
  },
  not_found: {
    kind: 'not_found',
    cause: 'call',
    meaning: 'There is no such thing, or the caller may not see it.',
    next: 'Check the id with the matching list.',
  },
  method_not_allowed: {
    kind: 'not_offered',
    cause: 'edge',
    meaning: 'The path does not take this method.',
    next: 'Use a method that the Allow header names.',
  },
  invalid_state: {
    kind: 'conflict',
    cause: 'change',
    meaning: 'It is too late or too early for this: the status does not allow it.',
    next: 'Read the current status before deciding what to do.',
  },
  idempotency_conflict: {
    kind: 'conflict',
    cause: 'idempotency',
    meaning: 'The idempotency key was used for a call with other input.',
    next: 'Use a new key for new content; repeat the old input to get its assignment.',
  },
  account_mismatch: {
    kind: 'conflict',
    cause: 'connecting',
    meaning: 'The person chose another account than the one the channel belongs to; nothing changed.',
    next: 'Make a new link and ask the user to choose the same account.',
  },
  connection_inactive: {
    kind: 'conflict',
    cause: 'channel',
    meaning: 'The channel is switched off.',
    next: 'Switch it on with isActive: true, if the user agrees.',
  },
  reconnect_required: {
    kind: 'conflict',
    cause: 'channel',
    meaning: 'The platform no longer accepts the permission given for this channel.',
    next: 'Make a link for this connectionId and ask the user to connect the channel again.',
  },
  foreign_host: {
    kind: 'misdirected',
    cause: 'edge',
    meaning: 'The Host header names a server that this is not.',
    next: 'Use the public address of this server.',
  },
  platform_planned: {
    kind: 'unprocessable',
    cause: 'platform',
    meaning: 'The platform is listed and cannot be used yet.',
    next: 'Choose a platform that is live.',
  },
  platform_unconfigured: {
    kind: 'unprocessable',
    cause: 'platform',
    meaning: 'The operator of this server has not configured the platform.',
    next: 'Choose a platform that is live, or ask the operator.',
  },
  type_unsupported: {
    kind: 'unprocessable',
    cause: 'content',
    meaning: 'The platform does not take this type of content.',
    next: 'Choose a type that the capabilities of the platform name.',
  },
  media_unreachable: {
    kind: 'invalid',
    cause: 'media',
    meaning: 'The file could not be fetched from its URL.',
    next: 'Check that the URL can be opened without login; then call again.',
  },
  media_not_allowed: {
    kind: 'invalid',
    cause: 'media',
    meaning: 'The URL leads to an address that this server does not fetch from, such as a private network.',
    next: 'Give a public URL.',
  },
  media_type_unsupported: {
    kind: 'invalid',
    cause: 'media',
    meaning: 'The platform does not take files of this type.',
    next: otherFile,
  },
  media_too_large: {
    kind: 'invalid',
    cause: 'media',
    meaning: 'The file is larger than the platform takes.',
    next: otherFile,
  },
  result_too_large: {
    kind: 'unprocessable',
    cause: 'tool',
    meaning: 'The answer is larger than a conversation should take; nothing was charged.',
    next: 'Ask for less, as the message tells.',
  },
  declined: {
    kind: 'conflict',
    cause: 'tool',
    meaning: 'The person who was asked said no; nothing was done.',
    next: 'Do not call again unless the user asks for it.',
  },
  rate_limited: {
    kind: 'throttled',
    cause: 'call',
    meaning: 'There were too many calls in a short time.',
    next: 'Wait as long as Retry-After tells, then call again.',
  },
  platform_unavailable: {
    kind: 'unavailable',
    cause: 'asking',
    meaning: 'The platform does not answer at the moment; nothing was charged.',
    next: 'Wait a little, then call again.',
  },
  call_cancelled: {
    kind: 'cancelled',
    cause: 'call',
    meaning: 'The caller went away before anything was done.',
    next: 'Call again if it is still wanted.',
  },
  internal: {
    kind: 'internal',
    cause: 'call',
    meaning: 'Something went wrong on our side; the incident id finds it in the log.',
    next: 'Call again once; if it fails again, tell the operator the incident id.',
  },
} as const satisfies Record<string, ErrorText>;

export type ErrorCode = keyof typeof errorCodes;

const passing: ReadonlySet<ErrorKind> = new Set(['throttled', 'unavailable', 'cancelled', 'internal']);

/** Whether the very same call can succeed later by itself. */
export function isRetryable(code: ErrorCode): boolean {
  return passing.has(errorCodes[code].kind);
}
