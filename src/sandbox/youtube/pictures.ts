import { Hono } from 'hono';
import type { SandboxContext } from '../context.ts';
import { onlyMethods } from '../http.ts';
import { findChannel } from './channel.ts';
import { findVideo } from './video.ts';

function hue(id: string): number {
  return [...id].reduce((sum, letter) => (sum * 31 + letter.charCodeAt(0)) % 360, 7);
}

/** Only a letter or digit reaches the drawing, so nothing needs escaping. */
function initial(title: string): string {
  return /[\p{L}\p{N}]/u.exec(title)?.[0].toUpperCase() ?? '';
}

function avatar(id: string, title: string): string {
  return `<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 80 80" width="800" height="800"><rect width="80" height="80" fill="hsl(${hue(id)} 55% 38%)"/><text x="40" y="54" font-family="system-ui, Open Sans, sans-serif" font-size="40" font-weight="600" fill="#fff" text-anchor="middle">${initial(title)}</text></svg>`;
}

function thumbnail(id: string): string {
  const angle = hue(id);
  return `<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 160 90" width="480" height="270"><defs><linearGradient id="g" x2="1" y2="1"><stop stop-color="hsl(${angle} 55% 42%)"/><stop offset="1" stop-color="hsl(${(angle + 70) % 360} 60% 26%)"/></linearGradient></defs><rect width="160" height="90" fill="url(#g)"/><circle cx="80" cy="45" r="16" fill="#fff" fill-opacity=".9"/><path d="M75 37v16l13-8z" fill="hsl(${angle} 55% 30%)"/></svg>`;
}

/** Drawn channel pictures and thumbnails. */
export function pictureRoutes(context: SandboxContext): Hono {
  const routes = new Hono();
  const headers = { 'Content-Type': 'image/svg+xml', 'Cache-Control': 'max-age=3600' };
  routes.get('/avatar/:id', (c) => {
    const channel = findChannel(context, c.req.param('id'));
    return channel ? c.body(avatar(channel.id, channel.title), 200, headers) : c.notFound();
  });
  routes.get('/thumbnail/:id', (c) => {
    const video = findVideo(context, c.req.param('id'));
    return video ? c.body(thumbnail(video.id), 200, headers) : c.notFound();
  });
  routes.all('/avatar/:id', onlyMethods('GET'));
  routes.all('/thumbnail/:id', onlyMethods('GET'));
  return routes;
}
