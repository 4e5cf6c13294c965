import { join } from 'node:path';
import { Hono } from 'hono';
import type { SandboxOptions } from '../context.ts';
import { openStore } from '../store.ts';
import { apiRoutes } from './api.ts';
import { consentRoutes } from './consent.ts';
import { GoogleError } from './errors.ts';
import { pictureRoutes } from './pictures.ts';
import { schema } from './schema.ts';
import { tokenRoutes } from './token.ts';
import { uploadRoutes } from './upload.ts';
import { watchRoutes } from './watch.ts';

/** The YouTube sandbox: Google's own paths, to be mounted at /youtube. */
export function youtubeNetwork(options: Required<SandboxOptions>): { routes: Hono; dispose(): void } {
  const store = openStore(join(options.dataDir, 'youtube'), schema);
  const { origin, now, random, processingMs, accessTokenSeconds } = options;
  const context = { origin, now, random, processingMs, accessTokenSeconds, store };
  const routes = new Hono();
  for (const part of [consentRoutes, tokenRoutes, uploadRoutes, apiRoutes, watchRoutes, pictureRoutes]) {
    routes.route('/', part(context));
  }
  routes.all('*', () => new GoogleError(404, 'notFound', 'Not Found').toResponse());
  routes.onError((error) =>
    (error instanceof GoogleError ? error : new GoogleError(500, 'backendError', 'Backend Error')).toResponse(),
  );
  return { routes, dispose: () => store.close() };
}
