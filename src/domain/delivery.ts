export const deliveryStatuses = ['pending', 'delivered', 'failed'] as const;
export type DeliveryStatus = (typeof deliveryStatuses)[number];

/** Why a try failed; nothing a receiver said is among the words. */
export const deliveryErrors = [
  'timeout',
  'connection_failed',
  'tls_failed',
  'blocked_address',
  'invalid_url',
  'redirect',
  'http_status',
  'interrupted',
  'secret_unreadable',
] as const;
export type DeliveryError = (typeof deliveryErrors)[number];

const second = 1000;
const minute = 60 * second;
const hour = 60 * minute;

/** Ms to wait after the first, second, … failed try. */
const waits = [5 * second, 30 * second, 2 * minute, 10 * minute, hour, 6 * hour];

/** Tries of a delivery while a newer one of the same assignment waits behind it. */
export const overtakenTries = 3;

/** How often a delivery is tried in all. A test is watched by a person, who can send another one. */
export function maxTries({ assignmentId }: { assignmentId: string | null }): number {
  return assignmentId === null ? 1 : waits.length + 1;
}

/** A receiver's Retry-After is followed up to here. */
const longestAskedMs = hour;

/** Ms until the next try after `tries` failed ones; `jitter` is from 0 to 1, `askedMs` what the receiver asked for. */
export function retryDelayMs(tries: number, jitter: number, askedMs = 0): number {
  const wait = waits[Math.min(tries, waits.length) - 1] ?? second;
  return Math.max(wait * (0.9 + 0.2 * jitter), Math.min(askedMs, longestAskedMs));
}
