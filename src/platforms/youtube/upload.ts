import { ByteReader } from '../byte-reader.ts';
import { type Draft, PlatformFailure, type Progress, type StepIo, type StepResult } from '../contract.ts';
import { send, unexpectedAnswer } from '../http.ts';
import { beforeLastPiece, pieceRequest, probe, readSessionAnswer, startSession } from './session.ts';
import { forgetSession, parseState, sessionLost, type UploadState, uploaded } from './state.ts';

const pieceBytes = 8 * 1024 * 1024;

/**
 * Sends all but the last piece. No video can exist before the last byte, so everything here may be repeated: the
 * session is asked how far it is, and the media is opened again from there.
 */
export async function upload(draft: Draft, progress: Progress, io: StepIo): Promise<StepResult> {
  let state = parseState(progress);
  let reached = -1;
  let restarted = false;
  for (;;) {
    const session = state.sessionUri === undefined ? undefined : await probe(state.sessionUri, state.total, io);
    if (session?.state === 'complete') {
      if (session.postId === undefined) throw unexpectedAnswer();
      return uploaded(session.postId, io.network);
    }
    if (session?.state === 'gone') {
      if (restarted) throw sessionLost();
      restarted = true;
      reached = -1;
      state = await forgetSession(state, io);
      continue;
    }

    const sent = session?.kept ?? 0;
    if (state.total !== undefined && sent >= state.total) throw unexpectedAnswer();
    if (sent <= reached) throw new PlatformFailure('retry', 'upload_stalled', 'YouTube does not keep what is sent.');
    reached = sent;
    // An open session proves that no last piece was taken.
    state = { ...state, sent, lastPieceSent: undefined };
    if (onlyLastPieceLeft(state)) return { state: 'ready', progress: state };
    state = await sendPieces(draft, state, io);
    if (onlyLastPieceLeft(state)) return { state: 'ready', progress: state };
  }
}

/** The total the source tells must be the one known from before; throws `rejected`. */
export function agreedTotal(known: number | undefined, told: number | undefined): number | undefined {
  if (known !== undefined && told !== undefined && known !== told) throw mediaChanged();
  const total = known ?? told;
  if (total === 0) throw new PlatformFailure('rejected', 'media_empty', 'The media file is empty.');
  return total;
}

export function mediaChanged(): PlatformFailure {
  return new PlatformFailure('rejected', 'media_changed', 'The media file changed while it was being uploaded.');
}

function onlyLastPieceLeft({ total, sent }: UploadState): boolean {
  return total !== undefined && sent !== undefined && sent < total && beforeLastPiece(total - sent) === 0;
}

/** Sends piece after piece from one opening of the media, until only the last is left or an answer is not as expected. */
async function sendPieces(draft: Draft, start: UploadState, io: StepIo): Promise<UploadState> {
  let offset = start.sent ?? 0;
  const media = await io.openMedia(0, offset);
  using reader = new ByteReader(media.body, io.signal);
  let total = agreedTotal(start.total, media.total) ?? (await totalAhead(reader, offset));
  const sessionUri = start.sessionUri ?? (await startSession(draft, { contentType: media.contentType, total }, io));
  for (;;) {
    total ??= await totalAhead(reader, offset);
    const state: UploadState = { ...start, sessionUri, sent: offset, ...(total !== undefined && { total }) };
    // Before any byte goes: a session nobody remembers could not be asked.
    await io.save(state);
    const length = Math.min(pieceBytes, total === undefined ? pieceBytes : beforeLastPiece(total - offset));
    if (length === 0) return state;
    const body = reported(reader.take(length), offset, total, io);
    const kept = await sendPiece({ sessionUri, offset, length, total, body }, reader, io);
    if (kept !== offset + length) return state;
    offset = kept;
  }
}

/** The total of a source that does not tell it, when its end is less than a piece away. */
async function totalAhead(reader: ByteReader, offset: number): Promise<number | undefined> {
  const left = await reader.leftWithin(pieceBytes);
  return left === undefined ? undefined : agreedTotal(undefined, offset + left);
}

type SentPiece = Parameters<typeof pieceRequest>[0] & { sessionUri: string };

/** How many bytes the session keeps afterwards; undefined when it is not open any more. */
async function sendPiece(piece: SentPiece, reader: ByteReader, io: StepIo): Promise<number | undefined> {
  const answer = await send(io.network, piece.sessionUri, pieceRequest(piece, io))
    .then((response) => readSessionAnswer(response, io))
    .catch((error: unknown) => {
      throw reader.failure ?? error;
    });
  if (reader.failure !== undefined) throw reader.failure;
  return answer.state === 'open' ? answer.kept : undefined;
}

async function* reported(pieces: AsyncIterable<Uint8Array>, offset: number, total: number | undefined, io: StepIo) {
  let sent = offset;
  for await (const piece of pieces) {
    yield piece;
    sent += piece.byteLength;
    io.report(sent, total);
  }
}
