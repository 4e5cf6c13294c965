import { ByteReader } from '../byte-reader.ts';
import { type Draft, PlatformFailure, type Progress, type StepIo, type StepResult } from '../contract.ts';
import { discard, unreachable } from '../http.ts';
import { pieceRequest, readSessionAnswer, unit } from './session.ts';
import { forgetSession, parseState, sessionLost, type UploadState, uploaded } from './state.ts';
import { agreedTotal, mediaChanged } from './upload.ts';

/**
 * Sends the last piece, which makes the video. A failure other than `unknown` is thrown only when it is certain that
 * none was made; the job may then go on with `upload`, which asks the session how far it is.
 */
export async function publish(_draft: Draft, progress: Progress, io: StepIo): Promise<StepResult> {
  const before = parseState(progress);
  const { sessionUri, total, sent } = before;
  if (sessionUri === undefined || total === undefined || sent === undefined) throw incomplete();
  const body = await readLastPiece(total, sent, io);
  await io.save({ ...before, lastPieceSent: true });

  const request = pieceRequest({ offset: sent, length: body.byteLength, total, body }, io);
  const response = await io.network.fetch(sessionUri, request).catch((error: unknown) => {
    io.signal.throwIfAborted();
    return neverSent(error) ? undefined : Promise.reject(answerLost());
  });
  if (!response) return takeBack(before, unreachable(), io);
  const { status } = response;
  if (status >= 500 || status === 408 || status < 200 || (status > 201 && status < 400 && status !== 308)) {
    discard(response);
    throw answerLost();
  }
  const answer = await readSessionAnswer(response, io).catch((error: unknown) => {
    if (error instanceof PlatformFailure) return takeBack(before, error, io);
    throw error;
  });
  if (answer.state === 'open') return takeBack(before, incomplete(), io);
  if (answer.state === 'gone') {
    await forgetSession(before, io);
    throw sessionLost();
  }
  if (answer.postId === undefined) throw answerLost();
  io.report(total, total);
  return uploaded(answer.postId, io.network);
}

/** All bytes from `sent` on, which must be exactly those that are missing. */
async function readLastPiece(total: number, sent: number, io: StepIo): Promise<Uint8Array> {
  const media = await io.openMedia(0, sent);
  using reader = new ByteReader(media.body, io.signal);
  agreedTotal(total, media.total);
  const left = await reader.leftWithin(unit);
  if (left === undefined || left > total - sent) throw mediaChanged();
  const pieces: Uint8Array[] = [];
  for await (const piece of reader.take(total - sent)) pieces.push(piece);
  return Buffer.concat(pieces);
}

/** The last piece was clearly not taken, so the job may go on as if it had never been sent. */
async function takeBack(before: UploadState, failure: unknown, io: StepIo): Promise<never> {
  await io.save(before);
  throw failure;
}

/** True when the error itself says that no byte of the request left this machine. */
function neverSent(error: unknown): boolean {
  return error instanceof Error && 'sent' in error && error.sent === false;
}

function incomplete(): PlatformFailure {
  return new PlatformFailure('retry', 'upload_incomplete', 'YouTube does not have the whole file yet.');
}

function answerLost(): PlatformFailure {
  return new PlatformFailure('unknown', 'answer_lost', 'The end of the file was sent, but no clear answer came.');
}
