import { html, raw } from 'hono/html';
import type { OAuthContext } from './context.ts';
import type { OAuthError } from './errors.ts';
import { style, styleHash } from './style.ts';

export type Html = ReturnType<typeof html>;

/**
 * No `form-action`: browsers would refuse the redirect from the form to the client. No Cross-Origin-Opener-Policy:
 * clients in a pop-up would lose their opener. `same-origin`, since with `no-referrer` the form would send `Origin: null`.
 */
const pageHeaders = {
  'Content-Security-Policy': `default-src 'none'; style-src '${styleHash}'; base-uri 'none'; frame-ancestors 'none'`,
  'X-Frame-Options': 'DENY',
  'X-Content-Type-Options': 'nosniff',
  'Referrer-Policy': 'same-origin',
  'Cache-Control': 'no-store',
};

export type PageStatus = 200 | 400 | 403 | 405 | 413 | 415 | 429 | 503;

/** A whole page around a body that starts with its h1. */
export function page(
  c: OAuthContext,
  content: { status: PageStatus; title: string; body: Html; footer?: string; headers?: Record<string, string> },
): Response | Promise<Response> {
  const { status, title, body, footer, headers } = content;
  const document = html`<!doctype html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<meta name="robots" content="noindex">
<title>${title} – Pharlo</title>
<style>${raw(style)}</style>
</head>
<body>
<header><svg viewBox="0 0 28 28" aria-hidden="true"><rect width="28" height="28" rx="8" fill="currentColor" opacity=".16"/><path d="M9 21V8h6a4.5 4.5 0 0 1 0 9H9" fill="none" stroke="currentColor" stroke-width="2.6" stroke-linecap="round" stroke-linejoin="round"/></svg>Pharlo</header>
<main>${body}</main>
${footer ? html`<footer>${footer}</footer>` : ''}
</body>
</html>`;
  return c.html(document, status, { ...pageHeaders, ...headers });
}

/** A page that only says something; the browser goes nowhere. */
export function messagePage(
  c: OAuthContext,
  status: PageStatus,
  title: string,
  text: string,
  headers: Record<string, string> = {},
): Response | Promise<Response> {
  return page(c, { status, title, body: html`<h1>${title}</h1><p>${text}</p>`, headers });
}

/** Tells an error before it is handed to an address nobody vouches for; the button hands it over. */
export function answerErrorPage(
  c: OAuthContext,
  { client, host, error, location }: { client: string; host: string; error: OAuthError; location: string },
): Response | Promise<Response> {
  const body = html`<h1><bdi>${client}</bdi> cannot be connected</h1>
<p>The app sent a request that Pharlo refuses. Nothing was shared.</p>
<dl>
<div><dt>Error</dt><dd>${error.code}</dd></div>
<div><dt>Reason</dt><dd>${error.message}</dd></div>
<div><dt>The app returns to</dt><dd>${host}</dd></div>
</dl>
<p class="soft">Go on only if you know this address.</p>
<div class="actions"><a class="button" rel="noreferrer" href="${location}">Return to ${host}</a></div>`;
  return page(c, { status: 400, title: 'The app cannot be connected', body });
}

/** 302, never 307 or 308: those would make the browser post the form, key included, to the client. */
export function redirect(c: OAuthContext, location: string): Response {
  return c.body(null, 302, { Location: location, 'Cache-Control': 'no-store', 'Referrer-Policy': 'no-referrer' });
}
