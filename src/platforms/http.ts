import type { z } from 'zod';
import { type Network, PlatformFailure, type PlatformFetch } from './contract.ts';

const bodyLimit = 64 * 1024;
const longestWaitMs = 24 * 3_600_000;

type Request = NonNullable<Parameters<PlatformFetch>[1]> & { signal: AbortSignal };

/** Sends a request that may be repeated. Throws the signal's reason, a failure of the body's source, or `retry`. */
export async function send(network: Network, url: string, request: Request): Promise<Response> {
  try {
    return await network.fetch(url, request);
  } catch (error) {
    request.signal.throwIfAborted();
    if (error instanceof PlatformFailure) throw error;
    throw unreachable();
  }
}

export function unreachable(): PlatformFailure {
  return new PlatformFailure('retry', 'platform_unreachable', 'The platform could not be reached.');
}

/** The body as JSON; undefined when it is broken, no JSON or longer than 64 KiB. Throws the signal's reason. */
export async function readJson(response: Response, signal: AbortSignal): Promise<unknown> {
  const pieces: Uint8Array[] = [];
  let bytes = 0;
  try {
    // Leaving the loop cancels the stream.
    for await (const piece of response.body ?? []) {
      bytes += piece.byteLength;
      if (bytes > bodyLimit) return undefined;
      pieces.push(piece);
    }
    return JSON.parse(Buffer.concat(pieces).toString('utf8'));
  } catch {
    signal.throwIfAborted();
    return undefined;
  }
}

/** Ends a body nobody reads, so that its connection is freed. */
export function discard(response: Response): void {
  response.body?.cancel().catch(() => {});
}

/** The successful answer in the shape it should have; throws `retry` when it has another. */
export async function readAnswer<T>(response: Response, schema: z.ZodType<T>, signal: AbortSignal): Promise<T> {
  const answer = schema.safeParse(await readJson(response, signal));
  if (answer.success) return answer.data;
  throw unexpectedAnswer();
}

export function unexpectedAnswer(): PlatformFailure {
  return new PlatformFailure('retry', 'platform_unexpected', 'The platform gave an answer that cannot be understood.');
}

/** Retry-After in ms, seconds or date (RFC 9110 §10.2.3), at most a day; undefined when there is none. */
export function retryAfterMs(headers: Headers, now: number | undefined): number | undefined {
  const value = headers.get('Retry-After')?.trim() ?? '';
  const wait = /^\d{1,9}$/.test(value)
    ? Number(value) * 1000
    : now === undefined
      ? Number.NaN
      : Date.parse(value) - now;
  return Number.isNaN(wait) ? undefined : Math.min(Math.max(wait, 0), longestWaitMs);
}
