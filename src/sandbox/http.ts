import { createHash } from 'node:crypto';
import { createReadStream } from 'node:fs';
import { stat } from 'node:fs/promises';
import { Readable } from 'node:stream';
import type { Context, Handler, MiddlewareHandler } from 'hono';

/** No form-action: the consent form ends in a redirect to the client's own origin. */
const contentSecurityPolicy =
  "default-src 'none'; style-src 'self'; img-src 'self'; media-src 'self'; base-uri 'none'; frame-ancestors 'none'";

export const securityHeaders: MiddlewareHandler = async (c, next) => {
  await next();
  c.res.headers.set('Content-Security-Policy', contentSecurityPolicy);
  c.res.headers.set('X-Content-Type-Options', 'nosniff');
  c.res.headers.set('Referrer-Policy', 'no-referrer');
  c.res.headers.set('Cross-Origin-Opener-Policy', 'same-origin');
  if (!c.res.headers.has('Cache-Control')) c.res.headers.set('Cache-Control', 'no-store');
};

/** For the methods a known path does not have; register it after the ones it has. */
export function onlyMethods(...methods: string[]): Handler {
  const allow = methods.includes('GET') ? [...methods, 'HEAD'] : methods;
  return (c) => c.json({ error: 'method_not_allowed' }, 405, { Allow: allow.join(', ') });
}

/** The body as text, or undefined when it is longer than `limit` bytes. */
export async function readText(request: Request, limit = 1024 * 1024): Promise<string | undefined> {
  const pieces: Uint8Array[] = [];
  let bytes = 0;
  for await (const piece of request.body ?? []) {
    bytes += piece.byteLength;
    if (bytes > limit) return undefined;
    pieces.push(piece);
  }
  return Buffer.concat(pieces).toString('utf8');
}

export function sha256(text: string): string {
  return createHash('sha256').update(text).digest('base64url');
}

/** First and last byte of a single range; undefined = no usable range, send all; null = not satisfiable. */
export function parseRange(
  header: string | undefined,
  size: number,
): { first: number; last: number } | undefined | null {
  const match = /^bytes=(\d*)-(\d*)$/.exec(header?.trim() ?? '');
  const [, from = '', to = ''] = match ?? [];
  if (from === '' && to === '') return undefined;
  const first = from === '' ? Math.max(0, size - Number(to)) : Number(from);
  const last = from === '' || to === '' ? size - 1 : Math.min(Number(to), size - 1);
  if (from !== '' && to !== '' && Number(to) < first) return undefined;
  return first >= size || (from === '' && Number(to) === 0) ? null : { first, last };
}

/** A file with single ranges and HEAD (RFC 9110 section 14), or undefined when it is not there. */
export async function fileResponse(c: Context, path: string, mime: string): Promise<Response | undefined> {
  const info = await stat(path).catch(() => undefined);
  if (!info?.isFile()) return undefined;
  const etag = `"${info.size.toString(36)}-${Math.trunc(info.mtimeMs).toString(36)}"`;
  const headers = new Headers({
    'Content-Type': mime,
    'Accept-Ranges': 'bytes',
    'Cache-Control': 'no-cache',
    ETag: etag,
  });
  if (c.req.header('If-None-Match') === etag) return new Response(null, { status: 304, headers });

  const ifRange = c.req.header('If-Range');
  const range = parseRange(ifRange === undefined || ifRange === etag ? c.req.header('Range') : undefined, info.size);
  if (range === null) {
    headers.set('Content-Range', `bytes */${info.size}`);
    return new Response(null, { status: 416, headers });
  }
  const { first, last } = range ?? { first: 0, last: info.size - 1 };
  headers.set('Content-Length', String(last - first + 1));
  if (range) headers.set('Content-Range', `bytes ${first}-${last}/${info.size}`);
  const status = range ? 206 : 200;
  if (c.req.method === 'HEAD' || last < first) return new Response(null, { status, headers });
  const body = Readable.toWeb(createReadStream(path, { start: first, end: last })) as ReadableStream;
  return new Response(body, { status, headers });
}
