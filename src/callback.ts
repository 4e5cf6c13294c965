import { createHmac } from 'node:crypto';
import type { Config } from './config.ts';
import type { Deps } from './deps.ts';
import type { DeliveryError } from './domain/delivery.ts';
import { checkPublicUrl, OutgoingError, type OutgoingErrorCode } from './net/outgoing.ts';
import { discard, retryAfterMs } from './platforms/http.ts';
import type { Queryable } from './store/db.ts';
import {
  findWebhookSecret,
  insertWebhookSecret,
  rotateWebhookSecret,
  type WebhookSecretRow,
} from './store/webhook-secrets.ts';

/** Why deliveries would never be sent to this URL, or undefined. Syntax and literals only; names are resolved when it is called. */
export function callbackProblem(config: Config, url: string): string | undefined {
  if (!checkPublicUrl(url, 'callback', config.allowedPrivateHosts)) return undefined;
  return 'must be a public https URL without credentials; a private host has to be in PHARLO_ALLOWED_PRIVATE_HOSTS';
}

/** What a workspace's deliveries are signed with; the one before signs too until `previousUntil`. */
export type WebhookSecrets = { secret: string; previous?: { secret: string; until: Date } };

type Means = Pick<Deps, 'vault' | 'random'>;

const prefix = 'whsec_';
const context = (workspaceId: string) => `workspace:${workspaceId}:webhook-secret`;

function newSealed({ vault, random }: Means, workspaceId: string): Buffer {
  return vault.seal(context(workspaceId), prefix + Buffer.from(random(32)).toString('base64'));
}

/** The secrets of a workspace, made at the first call. Undefined when the key that sealed them is gone. */
export async function readWebhookSecrets(
  means: Means,
  on: Queryable,
  workspaceId: string,
): Promise<WebhookSecrets | undefined> {
  const known = await findWebhookSecret(on, workspaceId);
  if (known) return opened(means.vault, workspaceId, known);
  await insertWebhookSecret(on, workspaceId, newSealed(means, workspaceId));
  const made = await findWebhookSecret(on, workspaceId);
  return made && opened(means.vault, workspaceId, made);
}

/** Makes a new secret that signs from now on; `now` leaves the old one no overlap. */
export async function rotateWebhookSecrets(
  means: Means,
  on: Queryable,
  workspaceId: string,
  { now }: { now: boolean },
): Promise<WebhookSecrets | undefined> {
  const row = await rotateWebhookSecret(on, workspaceId, newSealed(means, workspaceId), { overlap: !now });
  return opened(means.vault, workspaceId, row);
}

function opened(vault: Means['vault'], workspaceId: string, row: WebhookSecretRow): WebhookSecrets | undefined {
  const secret = vault.open(context(workspaceId), row.secret);
  if (secret === undefined) return undefined;
  const previous = row.previous ? vault.open(context(workspaceId), row.previous) : undefined;
  if (previous === undefined || !row.previousUntil) return { secret };
  return { secret, previous: { secret: previous, until: row.previousUntil } };
}

/**
 * The headers that prove who sent a body: our own, which signs with the secret as it is shown, and those of Standard
 * Webhooks 1.0, which sign with the bytes it stands for. `at` is epoch ms of the try.
 */
export function signatureHeaders(
  { secret, previous }: WebhookSecrets,
  { id, body, at }: { id: string; body: string; at: number },
): Record<string, string> {
  const timestamp = Math.floor(at / 1000);
  const standard = (one: string) => {
    const key = Buffer.from(one.slice(prefix.length), 'base64');
    return `v1,${createHmac('sha256', key).update(`${id}.${timestamp}.${body}`).digest('base64')}`;
  };
  return {
    'x-webhook-signature': createHmac('sha256', secret).update(body).digest('hex'),
    'webhook-id': id,
    'webhook-timestamp': String(timestamp),
    'webhook-signature': [secret, ...(previous ? [previous.secret] : [])].map(standard).join(' '),
  };
}

export type Message = { id: string; url: string; body: string };

/** `httpStatus` alone: the receiver took it. `askedMs` is what it asked to wait. */
export type CallbackAnswer =
  | { httpStatus: number; error?: undefined }
  | { error: DeliveryError; httpStatus?: number; askedMs?: number | undefined };

/**
 * Sends a signed message once. Of the answer only status and Retry-After are looked at; a redirect is a failure. Throws
 * the reason of `signal`.
 */
export async function sendCallback(
  { outgoing, now }: Pick<Deps, 'outgoing' | 'now'>,
  secrets: WebhookSecrets,
  message: Message,
  { withinMs, signal }: { withinMs: number; signal: AbortSignal },
): Promise<CallbackAnswer> {
  const { id, url, body } = message;
  try {
    const response = await outgoing.callback(url, {
      headers: { 'content-type': 'application/json', ...signatureHeaders(secrets, { id, body, at: now() }) },
      body,
      signal: AbortSignal.any([AbortSignal.timeout(withinMs), signal]),
    });
    discard(response);
    return judged(response, now());
  } catch (error) {
    signal.throwIfAborted();
    if (!(error instanceof OutgoingError)) throw error;
    return { error: words[error.code] };
  }
}

function judged({ status: httpStatus, headers }: Response, now: number): CallbackAnswer {
  if (httpStatus >= 200 && httpStatus < 300) return { httpStatus };
  if (httpStatus >= 300 && httpStatus < 400) return { error: 'redirect', httpStatus };
  const asks = httpStatus === 429 || httpStatus === 503;
  return { error: 'http_status', httpStatus, askedMs: asks ? retryAfterMs(headers, now) : undefined };
}

const words: Record<OutgoingErrorCode, DeliveryError> = {
  invalid_url: 'invalid_url',
  blocked_address: 'blocked_address',
  unreachable: 'connection_failed',
  timeout: 'timeout',
  tls: 'tls_failed',
  too_many_redirects: 'redirect',
  redirect_refused: 'redirect',
  too_large: 'connection_failed',
};
