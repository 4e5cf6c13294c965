import { createHash, timingSafeEqual } from 'node:crypto';
import { getCookie, setCookie } from 'hono/cookie';
import { lifetimes, type OAuthContext, type OAuthDeps } from './context.ts';

/** A checked authorization request on its way through the browser; nothing of it is stored before a decision. */
export type ConsentRequest = {
  id: string;
  clientId: string;
  redirectUri: string;
  codeChallenge: string;
  /** The names asked for, known ones only. */
  scope: string;
  resource?: string;
  state?: string;
};

type Sealed = ConsentRequest & { browser: string; expiresAt: number };

const context = 'oauth consent request';
const nonce = /^[\w-]{22}$/;

/** The `__Host-` prefix needs https; a local http issuer does without. */
function cookieName(deps: OAuthDeps): string {
  return deps.config.publicUrl.startsWith('https:') ? '__Host-pharlo_consent' : 'pharlo_consent';
}

/** The nonce of this browser, made if it has none: one per browser, or a second tab would end the first. */
export function rememberBrowser(c: OAuthContext, deps: OAuthDeps): string {
  const known = getCookie(c, cookieName(deps));
  const browser = known && nonce.test(known) ? known : Buffer.from(deps.random(16)).toString('base64url');
  const secure = deps.config.publicUrl.startsWith('https:');
  setCookie(c, cookieName(deps), browser, { path: '/', httpOnly: true, sameSite: 'Lax', secure });
  return browser;
}

export function sealRequest(deps: OAuthDeps, request: ConsentRequest, browser: string): string {
  const sealed: Sealed = { ...request, browser, expiresAt: deps.now() + lifetimes.consentRequest * 1000 };
  return deps.vault.seal(context, JSON.stringify(sealed)).toString('base64url');
}

export type Opened = { ok: true; request: ConsentRequest } | { ok: false; reason: 'tampered' | 'expired' | 'foreign' };

/** Opens what sealRequest made; `foreign` = it was made for another browser. */
export function openRequest(c: OAuthContext, deps: OAuthDeps, id: string): Opened {
  const plain = deps.vault.open(context, Buffer.from(id, 'base64url'));
  if (plain === undefined) return { ok: false, reason: 'tampered' };
  const { browser, expiresAt, ...request } = JSON.parse(plain) as Sealed;
  if (expiresAt <= deps.now()) return { ok: false, reason: 'expired' };
  const cookie = getCookie(c, cookieName(deps)) ?? '';
  return sameText(cookie, browser) ? { ok: true, request } : { ok: false, reason: 'foreign' };
}

function sameText(a: string, b: string): boolean {
  const digest = (text: string) => createHash('sha256').update(text).digest();
  return timingSafeEqual(digest(a), digest(b));
}
