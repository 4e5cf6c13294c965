import type { SandboxContext } from '../context.ts';
import type { Channel } from './channel.ts';
import type { VideoMetadata } from './metadata.ts';

export type Video = {
  rowid: number;
  id: string;
  clientId: string;
  channelId: string;
  file: string;
  metadata: string;
  slug: string | null;
  bytes: number;
  sha256: string | null;
  mime: string | null;
  failureReason: string | null;
  views: number;
  createdAt: number;
};

export const videoParts = ['id', 'snippet', 'status', 'processingDetails', 'statistics', 'fileDetails'] as const;

export function findVideo({ store }: SandboxContext, id: string): Video | undefined {
  return store.get<Video>('SELECT rowid, * FROM video WHERE id = $id', { id });
}

export function metadataOf(video: Video): VideoMetadata {
  return JSON.parse(video.metadata) as VideoMetadata;
}

/** Milliseconds until processing ends; 0 when it has. */
export function processingLeft({ now, processingMs }: SandboxContext, video: Video): number {
  return Math.max(0, video.createdAt + processingMs - now());
}

/** Follows from the clock alone. */
export function uploadStatus(context: SandboxContext, video: Video): 'uploaded' | 'processed' | 'failed' {
  if (processingLeft(context, video) > 0) return 'uploaded';
  return video.failureReason === null ? 'processed' : 'failed';
}

/** A scheduled private video becomes public at its hour. */
export function privacyStatus({ now }: SandboxContext, { status }: VideoMetadata): 'public' | 'unlisted' | 'private' {
  return status.publishAt !== undefined && Date.parse(status.publishAt) <= now() ? 'public' : status.privacyStatus;
}

export function thumbnails({ origin }: SandboxContext, videoId: string): object {
  const picture = (width: number, height: number) => ({ url: `${origin}/youtube/thumbnail/${videoId}`, width, height });
  return { default: picture(120, 90), medium: picture(320, 180), high: picture(480, 360) };
}

function processingDetails(context: SandboxContext, video: Video): object {
  const left = processingLeft(context, video);
  const available = left > 0 ? 'inProgress' : 'available';
  const states = { uploaded: 'processing', processed: 'succeeded', failed: 'failed' } as const;
  const done = context.processingMs === 0 ? 10 : Math.floor(10 * (1 - left / context.processingMs));
  return {
    processingStatus: states[uploadStatus(context, video)],
    ...(left > 0 && {
      processingProgress: { partsTotal: '10', partsProcessed: String(done), timeLeftMs: String(left) },
    }),
    ...(left === 0 && video.failureReason !== null && { processingFailureReason: 'uploadFailed' }),
    fileDetailsAvailability: available,
    processingIssuesAvailability: available,
    tagSuggestionsAvailability: available,
    editorSuggestionsAvailability: available,
    thumbnailsAvailability: available,
  };
}

/** Resource of videos.list and videos.insert as its owner sees it. Google writes 64-bit numbers as strings. */
export function videoResource(
  context: SandboxContext,
  video: Video,
  channel: Channel,
  parts: ReadonlySet<string>,
): object {
  const metadata = metadataOf(video);
  const { publishAt, ...status } = metadata.status;
  const privacy = privacyStatus(context, metadata);
  const state = uploadStatus(context, video);
  return {
    kind: 'youtube#video',
    id: video.id,
    ...(parts.has('snippet') && {
      snippet: {
        publishedAt: new Date(video.createdAt).toISOString(),
        channelId: channel.id,
        ...metadata.snippet,
        thumbnails: thumbnails(context, video.id),
        channelTitle: channel.title,
        liveBroadcastContent: 'none',
        localized: { title: metadata.snippet.title, description: metadata.snippet.description },
      },
    }),
    ...(parts.has('status') && {
      status: {
        uploadStatus: state,
        ...(state === 'failed' && { failureReason: video.failureReason }),
        ...status,
        privacyStatus: privacy,
        ...(publishAt !== undefined && privacy === 'private' && { publishAt }),
        madeForKids: status.selfDeclaredMadeForKids ?? false,
      },
    }),
    ...(parts.has('statistics') && {
      statistics: {
        viewCount: String(video.views),
        likeCount: '0',
        dislikeCount: '0',
        favoriteCount: '0',
        // YouTube turns comments off on videos made for children.
        ...(!status.selfDeclaredMadeForKids && { commentCount: '0' }),
      },
    }),
    ...(parts.has('processingDetails') && { processingDetails: processingDetails(context, video) }),
    ...(parts.has('fileDetails') && {
      fileDetails: {
        fileName: video.slug ?? 'unknown',
        fileSize: String(video.bytes),
        fileType: video.mime?.startsWith('video/') ? 'video' : 'other',
      },
    }),
  };
}
