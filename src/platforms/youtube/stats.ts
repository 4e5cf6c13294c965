import { z } from 'zod';
import { type ChannelStats, type LookIo, PlatformFailure, type PostStats } from '../contract.ts';
import { list } from './api.ts';
import { channelMissing } from './errors.ts';

/** Google writes 64-bit numbers as strings; what is withheld is left out. */
const count = z.string().regex(/^\d+$/).transform(Number).optional();

const channels = z.object({
  items: z
    .array(
      z.object({
        id: z.string(),
        statistics: z.object({
          subscriberCount: count,
          hiddenSubscriberCount: z.boolean().default(false),
          viewCount: count,
          videoCount: count,
        }),
      }),
    )
    .default([]),
});

/** A hidden count is told as a flag, and as 0 or not at all. */
export async function channelStats(accountId: string, io: LookIo): Promise<ChannelStats> {
  const { items } = await list(io, 'channels', { part: 'statistics', mine: 'true' }, channels);
  const statistics = items.find(({ id }) => id === accountId)?.statistics;
  if (!statistics) throw channelMissing();
  const { subscriberCount, hiddenSubscriberCount, viewCount, videoCount } = statistics;
  return {
    ...(subscriberCount !== undefined && !hiddenSubscriberCount && { subscribers: subscriberCount }),
    ...(viewCount !== undefined && { totalViews: viewCount }),
    ...(videoCount !== undefined && { totalPosts: videoCount }),
  };
}

const videos = z.object({
  items: z
    .array(z.object({ statistics: z.object({ viewCount: count, likeCount: count, commentCount: count }) }))
    .default([]),
});

/** YouTube counts no shares here. */
export async function postStats(postId: string, io: LookIo): Promise<PostStats> {
  const { items } = await list(io, 'videos', { part: 'statistics', id: postId }, videos);
  const statistics = items[0]?.statistics;
  if (!statistics) throw new PlatformFailure('rejected', 'post_gone', 'The video is no longer on YouTube.');
  const { viewCount, likeCount, commentCount } = statistics;
  return {
    ...(viewCount !== undefined && { views: viewCount }),
    ...(likeCount !== undefined && { likes: likeCount }),
    ...(commentCount !== undefined && { comments: commentCount }),
  };
}
