import { z } from 'zod';
import { type Draft, PlatformFailure, type Progress, type StepIo, type StepResult } from '../contract.ts';
import { list } from './api.ts';
import { parseState, pollDelay } from './state.ts';

/** A video just made may not be listed at once; one that was never seen is given this many looks. */
const patience = 3;

const videos = z.object({
  items: z
    .array(
      z.object({
        status: z.object({
          uploadStatus: z.string(),
          failureReason: z.string().optional(),
          rejectionReason: z.string().optional(),
        }),
        processingDetails: z.object({ processingStatus: z.string().optional() }).optional(),
      }),
    )
    .default([]),
});

const failures: Readonly<Record<string, string>> = {
  codec: 'YouTube cannot read the codec of the video.',
  conversion: 'YouTube could not convert the video.',
  emptyFile: 'YouTube says that the file is empty.',
  invalidFile: 'YouTube says that the file is no video.',
  tooSmall: 'YouTube says that the file is too small.',
  uploadAborted: 'YouTube says that the upload was aborted.',
};

const rejections: Readonly<Record<string, [code: string, message: string]>> = {
  claim: ['claim', 'YouTube rejected the video because of a rights claim.'],
  copyright: ['copyright', 'YouTube rejected the video because of copyright.'],
  duplicate: ['duplicate', 'YouTube rejected the video because the channel already has it.'],
  inappropriate: ['inappropriate', 'YouTube rejected the video as inappropriate.'],
  legal: ['legal', 'YouTube rejected the video for legal reasons.'],
  length: ['length', 'YouTube rejected the video because it is too long for the channel.'],
  termsOfUse: ['terms_of_use', 'YouTube rejected the video because of its terms of use.'],
  trademark: ['trademark', 'YouTube rejected the video because of a trademark.'],
  uploaderAccountClosed: ['account_closed', 'YouTube rejected the video because the account is closed.'],
  uploaderAccountSuspended: ['account_suspended', 'YouTube rejected the video because the account is suspended.'],
};

/** Asks how far YouTube's processing is. */
export async function check(draft: Draft, progress: Progress, io: StepIo): Promise<StepResult> {
  const state = parseState(progress);
  const { postId, polls = 0 } = state;
  if (postId === undefined) throw new Error('a check needs the id of the video');
  const { items } = await list(io, 'videos', { part: 'status,processingDetails', id: postId }, videos);
  const wait = (seen: boolean): StepResult => ({
    state: 'processing',
    postId,
    progress: { ...state, polls: polls + 1, ...(seen && { seen: true }) },
    afterMs: pollDelay(io.network, polls + 1),
  });

  const [video] = items;
  if (!video) {
    if (!state.seen && polls + 1 < patience) return wait(false);
    throw refused('post_gone', 'The video is no longer on YouTube.');
  }
  const { uploadStatus, failureReason = '', rejectionReason = '' } = video.status;
  if (uploadStatus === 'processed') return { state: 'published', postId, url: watchUrl(draft, postId, io) };
  if (uploadStatus === 'failed') throw processingFailed(failureReason);
  if (uploadStatus === 'rejected') throw rejected(rejectionReason);
  if (uploadStatus === 'deleted') throw refused('post_gone', 'The video was deleted on YouTube.');
  const { processingStatus = '' } = video.processingDetails ?? {};
  if (['failed', 'terminated'].includes(processingStatus)) throw processingFailed('');
  return wait(true);
}

function watchUrl({ type }: Draft, postId: string, { network }: StepIo): string {
  if (network.sandbox) return `${network.bases.api}/watch?v=${postId}`;
  return type === 'short' ? `https://www.youtube.com/shorts/${postId}` : `https://www.youtube.com/watch?v=${postId}`;
}

function processingFailed(reason: string): PlatformFailure {
  const known = Object.hasOwn(failures, reason) ? failures[reason] : undefined;
  return refused('processing_failed', known ?? 'YouTube could not process the video.');
}

function rejected(reason: string): PlatformFailure {
  const known = Object.hasOwn(rejections, reason) ? rejections[reason] : undefined;
  const [code, message] = known ?? ['other', 'YouTube rejected the video.'];
  return refused(`post_rejected_${code}`, message);
}

function refused(code: string, message: string): PlatformFailure {
  return new PlatformFailure('unmade', code, message);
}
