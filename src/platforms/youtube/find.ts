import { z } from 'zod';
import { type Draft, type FindResult, PlatformFailure, type Progress, type StepIo } from '../contract.ts';
import { list } from './api.ts';
import { probe, type SessionAnswer } from './session.ts';
import { parseState, type UploadState, uploaded } from './state.ts';

const pageSize = '50';
const maxPages = 5;

/**
 * Looks for the video a crashed last piece may have made. The session is an exact witness: complete with the id, or
 * open and certainly without a video. Once it is gone, only a video that carries the public name as its file name
 * proves anything: that the name given at the start is shown there is not documented, and the list of uploads may be
 * late. So nothing found there is `unclear`, except where the last piece never left.
 */
export async function find(draft: Draft, progress: Progress, io: StepIo): Promise<FindResult> {
  const state = parseState(progress);
  if (state.postId !== undefined) return uploaded(state.postId, io.network);
  if (state.sessionUri === undefined) return { state: 'absent', progress: state };
  const session = await ask(state.sessionUri, state, io);
  if (session?.state === 'open') {
    return { state: 'absent', progress: { ...state, sent: session.kept, lastPieceSent: undefined } };
  }
  if (session?.state === 'gone' && !state.lastPieceSent) {
    return { state: 'absent', progress: state.total === undefined ? {} : { total: state.total } };
  }
  const known = session?.state === 'complete' ? session.postId : undefined;
  const postId = known ?? (await findByFileName(draft, io));
  return postId === undefined ? { state: 'unclear' } : uploaded(postId, io.network);
}

/** Undefined when the platform refuses to say. */
async function ask(sessionUri: string, { total }: UploadState, io: StepIo): Promise<SessionAnswer | undefined> {
  try {
    return await probe(sessionUri, total, io);
  } catch (error) {
    if (error instanceof PlatformFailure && error.kind === 'rejected') return undefined;
    throw error;
  }
}

const uploadLists = z.object({
  items: z
    .array(
      z.object({
        id: z.string(),
        contentDetails: z.object({ relatedPlaylists: z.object({ uploads: z.string() }) }),
      }),
    )
    .default([]),
});

const page = z.object({
  nextPageToken: z.string().optional(),
  items: z.array(z.object({ contentDetails: z.object({ videoId: z.string() }) })).default([]),
});

const files = z.object({
  items: z
    .array(z.object({ id: z.string(), fileDetails: z.object({ fileName: z.string().optional() }).optional() }))
    .default([]),
});

/** The channel's newest 250 videos; never search.list, whose index is late and whose quota is small. */
async function findByFileName({ accountId, publicName }: Draft, io: StepIo): Promise<string | undefined> {
  const channels = await list(io, 'channels', { part: 'contentDetails', mine: 'true' }, uploadLists);
  const playlistId = channels.items.find(({ id }) => id === accountId)?.contentDetails.relatedPlaylists.uploads;
  if (!playlistId) return undefined;
  let pageToken: string | undefined;
  for (let pages = 0; pages < maxPages; pages++) {
    const query = {
      part: 'contentDetails',
      playlistId,
      maxResults: pageSize,
      fields: 'nextPageToken,items(contentDetails(videoId))',
      ...(pageToken !== undefined && { pageToken }),
    };
    const listed = await list(io, 'playlistItems', query, page);
    const ids = listed.items.map(({ contentDetails }) => contentDetails.videoId);
    if (ids.length === 0) return undefined;
    const details = { part: 'fileDetails', id: ids.join(','), fields: 'items(id,fileDetails(fileName))' };
    const { items } = await list(io, 'videos', details, files);
    const match = items.find(({ fileDetails }) => isNamed(fileDetails?.fileName, publicName));
    if (match) return match.id;
    if (listed.nextPageToken === undefined) return undefined;
    pageToken = listed.nextPageToken;
  }
  return undefined;
}

/** The exact name, with or without an extension the platform may have put on. */
function isNamed(fileName: string | undefined, publicName: string): boolean {
  return fileName === publicName || fileName?.replace(/\.\w{1,5}$/, '') === publicName;
}
