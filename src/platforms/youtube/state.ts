import { z } from 'zod';
import { type Network, PlatformFailure, type Progress, type StepIo, type StepResult } from '../contract.ts';

const schema = z.object({
  /** Where the bytes go; whoever knows it may write to the session. */
  sessionUri: z.string().optional(),
  /** Size of the file in bytes, once it is known. */
  total: z.number().optional(),
  /** Bytes the session has said it keeps. */
  sent: z.number().optional(),
  /** Set before the last piece leaves; until its outcome is known the video may exist, whatever the session says. */
  lastPieceSent: z.literal(true).optional(),
  postId: z.string().optional(),
  polls: z.number().optional(),
  /** True once the platform has shown the video. */
  seen: z.literal(true).optional(),
});

/** What is kept between the steps of one upload. */
export type UploadState = z.infer<typeof schema>;

export function parseState(progress: Progress): UploadState {
  return schema.parse(progress);
}

/** The video exists; the session and its secret are of no more use. */
export function uploaded(postId: string, network: Network): StepResult & { state: 'uploaded' } {
  return { state: 'uploaded', postId, progress: { postId, polls: 0 }, afterMs: pollDelay(network, 0) };
}

/** 2 s growing to 30 s; half a second on the sandbox, whose videos are ready within seconds. */
export function pollDelay(network: Network, polls: number): number {
  return network.sandbox ? 500 : Math.min(Math.round(2000 * 1.5 ** Math.min(polls, 20)), 30_000);
}

/**
 * Forgets a session the platform no longer knows, so that the next upload opens a new one. That is safe while its
 * last piece was never sent, since no video exists before the last byte; else throws `unknown`.
 */
export async function forgetSession({ total, lastPieceSent }: UploadState, io: StepIo): Promise<UploadState> {
  if (lastPieceSent) throw lostAfterLastPiece();
  const state: UploadState = total === undefined ? {} : { total };
  await io.save(state);
  return state;
}

export function lostAfterLastPiece(): PlatformFailure {
  const message = 'YouTube no longer knows the upload, and its last answer was lost.';
  return new PlatformFailure('unknown', 'upload_session_lost', message);
}

export function sessionLost(): PlatformFailure {
  return new PlatformFailure('retry', 'upload_session_lost', 'YouTube no longer knows the upload; it starts again.');
}
