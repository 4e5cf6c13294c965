import { mayBePublic, withoutBrackets } from './addresses.ts';
import { OutgoingError, type OutgoingErrorCode } from './errors.ts';

/** `media` is fetched for a user, `callback` is posted to a user's URL, `document` is a small public JSON file. */
export type Purpose = 'media' | 'callback' | 'document';

/** Whether the operator opened this host (without brackets, canonical) and port although it is private. */
export type AllowedHosts = (hostname: string, port: number) => boolean;

/** Reads `host` and `host:port` entries; a host without port opens all its ports. Throws on an entry it cannot read. */
export function allowedHosts(entries: readonly string[]): AllowedHosts {
  const open = new Set(entries.map(canonicalEntry));
  return (hostname, port) => open.has(hostname) || open.has(`${hostname} ${port}`);
}

function canonicalEntry(entry: string): string {
  const [, host, port] = /^(\[[^\]]+\]|[^:/@?#\s]+)(?::(\d{1,5}))?$/.exec(entry.trim()) ?? [];
  const url = host === undefined ? null : URL.parse(`http://${host}/`);
  if (!url) throw new TypeError(`Not a host or host:port: ${entry}`);
  const hostname = withoutBrackets(url.hostname);
  return port === undefined ? hostname : `${hostname} ${Number(port)}`;
}

function portOf(url: URL): number {
  if (url.port !== '') return Number(url.port);
  return url.protocol === 'https:' ? 443 : 80;
}

/** What speaks against a URL before any name is resolved, or undefined. */
export function inspectUrl(url: URL, purpose: Purpose, allowed: AllowedHosts): OutgoingErrorCode | undefined {
  const secure = url.protocol === 'https:';
  if (!secure && url.protocol !== 'http:') return 'invalid_url';
  if (url.username !== '' || url.password !== '') return 'invalid_url';
  const hostname = withoutBrackets(url.hostname);
  const port = portOf(url);
  if (purpose !== 'document' && allowed(hostname, port)) return undefined;
  if (purpose !== 'media' && !secure) return 'invalid_url';
  if (purpose === 'document' ? port !== 443 : port !== 80 && port !== 443 && port < 1024) return 'invalid_url';
  return mayBePublic(hostname) ? undefined : 'blocked_address';
}

/** Parses and inspects; throws an OutgoingError. */
export function outgoingUrl(text: string, purpose: Purpose, allowed: AllowedHosts): URL {
  const url = URL.parse(text);
  const problem = url ? inspectUrl(url, purpose, allowed) : 'invalid_url';
  if (!url || problem) throw new OutgoingError(problem ?? 'invalid_url');
  return url;
}

/** Save-time check for a kind error; returns undefined or a code. Literal and syntactic only, no DNS. */
export function checkPublicUrl(
  url: string,
  purpose: 'media' | 'callback',
  allowedPrivateHosts: readonly string[],
): OutgoingErrorCode | undefined {
  const parsed = URL.parse(url);
  return parsed ? inspectUrl(parsed, purpose, allowedHosts(allowedPrivateHosts)) : 'invalid_url';
}
