import { z } from 'zod';
import { type Draft, type Network, PlatformFailure, type PlatformFetch, type StepIo } from '../contract.ts';
import { discard, readJson, send, unexpectedAnswer } from '../http.ts';
import { failureOf } from './errors.ts';
import { payload, videoResource } from './payload.ts';

export const bases = {
  consent: 'https://accounts.google.com',
  token: 'https://oauth2.googleapis.com',
  api: 'https://www.googleapis.com',
  upload: 'https://www.googleapis.com',
};
export const hosts = ['www.googleapis.com', 'youtube.googleapis.com', 'oauth2.googleapis.com'];

/** Every piece but the last is a multiple of this many bytes. */
export const unit = 256 * 1024;

/** How many of `left` bytes go before the last piece, which holds 1 to `unit` bytes. */
export function beforeLastPiece(left: number): number {
  return left - (((left - 1) % unit) + 1);
}

export type SessionAnswer =
  /** `kept` bytes are there; the next one has that offset. */
  { state: 'open'; kept: number } | { state: 'complete'; postId: string | undefined } | { state: 'gone' };

const videoId = z.object({ id: z.string().regex(/^[\w-]{1,64}$/) });

/** Opens a resumable session, which makes no video yet. The session URI gets a bearer, so its origin is checked. */
export async function startSession(
  draft: Draft,
  media: { contentType: string; total: number | undefined },
  io: StepIo,
): Promise<string> {
  const { network, accessToken, signal } = io;
  const parsed = payload.safeParse(draft.payload);
  if (!parsed.success) {
    throw new PlatformFailure('rejected', 'payload_invalid', 'The payload no longer fits what YouTube accepts.');
  }
  const { notifySubscribers } = parsed.data;
  const query = new URLSearchParams({ uploadType: 'resumable', part: 'snippet,status' });
  if (!notifySubscribers) query.set('notifySubscribers', 'false');
  const response = await send(network, `${network.bases.upload}/upload/youtube/v3/videos?${query}`, {
    method: 'POST',
    headers: {
      Authorization: `Bearer ${accessToken}`,
      'Content-Type': 'application/json; charset=UTF-8',
      'X-Upload-Content-Type': media.contentType.startsWith('video/') ? media.contentType : 'application/octet-stream',
      ...(media.total !== undefined && { 'X-Upload-Content-Length': String(media.total) }),
      // Becomes the file name its owner can read back; percent-encoded (RFC 5023 §9.7).
      Slug: encodeURIComponent(draft.publicName),
    },
    body: JSON.stringify(videoResource(parsed.data)),
    signal,
  });
  if (response.status !== 200) throw await failureOf(response, io);
  discard(response);
  const location = response.headers.get('Location');
  if (location === null) throw unexpectedAnswer();
  return trusted(location, network);
}

function trusted(location: string, network: Network): string {
  const url = URL.parse(location);
  const origins = [network.bases.upload, network.bases.api].map((base) => new URL(base).origin);
  if (network.bases.upload === bases.upload) origins.push(...hosts.map((host) => `https://${host}`));
  if (url && url.username === '' && url.password === '' && origins.includes(url.origin)) return url.href;
  const message = 'The platform named an upload address that does not belong to it.';
  throw new PlatformFailure('rejected', 'upload_url_refused', message);
}

/** Asks a session how far it is; an empty request changes nothing and may be repeated. */
export async function probe(sessionUri: string, total: number | undefined, io: StepIo): Promise<SessionAnswer> {
  const response = await send(io.network, sessionUri, {
    method: 'PUT',
    headers: {
      Authorization: `Bearer ${io.accessToken}`,
      'Content-Length': '0',
      'Content-Range': `bytes */${total ?? '*'}`,
    },
    signal: io.signal,
  });
  return readSessionAnswer(response, io);
}

type Piece = {
  offset: number;
  length: number;
  total: number | undefined;
  body: Uint8Array | AsyncIterable<Uint8Array>;
};

/** The request that carries one piece. */
export function pieceRequest({ offset, length, total, body }: Piece, io: StepIo) {
  return {
    method: 'PUT',
    headers: {
      Authorization: `Bearer ${io.accessToken}`,
      'Content-Length': String(length),
      'Content-Range': `bytes ${offset}-${offset + length - 1}/${total ?? '*'}`,
    },
    body,
    signal: io.signal,
  } satisfies Parameters<PlatformFetch>[1];
}

/** What the session says to a probe or a piece; throws PlatformFailure for every other answer. */
export async function readSessionAnswer(response: Response, io: StepIo): Promise<SessionAnswer> {
  if (response.status === 200 || response.status === 201) {
    return { state: 'complete', postId: videoId.safeParse(await readJson(response, io.signal)).data?.id };
  }
  if (response.status === 308) {
    discard(response);
    // Without the header nothing is kept.
    const range = response.headers.get('Range') ?? 'bytes=0--1';
    const last = /^bytes=0-(-1|\d{1,15})$/.exec(range)?.[1];
    if (last === undefined) throw unexpectedAnswer();
    return { state: 'open', kept: Number(last) + 1 };
  }
  if (response.status === 404 || response.status === 410) {
    discard(response);
    return { state: 'gone' };
  }
  throw await failureOf(response, io);
}
