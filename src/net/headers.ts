import type { IncomingHttpHeaders } from 'node:http';

export const USER_AGENT = 'Pharlo/1';

// The connection's business, or ours: a caller can neither smuggle nor mislabel through them.
const RESERVED = new Set([
  'accept-encoding',
  'connection',
  'cookie',
  'expect',
  'host',
  'keep-alive',
  'proxy-authorization',
  'proxy-connection',
  'te',
  'trailer',
  'transfer-encoding',
  'upgrade',
  'user-agent',
]);

/** What goes out: the caller's headers without reserved ones. Answers are asked for as they are, so offsets are true. */
export function requestHeaders(headers: Record<string, string> = {}): Record<string, string> {
  const kept = lowerCase(headers).filter(([name]) => !RESERVED.has(name));
  return { accept: '*/*', ...Object.fromEntries(kept), 'accept-encoding': 'identity', 'user-agent': USER_AGENT };
}

/** The headers of a media request: everything but credentials, which such requests never carry. */
export function withoutCredentials(headers: Record<string, string> = {}): Record<string, string> {
  return Object.fromEntries(lowerCase(headers).filter(([name]) => name !== 'authorization'));
}

const CONDITIONS = /^(accept|range|if-(range|match|none-match|modified-since|unmodified-since))$/;

/** The headers that may follow a redirect to another origin: those that say which bytes are wanted. */
export function acrossOrigins(headers: Record<string, string>): Record<string, string> {
  return Object.fromEntries(lowerCase(headers).filter(([name]) => CONDITIONS.test(name)));
}

function lowerCase(headers: Record<string, string>): [string, string][] {
  return Object.entries(headers).map(([name, value]) => [name.toLowerCase(), value]);
}

/** A peer's headers; one that is no valid header is left out. */
export function responseHeaders(received: IncomingHttpHeaders): Headers {
  const headers = new Headers();
  for (const [name, value] of Object.entries(received)) {
    for (const one of Array.isArray(value) ? value : value === undefined ? [] : [value]) {
      try {
        headers.append(name, one);
      } catch {
        // Not a header by the Fetch standard.
      }
    }
  }
  return headers;
}
