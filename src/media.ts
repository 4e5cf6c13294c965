import { fileTypeFromBuffer } from 'file-type';
import type { Deps } from './deps.ts';
import type { ErrorCode } from './domain/errors.ts';
import { flowing } from './domain/floor-rate.ts';
import { checkPublicUrl, OutgoingError } from './net/outgoing.ts';
import { type MediaRules, type MediaStream, PlatformFailure } from './platforms/contract.ts';

/** Enough for every container format the sniffer knows. */
const sniffBytes = 4100;
const probeTimeoutMs = 15_000;

type Place = { url: string; sandbox: boolean };

function isSample(deps: Deps, place: Place): boolean {
  const { sandboxUrl } = deps.config;
  return place.sandbox && sandboxUrl !== undefined && place.url === `${sandboxUrl}/sample.mp4`;
}

/** A GET of a caller's media. Sandbox channels may always use the sample that ships with the sandbox. */
function get(deps: Deps, place: Place, headers: Record<string, string>, signal: AbortSignal): Promise<Response> {
  const { sandboxUrl } = deps.config;
  if (sandboxUrl && isSample(deps, place)) return deps.outgoing.sandbox(sandboxUrl)(place.url, { headers, signal });
  return deps.outgoing.media(place.url, { headers, signal });
}

export type MediaProblem = { code: ErrorCode; message: string };

/** What the first bytes of a file show, or why it cannot be used. Nothing is kept. */
export async function probeMedia(
  deps: Deps,
  place: Place,
  rules: MediaRules,
  signal: AbortSignal,
): Promise<{ contentType: string; sizeBytes?: number } | MediaProblem> {
  if (!isSample(deps, place) && checkPublicUrl(place.url, 'media', deps.config.allowedPrivateHosts)) {
    return {
      code: 'media_not_allowed',
      message:
        'must be a public http(s) URL without credentials; a private host has to be in PHARLO_ALLOWED_PRIVATE_HOSTS',
    };
  }
  let response: Response;
  try {
    const ending = AbortSignal.any([signal, AbortSignal.timeout(probeTimeoutMs)]);
    response = await get(deps, place, { range: `bytes=0-${sniffBytes - 1}` }, ending);
  } catch {
    return unreachable;
  }
  if (response.status !== 200 && response.status !== 206) {
    await response.body?.cancel();
    return { code: 'media_unreachable', message: `answered with status ${response.status} instead of the file` };
  }
  const sizeBytes = totalOf(response, 0);
  if (sizeBytes !== undefined && sizeBytes > rules.maxBytes) {
    await response.body?.cancel();
    return { code: 'media_too_large', message: `is ${sizeBytes} bytes; at most ${rules.maxBytes} are allowed` };
  }
  const head = await readHead(response).catch(() => undefined);
  if (head === undefined) return { code: 'media_unreachable', message: 'stopped answering while it was read' };
  const contentType = (await fileTypeFromBuffer(head))?.mime;
  if (contentType === undefined || !rules.contentTypes.includes(contentType)) {
    const seen = contentType ? `is ${contentType}` : 'is no media file';
    return { code: 'media_type_unsupported', message: `${seen}; allowed: ${rules.contentTypes.join(', ')}` };
  }
  return { contentType, ...(sizeBytes !== undefined && { sizeBytes }) };
}

/** The same words whether a host is blocked or does not answer: nobody maps a private network with them. */
const unreachable: MediaProblem = { code: 'media_unreachable', message: 'could not be reached' };

const lasting = new Set(['invalid_url', 'blocked_address', 'too_many_redirects', 'redirect_refused']);

/** The file's size as the answer tells it; `offset` is where a 206 was asked to start. */
function totalOf(response: Response, offset: number): number | undefined {
  if (response.status === 206) {
    const match = /^bytes (\d+)-\d+\/(\d+)$/.exec(response.headers.get('content-range') ?? '');
    return match && Number(match[1]) === offset ? Number(match[2]) : undefined;
  }
  const length = response.headers.get('content-length');
  return length !== null && /^\d+$/.test(length) ? Number(length) : undefined;
}

