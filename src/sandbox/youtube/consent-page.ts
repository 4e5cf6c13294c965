import { html } from 'hono/html';
import { type Html, page } from '../page.ts';
import type { Channel } from './channel.ts';
import { scopeTexts, splitScope } from './scopes.ts';

export const notice = 'Sandbox network \u2014 not YouTube.';

type View = { requestId: string; channels: Channel[]; scope: string; redirectUri: string; problem?: string };

function channelChoice(channel: Channel, checked: boolean): Html {
  return html`<label class="choice"><input type="radio" name="channel" value="${channel.id}" ${checked ? 'checked' : ''}>
<img class="avatar" src="/youtube/avatar/${channel.id}" alt="">
<span>${channel.title}<span class="small soft">@${channel.handle}</span></span></label>`;
}

function scopeChoice(scope: string): Html {
  return html`<label class="choice"><input type="checkbox" name="scope" value="${scope}" checked>
<span>${scopeTexts.get(scope)}<span class="small soft">${scope.split('/').at(-1)}</span></span></label>`;
}

/** The consent form. Its one-time id stands for the request, so nothing of that can be altered. */
export function consentPage(view: View): Html {
  const { requestId, channels, scope, redirectUri, problem } = view;
  return page({
    title: 'Connect a sandbox channel',
    notice,
    body: html`<form class="card" method="post">
<input type="hidden" name="request" value="${requestId}">
<h1>Connect a sandbox channel</h1>
<p class="soft">This page stands in for YouTube's consent screen. Pick a channel and what may be done with it. You then
return to <strong>${new URL(redirectUri).host}</strong>.</p>
${problem ? html`<p class="problem" role="alert">${problem}</p>` : ''}
<fieldset><legend>Channel</legend>
${channels.map((channel, index) => channelChoice(channel, index === 0 && !problem))}
<label class="choice"><input type="radio" name="channel" value="new" ${problem ? 'checked' : ''}>
<span class="plus" aria-hidden="true">+</span><span>Create another channel</span></label>
<label class="name">Name of the new channel<input name="title" maxlength="50" autocomplete="off"></label>
<label class="choice"><input type="checkbox" name="hidesSubscribers" value="yes">
<span>Hide the new channel's number of subscribers</span></label>
</fieldset>
<fieldset><legend>Allow Pharlo to</legend>
${splitScope(scope).map(scopeChoice)}
</fieldset>
<div class="buttons"><button class="primary" name="decision" value="allow">Allow</button>
<button name="decision" value="deny" formnovalidate>Deny</button></div>
</form>`,
  });
}

/** Shown instead of a redirect when the request itself cannot be trusted. */
export function consentErrorPage(code: string, explanation: string): Html {
  return page({
    title: 'Cannot connect',
    notice,
    body: html`<section class="card"><h1>This request cannot be answered</h1>
<p>${explanation}</p><p class="soft small">Error 400: ${code}</p></section>`,
  });
}
