import { readFileSync } from 'node:fs';
import { Hono } from 'hono';
import type { Config } from '../config.ts';
import type { HttpEnv } from '../http.ts';
import { style } from '../oauth/style.ts';
import type { Operation } from '../operation.ts';
import { apiDocPage } from './api-doc-page.ts';

/** Everything comes from this origin and nothing runs that is not a file of ours; a form is sent by the script alone. */
const policy = [
  "default-src 'none'",
  "script-src 'self'",
  "style-src 'self'",
  "connect-src 'self'",
  "base-uri 'none'",
  "form-action 'none'",
  "frame-ancestors 'none'",
].join('; ');

const pageHeaders = {
  'Content-Security-Policy': policy,
  'X-Frame-Options': 'DENY',
  'Referrer-Policy': 'no-referrer',
  'Cross-Origin-Opener-Policy': 'same-origin',
  'Cache-Control': 'no-cache',
};

/** The reference for people, with a form that makes real calls. */
export function apiDocRoutes(config: Config, operations: readonly Operation[]): Hono<HttpEnv> {
  const app = new Hono<HttpEnv>();
  const page = onFirstUse(() => String(apiDocPage(config, operations)));
  const sheet = onFirstUse(() => style + readAsset('api-doc.css'));
  const script = onFirstUse(() => readAsset('api-doc-client.js'));
  app.get('/api/doc', (c) => c.html(page(), 200, pageHeaders));
  app.get('/api/doc.css', (c) => asset(c.body(sheet()), 'text/css; charset=utf-8'));
  app.get('/api/doc.js', (c) => asset(c.body(script()), 'text/javascript; charset=utf-8'));
  return app;
}

/** Made when somebody asks for it, so that a start does not wait for it, and kept. */
export function onFirstUse(make: () => string): () => string {
  let made: string | undefined;
  return () => {
    made ??= make();
    return made;
  };
}

function readAsset(name: string): string {
  return readFileSync(new URL(`./${name}`, import.meta.url), 'utf8');
}

function asset(response: Response, type: string): Response {
  response.headers.set('Content-Type', type);
  response.headers.set('Cache-Control', 'no-cache');
  return response;
}
