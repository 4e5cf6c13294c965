import { fileTypeFromFile } from 'file-type';
import { type Context, Hono } from 'hono';
import type { SandboxContext } from '../context.ts';
import { onlyMethods, sha256 } from '../http.ts';
import { requireChannel } from './bearer.ts';
import { findChannel, randomId } from './channel.ts';
import { badRequest, GoogleError } from './errors.ts';
import { uploadScopes } from './scopes.ts';
import { appendBody, type ContentRange, chunkUnit, discard, parseContentRange, wholeUnits } from './upload-bytes.ts';
import { maxVideoBytes, startUpload, uploadPath } from './upload-start.ts';
import { findVideo, videoResource } from './video.ts';

type Session = {
  hash: string;
  channelId: string;
  file: string;
  metadata: string;
  parts: string;
  slug: string | null;
  total: number | null;
  kept: number;
  videoId: string | null;
  expiresAt: number;
};

function findSession({ store, now }: SandboxContext, uploadId: string): Session {
  const session = store.get<Session>('SELECT * FROM uploadSession WHERE hash = $hash', { hash: sha256(uploadId) });
  if (!session) throw new GoogleError(404, 'notFound', 'Upload session not found.');
  if (session.expiresAt <= now()) throw new GoogleError(410, 'gone', 'Upload session has expired.');
  return session;
}

function keep({ store }: SandboxContext, session: Session, kept: number, total: number | null): void {
  store.run('UPDATE uploadSession SET kept = $kept, total = $total WHERE hash = $hash', {
    hash: session.hash,
    kept,
    total,
  });
}

function incomplete(kept: number): Response {
  return new Response(null, { status: 308, headers: kept > 0 ? { Range: `bytes=0-${kept - 1}` } : {} });
}

function finished(context: SandboxContext, session: Session): Response {
  const video = findVideo(context, session.videoId ?? '');
  const channel = findChannel(context, session.channelId);
  if (!video || !channel) throw new GoogleError(404, 'notFound', 'Upload session not found.');
  return Response.json(videoResource(context, video, channel, new Set(session.parts.split(','))));
}

/** The moment a video comes to be: one transaction marks the session and inserts the row. */
async function finish(context: SandboxContext, session: Session, bytes: number): Promise<Response> {
  const { store } = context;
  const path = store.mediaPath(session.file);
  const mime = bytes === 0 ? undefined : (await fileTypeFromFile(path).catch(() => undefined))?.mime;
  const failureReason = bytes === 0 ? 'emptyFile' : mime?.startsWith('video/') ? null : 'invalidFile';
  const videoId = randomId(context, 8);
  store.transaction(() => {
    store.run(
      `INSERT INTO video (id, clientId, channelId, file, metadata, slug, bytes, mime, failureReason, createdAt)
       SELECT $videoId, clientId, channelId, file, metadata, slug, $bytes, $mime, $failureReason, $createdAt
       FROM uploadSession JOIN channel ON channel.id = channelId WHERE hash = $hash`,
      { videoId, bytes, mime: mime ?? null, failureReason, createdAt: context.now(), hash: session.hash },
    );
    store.run('UPDATE uploadSession SET videoId = $videoId, kept = $bytes, total = $bytes WHERE hash = $hash', {
      videoId,
      bytes,
      hash: session.hash,
    });
  });
  return finished(context, { ...session, videoId });
}

/** The total size, when it is known; every word about it must agree. */
function agreedTotal(session: Session, range: ContentRange, contentLength: number | undefined): number | undefined {
  const said = range.kind === 'whole' ? contentLength : range.total;
  const total = session.total ?? said;
  if (said !== undefined && said !== total) {
    throw badRequest('badRequest', `The upload has ${total} bytes, but the request says ${said}.`);
  }
  if (total !== undefined && total < session.kept) {
    throw badRequest('badRequest', `The request says ${total} bytes, but ${session.kept} are kept already.`);
  }
  if (total !== undefined && total > maxVideoBytes)
    throw new GoogleError(413, 'uploadTooLarge', 'The video is too large.');
  return total;
}

function checkChunk(range: ContentRange, total: number | undefined, contentLength: number | undefined): void {
  if (range.kind !== 'chunk') return;
  const bytes = range.last - range.first + 1;
  if (contentLength !== undefined && contentLength !== bytes) {
    throw badRequest('badRequest', 'Content-Length does not match Content-Range.');
  }
  if (range.last + 1 !== total && bytes % chunkUnit !== 0) {
    const message = `Every chunk but the last must be a multiple of ${chunkUnit} bytes; this one has ${bytes}.`;
    throw badRequest('badRequest', message);
  }
}

async function receive(context: SandboxContext, c: Context, session: Session, signal: AbortSignal): Promise<Response> {
  const { body } = c.req.raw;
  const range = parseContentRange(c.req.header('Content-Range'));
  const lengthHeader = c.req.header('Content-Length');
  const contentLength = lengthHeader === undefined ? undefined : Number(lengthHeader);
  const total = agreedTotal(session, range, contentLength);
  checkChunk(range, total, contentLength);

  const first = range.kind === 'chunk' ? range.first : range.kind === 'probe' ? session.kept : 0;
  if (first > session.kept) {
    await discard(body);
    return incomplete(session.kept);
  }
  const { offset, position, ended } = await appendBody({
    path: context.store.mediaPath(session.file),
    body,
    first,
    kept: session.kept,
    end: range.kind === 'chunk' ? range.last + 1 : range.kind === 'probe' ? first : (total ?? maxVideoBytes),
    signal,
    onSynced: (synced) => keep(context, session, wholeUnits(synced), total ?? null),
  });
  if (ended === 'overlong') throw badRequest('badRequest', 'The body is longer than announced.');
  const endOfUnknown = range.kind === 'whole' && total === undefined && ended === 'clean' && offset === position;
  if (position === total || endOfUnknown) return finish(context, session, position);
  const kept = wholeUnits(position);
  keep(context, session, kept, total ?? null);
  return incomplete(kept);
}

/** A session has one writer: a newer request ends the older one, whose connection is most likely dead, and waits for it. */
function singleWriter() {
  const writers = new Map<string, { controller: AbortController; done: Promise<void> }>();
  return {
    async run<T>(key: string, work: (signal: AbortSignal) => Promise<T>): Promise<T> {
      const earlier = writers.get(key);
      const controller = new AbortController();
      const { promise: done, resolve } = Promise.withResolvers<void>();
      const writer = { controller, done };
      writers.set(key, writer);
      earlier?.controller.abort();
      await earlier?.done;
      try {
        return await work(controller.signal);
      } finally {
        resolve();
        if (writers.get(key) === writer) writers.delete(key);
      }
    },
  };
}

/** Resumable upload as of videos.insert. */
export function uploadRoutes(context: SandboxContext): Hono {
  const routes = new Hono();
  const writer = singleWriter();
  routes.post(uploadPath, (c) => startUpload(context, c));
  routes.put(uploadPath, async (c) => {
    const uploadId = c.req.query('upload_id') ?? '';
    const { hash } = findSession(context, uploadId);
    // The session URI is a secret that suffices, but a bearer that is sent must be good.
    if (c.req.header('Authorization') !== undefined) requireChannel(context, c, uploadScopes);
    return writer.run(hash, async (signal) => {
      const session = findSession(context, uploadId);
      if (session.videoId === null) return receive(context, c, session, signal);
      await discard(c.req.raw.body);
      return finished(context, session);
    });
  });
  routes.all(uploadPath, onlyMethods('POST', 'PUT'));
  return routes;
}
