import { html } from 'hono/html';
import { type Scope, scopeTexts } from '../domain/access.ts';
import type { OAuthContext } from './context.ts';
import { type Html, type PageStatus, page } from './pages.ts';
import { isClaimable, redirectHost } from './redirect-uris.ts';

export type ConsentProblem = 'wrong_key' | 'too_many' | 'nothing_chosen' | 'key_too_narrow';

export type ConsentView = {
  issuer: string;
  client: string;
  /** Where the client's metadata document stands; absent = a registered client. */
  clientHost?: string;
  redirectUri: string;
  scopes: readonly Scope[];
  /** Shown as ticked. */
  ticked: readonly Scope[];
  problem?: ConsentProblem;
  retryAfterSeconds?: number;
};

/** `at` is the part of the form that would mend it. */
type Problem = { status: PageStatus; title: string; text: string; at?: 'key' | 'scopes' };

/** One text for every key that cannot be used, whatever the reason. */
const problems: Record<ConsentProblem, Problem> = {
  wrong_key: {
    status: 400,
    title: 'This key cannot be used',
    text: 'Check that the whole key was pasted and that it is still valid.',
    at: 'key',
  },
  too_many: {
    status: 429,
    title: 'Too many attempts',
    text: 'Wait a while, then start again from your app.',
  },
  nothing_chosen: {
    status: 400,
    title: 'Nothing is chosen',
    text: 'Tick at least one permission, or choose Deny.',
    at: 'scopes',
  },
  key_too_narrow: {
    status: 400,
    title: 'This key may do none of that',
    text: 'Use a key that holds at least one of the chosen permissions.',
    at: 'key',
  },
};

/** The page on which a person lets a client in; works without scripts. */
export function consentPage(c: OAuthContext, view: ConsentView): Response | Promise<Response> {
  const problem = view.problem && problems[view.problem];
  const body = html`<h1>Connect <bdi>${view.client}</bdi> to Pharlo?</h1>
<p class="soft">The name is ${view.clientHost ? html`what <strong>${view.clientHost}</strong> says of its app` : 'the app’s own claim'}, not verified by Pharlo.</p>
${problem ? alert(problem) : ''}
<dl>
${view.clientHost ? html`<div><dt>Published by</dt><dd>${view.clientHost}</dd></div>` : ''}
<div><dt>Access is sent to</dt><dd>${destination(view.redirectUri)}</dd></div>
</dl>
${isClaimable(view.redirectUri) ? warning : ''}
<form method="post">
<fieldset id="scopes">
<legend>It will be able to</legend>
${view.scopes.map((scope) => checkbox(scope, view.ticked.includes(scope)))}
</fieldset>
${keyField(problem?.at === 'key')}
<div class="actions">
<button class="primary" name="decision" value="authorize">Authorize</button>
<button name="decision" value="deny" formnovalidate>Deny</button>
</div>
</form>`;
  const headers: Record<string, string> = view.retryAfterSeconds ? { 'Retry-After': `${view.retryAfterSeconds}` } : {};
  return page(c, {
    status: problem?.status ?? 200,
    title: problem ? `Error: ${problem.title}` : `Connect ${view.client}`,
    body,
    footer: `You are on ${new URL(view.issuer).host}. Enter your key nowhere else.`,
    headers,
  });
}

const warning = html`<div class="note"><p>Did you just start this yourself?</p><p>If not, choose Deny. This app runs on a computer, not on a website: any program on this computer can claim this name.</p></div>`;

/** A host says enough; a port or a scheme of this computer does not. */
function destination(redirectUri: string): string {
  const host = redirectHost(redirectUri);
  return isClaimable(redirectUri) ? `this computer (${host})` : host;
}

function alert({ title, text, at }: Problem): Html {
  const names = { key: 'the key', scopes: 'the permissions' };
  const link = at ? html` <a href="#${at}">Go to ${names[at]}</a>` : '';
  return html`<div class="alert" role="alert" id="problem"><p>${title}</p><p>${text}${link}</p></div>`;
}

function checkbox(scope: Scope, ticked: boolean): Html {
  return html`<label class="scope"><input type="checkbox" name="scope" value="${scope}" ${ticked ? 'checked' : ''}><span>${scopeTexts[scope]}<code>${scope}</code></span></label>`;
}

function keyField(invalid: boolean): Html {
  return html`<div class="field">
<label for="key">Your Pharlo key (ds_live_…)</label>
<input id="key" name="key" type="password" required autocomplete="off" autocapitalize="none" spellcheck="false" maxlength="200" aria-describedby="${invalid ? 'problem key-hint' : 'key-hint'}" ${invalid ? html`aria-invalid="true"` : ''}>
<p class="soft" id="key-hint">Whoever runs this Pharlo makes it with <code>pharlo keys create</code>. The key is checked here and never given to the app; revoking it ends the access.</p>
</div>`;
}
