import { Hono } from 'hono';
import { html } from 'hono/html';
import type { SandboxContext } from '../context.ts';
import { fileResponse, onlyMethods } from '../http.ts';
import { type Html, page } from '../page.ts';
import { type Channel, channelTotals, findChannel } from './channel.ts';
import { notice } from './consent-page.ts';
import { findVideo, metadataOf, privacyStatus, processingLeft, uploadStatus, type Video } from './video.ts';

const servable = /^(video\/[\w.+-]+|image\/(jpeg|png|gif|webp))$/;
const privacyWords = { public: 'Public', unlisted: 'Unlisted', private: 'Private' } as const;

function count(number: number, noun: string): string {
  return `${number.toLocaleString('en')} ${noun}${number === 1 ? '' : 's'}`;
}

function date(time: number): string {
  return new Date(time).toLocaleDateString('en', { dateStyle: 'medium', timeZone: 'UTC' });
}

function player(context: SandboxContext, video: Video, title: string): Html {
  const state = uploadStatus(context, video);
  if (state === 'processed') {
    return html`<video class="player" controls playsinline preload="metadata" src="/youtube/media/${video.id}" aria-label="${title}"></video>`;
  }
  const words =
    state === 'uploaded'
      ? html`<p><strong>Processing</strong></p><p>The video plays here in a few seconds.</p>`
      : html`<p><strong>Processing failed</strong></p><p>${video.failureReason === 'emptyFile' ? 'The file is empty.' : 'The file is not a video.'}</p>`;
  return html`<div class="status" role="status">${words}</div>`;
}

function owner(channel: Channel): Html {
  return html`<div class="owner"><img class="avatar" src="/youtube/avatar/${channel.id}" alt="">
<p><a href="/youtube/channel/${channel.id}">${channel.title}</a><br><span class="small soft">@${channel.handle}</span></p></div>`;
}

function watchPage(context: SandboxContext, video: Video, channel: Channel): Html {
  const metadata = metadataOf(video);
  const { title, description, tags } = metadata.snippet;
  return page({
    title,
    notice,
    wide: true,
    body: html`${player(context, video, title)}
<div class="heading"><h1>${title}</h1><span class="badge">${privacyWords[privacyStatus(context, metadata)]}</span></div>
${owner(channel)}
<div class="description"><p class="small soft">${count(video.views, 'view')} · ${date(video.createdAt)}</p>
<p>${description === '' ? 'No description.' : description}</p>
${tags.length > 0 ? html`<ul class="tags">${tags.map((tag) => html`<li>#${tag}</li>`)}</ul>` : ''}</div>`,
  });
}

function channelPage(context: SandboxContext, channel: Channel): Html {
  const sql = 'SELECT rowid, * FROM video WHERE channelId = $channelId ORDER BY rowid DESC LIMIT 200';
  const videos = context.store.all<Video>(sql, { channelId: channel.id });
  const totals = channelTotals(context, channel.id);
  const entry = (video: Video) => {
    const metadata = metadataOf(video);
    return html`<li><img src="/youtube/thumbnail/${video.id}" alt="" width="480" height="270">
<a href="/youtube/watch?v=${video.id}">${metadata.snippet.title}</a><br>
<span class="small soft">${count(video.views, 'view')} · ${date(video.createdAt)} · ${privacyWords[privacyStatus(context, metadata)]}</span></li>`;
  };
  return page({
    title: channel.title,
    notice,
    wide: true,
    body: html`<div class="owner"><img class="avatar large" src="/youtube/avatar/${channel.id}" alt="">
<div><h1>${channel.title}</h1><p class="soft">@${channel.handle} · ${count(totals.videos, 'video')} · ${count(totals.views, 'view')}</p></div></div>
${videos.length > 0 ? html`<ul class="videos">${videos.map(entry)}</ul>` : html`<p class="soft">Nothing has been published here yet.</p>`}`,
  });
}

function missingPage(): Html {
  return page({
    title: 'Not found',
    notice,
    body: html`<section class="card"><h1>Nothing is here</h1><p>This video or channel does not exist.</p></section>`,
  });
}

/** What people see of published videos. An id cannot be guessed, so pages open without a login, as unlisted ones do. */
export function watchRoutes(context: SandboxContext): Hono {
  const { store } = context;
  const routes = new Hono();

  routes.get('/watch', (c) => {
    const video = findVideo(context, c.req.query('v') ?? '');
    const channel = video && findChannel(context, video.channelId);
    if (!video || !channel) return c.html(missingPage(), 404);
    const left = processingLeft(context, video);
    if (left > 0) c.header('Refresh', String(Math.ceil(left / 1000)));
    if (c.req.method === 'HEAD' || uploadStatus(context, video) !== 'processed') {
      return c.html(watchPage(context, video, channel));
    }
    store.run('UPDATE video SET views = views + 1 WHERE id = $id', { id: video.id });
    return c.html(watchPage(context, { ...video, views: video.views + 1 }, channel));
  });

  routes.get('/channel/:id', (c) => {
    const channel = findChannel(context, c.req.param('id'));
    return channel ? c.html(channelPage(context, channel)) : c.html(missingPage(), 404);
  });

  routes.get('/media/:id', async (c) => {
    const video = findVideo(context, c.req.param('id'));
    if (!video?.mime || !servable.test(video.mime)) return c.notFound();
    return (await fileResponse(c, store.mediaPath(video.file), video.mime)) ?? c.notFound();
  });

  for (const path of ['/watch', '/channel/:id', '/media/:id']) routes.all(path, onlyMethods('GET'));
  return routes;
}
