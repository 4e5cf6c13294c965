import type { Connector } from '../contract.ts';
import { find } from './find.ts';
import { oauth } from './oauth.ts';
import { short, video } from './payload.ts';
import { publish } from './publish.ts';
import { bases, hosts } from './session.ts';
import { channelStats, postStats } from './stats.ts';
import { check } from './status.ts';
import { upload } from './upload.ts';

/** YouTube Data API v3. */
export const youtube: Connector = {
  slug: 'youtube',
  name: 'YouTube',
  content: { video, short },
  bases,
  hosts,
  oauth,
  upload,
  publish,
  check,
  find,
  channelStats,
  postStats,
};
