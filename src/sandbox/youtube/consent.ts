import { type Context, Hono } from 'hono';
import type { SandboxContext } from '../context.ts';
import { onlyMethods, readText, sha256 } from '../http.ts';
import { channelsOf, channelsToOffer, createChannel, isClientId, randomId } from './channel.ts';
import { consentErrorPage, consentPage } from './consent-page.ts';
import { type Consent, issueCode } from './grants.ts';
import { scopeTexts, splitScope } from './scopes.ts';

const requestLifetimeMs = 10 * 60_000;
const path = '/o/oauth2/v2/auth';

type PendingConsent = Consent & { hash: string; state: string | null };

function isRedirectUri(value: string): boolean {
  const url = URL.parse(value);
  return (
    url !== null && /^https?:$/.test(url.protocol) && url.hash === '' && url.username === '' && value.length <= 2000
  );
}

/** Google's code and our words for what is wrong with the request; undefined = it is fine. */
function problemOf(query: Record<string, string>): [code: string, explanation: string] | undefined {
  if (!isClientId(query.client_id ?? '')) return ['invalid_client', 'The client_id is not one of this sandbox.'];
  if (!isRedirectUri(query.redirect_uri ?? '')) {
    return ['redirect_uri_mismatch', 'The redirect_uri must be an absolute http or https address without a fragment.'];
  }
  if (query.response_type !== 'code') return ['unsupported_response_type', 'The response_type must be code.'];
  const scopes = splitScope(query.scope ?? '');
  if (scopes.length === 0) return ['invalid_request', 'The scope is missing.'];
  if (scopes.some((scope) => !scopeTexts.has(scope)))
    return ['invalid_scope', 'The sandbox does not know one of the scopes.'];
  const challenge = query.code_challenge;
  if (challenge !== undefined && (query.code_challenge_method !== 'S256' || !/^[\w-]{43}$/.test(challenge))) {
    return ['invalid_request', 'The code_challenge must be of the S256 method.'];
  }
  return (query.state ?? '').length > 4000 ? ['invalid_request', 'The state is too long.'] : undefined;
}

function redirectBack(c: Context, consent: PendingConsent, answer: Record<string, string>): Response {
  const url = new URL(consent.redirectUri);
  if (consent.state !== null) url.searchParams.set('state', consent.state);
  for (const [name, value] of Object.entries(answer)) url.searchParams.set(name, value);
  return c.redirect(url.href, 302);
}

/** Takes the decision: a code, a refusal, or words for the form to show again. */
function decide(
  context: SandboxContext,
  consent: PendingConsent,
  form: URLSearchParams,
): Record<string, string> | string {
  const asked = splitScope(consent.scope);
  const scopes = asked.filter((scope) => form.getAll('scope').includes(scope));
  if (form.get('decision') !== 'allow' || scopes.length === 0) return { error: 'access_denied' };
  const choice = form.get('channel');
  const title = (form.get('title') ?? '').trim().slice(0, 50);
  if (choice === 'new' && title === '') return 'Give the new channel a name.';
  const channel =
    choice === 'new'
      ? createChannel(context, consent.clientId, title, form.has('hidesSubscribers'))
      : channelsOf(context, consent.clientId).find((known) => known.id === choice);
  if (!channel) return 'Choose a channel.';
  const scope = scopes.join(' ');
  return { code: issueCode(context, { ...consent, scope }, channel.id), scope };
}

/** The consent page and its decision. There is no login and no cookie: the one-time id in the form is all there is. */
export function consentRoutes(context: SandboxContext): Hono {
  const { store, now } = context;
  const routes = new Hono();

  routes.get(path, (c) => {
    const query = c.req.query();
    const problem = problemOf(query);
    const { client_id: clientId, redirect_uri: redirectUri, scope } = query;
    if (problem || !clientId || !redirectUri || !scope) {
      return c.html(consentErrorPage(...(problem ?? ['invalid_request', 'The request is incomplete.'])), 400);
    }
    const requestId = randomId(context, 32);
    store.run('DELETE FROM consentRequest WHERE expiresAt <= $now', { now: now() });
    store.run(
      `INSERT INTO consentRequest (hash, clientId, redirectUri, scope, state, codeChallenge, offline, forced, expiresAt)
       VALUES ($hash, $clientId, $redirectUri, $scope, $state, $codeChallenge, $offline, $forced, $expiresAt)`,
      {
        hash: sha256(requestId),
        clientId,
        redirectUri,
        scope,
        state: query.state ?? null,
        codeChallenge: query.code_challenge ?? null,
        offline: query.access_type === 'offline' ? 1 : 0,
        forced: splitScope(query.prompt ?? '').includes('consent') ? 1 : 0,
        expiresAt: now() + requestLifetimeMs,
      },
    );
    return c.html(consentPage({ requestId, channels: channelsToOffer(context, clientId), scope, redirectUri }));
  });

  routes.post(path, async (c) => {
    const form = new URLSearchParams((await readText(c.req.raw)) ?? '');
    const requestId = form.get('request') ?? '';
    const hash = sha256(requestId);
    const consent = store.get<PendingConsent>('SELECT * FROM consentRequest WHERE hash = $hash AND expiresAt > $now', {
      hash,
      now: now(),
    });
    if (!consent) {
      const explanation =
        'This page was used already or is older than ten minutes. Go back and start the connection again.';
      return c.html(consentErrorPage('invalid_request', explanation), 400);
    }
    const outcome = store.transaction(() => {
      const decided = decide(context, consent, form);
      if (typeof decided !== 'string') store.run('DELETE FROM consentRequest WHERE hash = $hash', { hash });
      return decided;
    });
    if (typeof outcome !== 'string') return redirectBack(c, consent, outcome);
    const { clientId, scope, redirectUri } = consent;
    const channels = channelsOf(context, clientId);
    return c.html(consentPage({ requestId, channels, scope, redirectUri, problem: outcome }), 400);
  });
  routes.all(path, onlyMethods('GET', 'POST'));
  return routes;
}
