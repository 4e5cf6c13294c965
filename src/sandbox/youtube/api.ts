import { createHash } from 'node:crypto';
import { createReadStream } from 'node:fs';
import { pipeline } from 'node:stream/promises';
import { Hono } from 'hono';
import type { SandboxContext } from '../context.ts';
import { onlyMethods } from '../http.ts';
import { requireChannel } from './bearer.ts';
import { type Channel, channelResource, isClientId, uploadsPlaylist } from './channel.ts';
import { badRequest, GoogleError, parseParts } from './errors.ts';
import { readScopes } from './scopes.ts';
import { findVideo, metadataOf, thumbnails, uploadStatus, type Video, videoParts, videoResource } from './video.ts';

function etag(value: unknown): string {
  return createHash('sha256').update(JSON.stringify(value)).digest('base64url').slice(0, 27);
}

function list(
  kind: string,
  items: object[],
  page: { total?: number; perPage?: number; next?: string | undefined } = {},
): Response {
  const { total = items.length, perPage = items.length, next } = page;
  const tagged = items.map((item) => ({ etag: etag(item), ...item }));
  const answer = {
    kind: `youtube#${kind}`,
    ...(next !== undefined && { nextPageToken: next }),
    pageInfo: { totalResults: total, resultsPerPage: perPage },
    items: tagged,
  };
  return Response.json({ etag: etag(answer), ...answer }, { headers: { 'Cache-Control': 'private, no-store' } });
}

function integer(value: string | undefined, fallback: number, max: number): number {
  if (value === undefined) return fallback;
  if (!/^\d{1,3}$/.test(value) || Number(value) > max) {
    throw badRequest(
      'invalidParameter',
      `Invalid value '${value.slice(0, 20)}'. Values must be within the range: [0, ${max}]`,
      {
        location: 'maxResults',
        locationType: 'parameter',
      },
    );
  }
  return Number(value);
}

function pageStart(token: string | undefined): number {
  if (token === undefined) return Number.MAX_SAFE_INTEGER;
  const before = /^before:(\d{1,15})$/.exec(Buffer.from(token, 'base64url').toString('latin1'))?.[1];
  if (before !== undefined) return Number(before);
  throw badRequest('invalidPageToken', 'The request specifies an invalid page token.', {
    domain: 'youtube.playlistItem',
    location: 'pageToken',
    locationType: 'parameter',
  });
}

function playlistItem(
  context: SandboxContext,
  channel: Channel,
  video: Video,
  position: number,
  parts: Set<string>,
): object {
  const { title, description } = metadataOf(video).snippet;
  const publishedAt = new Date(video.createdAt).toISOString();
  const playlistId = uploadsPlaylist(channel.id);
  return {
    kind: 'youtube#playlistItem',
    id: Buffer.from(`${playlistId}.${video.id}`).toString('base64url'),
    ...(parts.has('snippet') && {
      snippet: {
        publishedAt,
        channelId: channel.id,
        title,
        description,
        thumbnails: thumbnails(context, video.id),
        channelTitle: channel.title,
        playlistId,
        position,
        resourceId: { kind: 'youtube#video', videoId: video.id },
        videoOwnerChannelTitle: channel.title,
        videoOwnerChannelId: channel.id,
      },
    }),
    ...(parts.has('contentDetails') && { contentDetails: { videoId: video.id, videoPublishedAt: publishedAt } }),
  };
}

async function contentHash({ store }: SandboxContext, video: Video): Promise<string> {
  if (video.sha256 !== null) return video.sha256;
  const hash = createHash('sha256');
  await pipeline(createReadStream(store.mediaPath(video.file)), hash);
  const hex = hash.digest('hex');
  store.run('UPDATE video SET sha256 = $hex WHERE id = $id', { hex, id: video.id });
  return hex;
}

