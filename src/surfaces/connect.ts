import { type Context, Hono } from 'hono';
import { getCookie, setCookie } from 'hono/cookie';
import { html } from 'hono/html';
import { beginConnect, type ConnectResult, finishConnect, openTicket } from '../connect.ts';
import type { Deps } from '../deps.ts';
import { newSecret } from '../domain/ids.ts';
import { type HttpEnv, isSameOrigin } from '../http.ts';
import { OAuthError } from '../oauth/errors.ts';
import { messagePage, page, redirect } from '../oauth/pages.ts';
import { readForm } from '../oauth/request.ts';
import { ticketErrorText } from '../operations/tickets.ts';

type Ctx = Context<HttpEnv>;
type Answer = Response | Promise<Response>;

/** The browser's pages of connecting a channel. Mounted at `/api/v1/oauth`, before the REST API. */
export function connectRoutes(deps: Deps): Hono<HttpEnv> {
  const app = new Hono<HttpEnv>();
  app.get('/:platform/authorize', (c) => show(c, deps, c.req.param('platform')));
  app.post('/:platform/authorize', (c) => go(c, deps, c.req.param('platform')));
  app.get('/:platform/callback', (c) => finish(c, deps, c.req.param('platform')));
  return app;
}

const over = (c: Ctx): Answer =>
  messagePage(c, 400, 'This link is over', 'It works once and for 15 minutes. Ask for a new one where you got it.');

async function show(c: Ctx, deps: Deps, platform: string): Promise<Response> {
  const secret = c.req.query('ticket') ?? '';
  const ticket = await openTicket(deps, platform, secret);
  if (!ticket) return over(c);
  const name = deps.platforms.find(platform)?.name ?? platform;
  const returnsTo = ticket.redirectUrl ? new URL(ticket.redirectUrl).host : undefined;
  const sandbox = html`<p class="note info">This is the sandbox network that ships with Pharlo: nothing reaches the real ${name}.</p>`;
  const body = html`<h1>Connect a ${name} channel</h1>
<p class="soft">Pharlo will be able to publish on the channel you choose on the next page.</p>
${ticket.sandbox ? sandbox : ''}
<dl>
<div><dt>Workspace</dt><dd>${ticket.workspaceName}</dd></div>
<div><dt>Organization</dt><dd>${ticket.organizationName}</dd></div>
<div><dt>Platform</dt><dd>${name}</dd></div>
${returnsTo ? html`<div><dt>Afterwards you return to</dt><dd>${returnsTo}</dd></div>` : ''}
</dl>
<p class="soft">Go on only if you asked for this yourself: the channel will belong to this workspace.</p>
<form method="post">
<input type="hidden" name="ticket" value="${secret}">
<div class="actions"><button class="primary">Continue</button></div>
</form>`;
  return page(c, { status: 200, title: `Connect ${name}`, body });
}

async function go(c: Ctx, deps: Deps, platform: string): Promise<Response> {
  if (!isSameOrigin(c.req.raw.headers, deps.config.publicUrl)) {
    return messagePage(c, 403, 'This form was sent from elsewhere', 'Open your link again.');
  }
  const form = await readForm(c.req.raw).catch((error: unknown) => {
    if (error instanceof OAuthError) return undefined;
    throw error;
  });
  if (!form) return messagePage(c, 413, 'This form cannot be read', 'Open your link again.');
  const secret = form.get('ticket');
  const ticket = secret === undefined ? undefined : await openTicket(deps, platform, secret);
  if (!ticket) return over(c);
  const browser = browserSecret(c, deps);
  const location = await beginConnect(deps, ticket, browser);
  return location ? redirect(c, location) : over(c);
}

async function finish(c: Ctx, deps: Deps, platform: string): Promise<Response> {
  const { state = '', code, error } = c.req.query();
  const browser = getCookie(c, cookieName(deps)) ?? '';
  const answer = { state, ...(code !== undefined && { code }), ...(error !== undefined && { error }) };
  const result = await finishConnect(deps, platform, answer, browser);
  if (!result) return over(c);
  if (result.redirectUrl !== undefined) return redirect(c, returnUrl(result.redirectUrl, result));
  if (!result.ok) return messagePage(c, 400, 'The channel was not connected', ticketErrorText(result.errorCode));
  const rows = result.connectionIds.map((id) => html`<div><dt>Connection id</dt><dd>${id}</dd></div>`);
  const body = html`<h1>Connected</h1>
<p>${result.names.join(', ')} can now be published to. You can close this page.</p>
<dl>${rows}</dl>`;
  return page(c, { status: 200, title: 'Connected', body });
}

function returnUrl(redirectUrl: string, result: ConnectResult): string {
  const url = new URL(redirectUrl);
  if (result.ok) for (const id of result.connectionIds) url.searchParams.append('connectionId', id);
  else url.searchParams.set('error', result.errorCode);
  return url.href;
}

/** `__Host-` needs Secure, which plain http on localhost cannot give everywhere. */
function cookieName(deps: Deps): string {
  return deps.config.publicUrl.startsWith('https:') ? '__Host-pharlo_connect' : 'pharlo_connect';
}

/** One secret per browser, not per link: a second tab does not end the first. */
function browserSecret(c: Ctx, deps: Deps): string {
  const known = getCookie(c, cookieName(deps));
  const secret = known && known.length === 43 ? known : newSecret('', deps.random);
  const secure = deps.config.publicUrl.startsWith('https:');
  setCookie(c, cookieName(deps), secret, { path: '/', httpOnly: true, sameSite: 'Lax', secure, maxAge: 900 });
  return secret;
}
