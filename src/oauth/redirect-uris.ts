/** Private-use schemes without a dot that installed apps are known to own. */
const appSchemes = new Set(['cursor', 'vscode', 'vscode-insiders', 'windsurf']);

/** Printable ASCII without what no URI may hold (RFC 3986 §2), and without a fragment. */
const plain = /^[!$%&'()*+,\-./0-9:;=?@A-Z[\]_a-z~]+$/;
const https = /^https:\/\/(?:[A-Za-z0-9.-]+|\[[0-9A-Fa-f:.]+\])(?::\d{1,5})?(?:[/?]|$)/;
const loopback = /^(http:\/\/(?:localhost|127\.0\.0\.1|\[::1\]))(?::\d{1,5})?(?=[/?]|$)/;
const privateUse = /^([a-z][a-z0-9+.-]*):/;

/**
 * True for a redirect URI that may be registered: https anywhere, http on loopback, a private-use scheme of an app.
 * `schemes` are those without a dot that the operator knows besides.
 */
export function isRedirectUri(uri: string, schemes: readonly string[]): boolean {
  if (uri.length > 2048 || !plain.test(uri) || !URL.canParse(uri)) return false;
  return https.test(uri) || loopback.test(uri) || isPrivateUse(uri, schemes);
}

function isPrivateUse(uri: string, schemes: readonly string[]): boolean {
  const scheme = privateUse.exec(uri)?.[1] ?? '';
  const { username, password } = new URL(uri);
  const known = scheme.includes('.') || appSchemes.has(scheme) || schemes.includes(scheme);
  return known && !username && !password;
}

export function isLoopback(uri: string): boolean {
  return loopback.test(uri);
}

/** True when any program of the user's computer can receive what is sent there (RFC 8252 §8.6). */
export function isClaimable(uri: string): boolean {
  return !uri.startsWith('https:');
}

/** Exact comparison, but a loopback port is chosen at run time and does not count (RFC 8252 §7.3). */
export function matchesRedirectUri(registered: readonly string[], asked: string): boolean {
  if (registered.includes(asked)) return true;
  if (!isLoopback(asked) || !isRedirectUri(asked, [])) return false;
  const withoutPort = (uri: string) => uri.replace(loopback, '$1');
  return registered.some((uri) => isLoopback(uri) && withoutPort(uri) === withoutPort(asked));
}

/** What to show a person of where an answer goes: the host, or the scheme of an app. */
export function redirectHost(uri: string): string {
  const url = new URL(uri);
  return /^https?:$/.test(url.protocol) ? url.host : url.protocol;
}

/** The redirect URI with the answer's parameters behind its own query (RFC 6749 §4.1.2). Undefined ones are left out. */
export function withParameters(uri: string, parameters: Record<string, string | undefined>): string {
  const pairs = Object.entries(parameters).flatMap(([name, value]) =>
    value === undefined ? [] : [`${name}=${encodeURIComponent(value)}`],
  );
  const joint = uri.includes('?') ? (/[?&]$/.test(uri) ? '' : '&') : '?';
  return uri + joint + pairs.join('&');
}