/** The Data API v3 calls a publisher needs, and `_videos`, the drills' own view of what was published. */
export function apiRoutes(context: SandboxContext): Hono {
  const { store } = context;
  const routes = new Hono();

  routes.get('/youtube/v3/channels', (c) => {
    const parts = parseParts(c.req.query('part'), ['id', 'snippet', 'contentDetails', 'statistics']);
    const channel = requireChannel(context, c, readScopes);
    if (c.req.query('mine') !== 'true')
      throw badRequest('missingRequiredParameter', 'No filter selected. Expected one of: mine');
    return list('channelListResponse', [channelResource(context, channel, parts)], { perPage: 5 });
  });

  routes.get('/youtube/v3/videos', (c) => {
    const parts = parseParts(c.req.query('part'), videoParts);
    const channel = requireChannel(context, c, readScopes);
    const ids = [...new Set((c.req.query('id') ?? '').split(',').filter(Boolean))];
    if (ids.length === 0) throw badRequest('missingRequiredParameter', 'No filter selected. Expected one of: id');
    if (ids.length > 50) throw badRequest('invalidFilters', 'The request specifies too many video ids.');
    const videos = ids.map((id) => findVideo(context, id)).filter((video) => video?.channelId === channel.id);
    return list(
      'videoListResponse',
      videos.flatMap((video) => (video ? [videoResource(context, video, channel, parts)] : [])),
    );
  });

  routes.get('/youtube/v3/playlistItems', (c) => {
    const parts = parseParts(c.req.query('part'), ['id', 'snippet', 'contentDetails']);
    const channel = requireChannel(context, c, readScopes);
    const playlistId = c.req.query('playlistId');
    const parameter = { location: 'playlistId', locationType: 'parameter' } as const;
    if (!playlistId) throw badRequest('missingRequiredParameter', 'Required parameter: playlistId', parameter);
    if (playlistId !== uploadsPlaylist(channel.id)) {
      const message = "The playlist identified with the request's <code>playlistId</code> parameter cannot be found.";
      throw new GoogleError(404, 'playlistNotFound', message, { domain: 'youtube.playlistItem', ...parameter });
    }
    const perPage = integer(c.req.query('maxResults'), 5, 50);
    const before = pageStart(c.req.query('pageToken'));
    const rows = store.all<Video>(
      'SELECT rowid, * FROM video WHERE channelId = $channelId AND rowid < $before ORDER BY rowid DESC LIMIT $limit',
      { channelId: channel.id, before, limit: perPage + 1 },
    );
    const page = rows.slice(0, perPage);
    const last = page.at(-1);
    const counts = store.get<{ total: number; newer: number }>(
      'SELECT count(*) AS total, count(*) FILTER (WHERE rowid >= $before) AS newer FROM video WHERE channelId = $channelId',
      { channelId: channel.id, before },
    );
    const items = page.map((video, index) =>
      playlistItem(context, channel, video, (counts?.newer ?? 0) + index, parts),
    );
    const next = rows.length > perPage && last ? Buffer.from(`before:${last.rowid}`).toString('base64url') : undefined;
    return list('playlistItemListResponse', items, { total: counts?.total ?? 0, perPage, next });
  });

  for (const resource of ['channels', 'videos', 'playlistItems'])
    routes.all(`/youtube/v3/${resource}`, onlyMethods('GET'));

  routes.get('/_videos', async (c) => {
    const clientId = c.req.query('client_id') ?? '';
    if (!isClientId(clientId)) throw badRequest('missingRequiredParameter', 'Required parameter: client_id');
    const videos = store.all<Video>('SELECT rowid, * FROM video WHERE clientId = $clientId ORDER BY rowid', {
      clientId,
    });
    const items: object[] = [];
    for (const video of videos) {
      items.push({
        id: video.id,
        title: metadataOf(video).snippet.title,
        slug: video.slug,
        sha256: await contentHash(context, video),
        bytes: video.bytes,
        uploadStatus: uploadStatus(context, video),
        createdAt: new Date(video.createdAt).toISOString(),
      });
    }
    return c.json({ items });
  });
  routes.all('/_videos', onlyMethods('GET'));
  return routes;
}
