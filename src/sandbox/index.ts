import { fileURLToPath } from 'node:url';
import { Hono } from 'hono';
import { html } from 'hono/html';
import type { SandboxOptions } from './context.ts';
import { fileResponse, onlyMethods, securityHeaders } from './http.ts';
import { page, stylesheetPath } from './page.ts';
import { youtubeNetwork } from './youtube/index.ts';

export type { SandboxOptions } from './context.ts';

/** Path of the sample video that ships with Pharlo. */
export const SAMPLE_PATH = '/sample.mp4';

function asset(name: string): string {
  return fileURLToPath(new URL(`./assets/${name}`, import.meta.url));
}

function indexPage() {
  return page({
    title: 'Pharlo sandbox',
    notice: 'Sandbox network.',
    body: html`<section class="card"><h1>Pharlo sandbox</h1>
<p>This server plays the part of social networks, so that you can connect a channel, publish a video and watch it without
an account anywhere. Nothing that is published here leaves this server.</p>
<p>Start in Pharlo: connect a channel there, and its consent page opens here.</p>
<p><a href="${SAMPLE_PATH}">Sample video</a></p></section>`,
  });
}

/**
 * The networks that stand in for the real ones and speak their wire protocols. Needs an origin of its own. State is in
 * `dataDir` and survives a crash; time comes from `now`, so nothing runs in the background.
 */
export function createSandbox(options: SandboxOptions): {
  fetch(request: Request): Response | Promise<Response>;
  dispose(): void;
} {
  const youtube = youtubeNetwork({ processingMs: 3000, accessTokenSeconds: 3599, ...options });
  const app = new Hono();
  app.use(securityHeaders);
  app.get('/', (c) => c.html(indexPage()));
  app.get('/health', (c) => c.json({ status: 'ok' }));
  app.get(SAMPLE_PATH, async (c) => (await fileResponse(c, asset('sample.mp4'), 'video/mp4')) ?? c.notFound());
  app.get(
    stylesheetPath,
    async (c) => (await fileResponse(c, asset('sandbox.css'), 'text/css; charset=utf-8')) ?? c.notFound(),
  );
  for (const path of ['/', '/health', SAMPLE_PATH, stylesheetPath]) app.all(path, onlyMethods('GET'));
  app.route('/youtube', youtube.routes);
  app.onError((_error, c) => c.json({ error: 'internal' }, 500));
  app.notFound((c) => c.json({ error: 'not_found' }, 404));
  return { fetch: (request) => app.fetch(request), dispose: () => youtube.dispose() };
}