async function readHead(response: Response): Promise<Uint8Array> {
  const parts: Uint8Array[] = [];
  let size = 0;
  if (response.body) {
    for await (const part of response.body) {
      parts.push(part);
      size += part.length;
      if (size >= sniffBytes) break;
    }
  }
  return Buffer.concat(parts).subarray(0, sniffBytes);
}

/** `version` tells one state of the file from another, as far as the source says: its entity tag, or its date. */
export type OpenedMedia = MediaStream & { version?: string };

/**
 * Opens a file for publishing at a byte offset. A source that knows no ranges is read from the start and the bytes
 * before the offset are dropped. With the `version` an earlier part was read from, another one is refused: a mixture of
 * two files would be published. Throws PlatformFailure: `retry` when it may heal, `rejected` when it will not.
 */
export async function openMedia(
  deps: Deps,
  place: Place,
  known: { contentType: string; offset: number; version?: string | undefined; signal: AbortSignal },
): Promise<OpenedMedia> {
  const { offset, version: before, signal } = known;
  const headers: Record<string, string> = offset > 0 ? { range: `bytes=${offset}-` } : {};
  // RFC 9110 §13.1.5: a weak tag is no condition for a range.
  if (offset > 0 && before && !before.startsWith('W/')) headers['if-range'] = before;
  let response = await getForPublishing(deps, place, headers, signal);
  if (offset > 0 && response.status === 206 && totalOf(response, offset) === undefined) {
    // Not the part that was asked for: only the whole file can be trusted.
    await response.body?.cancel();
    response = await getForPublishing(deps, place, {}, signal);
  }
  const inPart = response.status === 206 && totalOf(response, offset) !== undefined;
  if (response.status !== 200 && !inPart) {
    await response.body?.cancel();
    const heals = response.status >= 500 || response.status === 429 || response.status === 408;
    const text = `The media answered with status ${response.status} instead of the file.`;
    throw new PlatformFailure(heals ? 'retry' : 'rejected', 'media_unreachable', text);
  }
  const version = response.headers.get('etag') ?? response.headers.get('last-modified') ?? undefined;
  if (before !== undefined && version !== undefined && version !== before) {
    await response.body?.cancel();
    throw new PlatformFailure('rejected', 'media_changed', 'The media file changed while it was being uploaded.');
  }
  const total = totalOf(response, offset);
  const source = response.body ?? new ReadableStream<Uint8Array>({ start: (controller) => controller.close() });
  const body = !inPart && offset > 0 ? dropped(source, offset) : source;
  return {
    body: healing(
      flowing(body, () => performance.now()),
      signal,
    ),
    contentType: known.contentType,
    ...(total !== undefined && { total }),
    ...(version !== undefined && { version }),
  };
}

async function getForPublishing(deps: Deps, place: Place, headers: Record<string, string>, signal: AbortSignal) {
  try {
    return await get(deps, place, headers, signal);
  } catch (error) {
    signal.throwIfAborted();
    const refused = error instanceof OutgoingError && lasting.has(error.code);
    throw new PlatformFailure(refused ? 'rejected' : 'retry', unreachable.code, `The media ${unreachable.message}.`);
  }
}

async function* dropped(body: AsyncIterable<Uint8Array>, bytes: number): AsyncGenerator<Uint8Array> {
  let left = bytes;
  for await (const part of body) {
    if (left < part.length) yield part.subarray(left);
    left = Math.max(0, left - part.length);
  }
}

/** A source that breaks off in the middle is a passing failure: the upload goes on from what the platform kept. */
async function* healing(body: AsyncGenerator<Uint8Array>, signal: AbortSignal): AsyncGenerator<Uint8Array> {
  try {
    yield* body;
  } catch {
    signal.throwIfAborted();
    throw new PlatformFailure('retry', 'media_unreachable', 'The media stopped answering while it was read.');
  }
}
