import { isScope, type Scope } from '../domain/access.ts';
import { hashSecret, newId, newSecret } from '../domain/ids.ts';
import { isSameOrigin } from '../http.ts';
import { findKeyByHash, type LiveKey } from '../store/api-keys.ts';
import { insertAudit } from '../store/audit.ts';
import { type ClientRow, noteCodeGiven, saveDocumentClient } from '../store/oauth-clients.ts';
import { insertCode } from '../store/oauth-codes.ts';
import { insertGrant, type NewGrant } from '../store/oauth-grants.ts';
import { returnToLimit, takeFromLimit } from '../store/rate-limits.ts';
import { type ConsentProblem, consentPage } from './consent-page.ts';
import { type ConsentRequest, openRequest } from './consent-request.ts';
import { lifetimes, type OAuthContext, type OAuthDeps, type ServerDeps } from './context.ts';
import { limits } from './limits.ts';
import { messagePage, redirect } from './pages.ts';
import { type Selection, scopeText, selectScopes } from './policy.ts';
import { redirectHost, withParameters } from './redirect-uris.ts';
import { type Fields, readForm } from './request.ts';
import { noteRefusal, notingRefusals } from './strangers.ts';

/** A consent page being shown or answered. */
type Consent = { request: ConsentRequest; client: ClientRow; selection: Selection };

/** GET /oauth/mcp/consent/{id} */
export async function showConsent(c: OAuthContext, deps: ServerDeps): Promise<Response> {
  const consent = await openConsent(c, deps);
  return consent instanceof Response ? consent : show(c, deps, consent);
}

/** POST /oauth/mcp/consent/{id}: the decision. */
export async function decideConsent(c: OAuthContext, deps: ServerDeps): Promise<Response> {
  if (!isSameOrigin(c.req.raw.headers, deps.config.publicUrl)) {
    await noteRefusal(deps, c.var.network, 'consent_refused', 'access_denied');
    return messagePage(c, 403, 'This form was sent from elsewhere', 'Start again from your app.');
  }
  const consent = await openConsent(c, deps);
  if (consent instanceof Response) return consent;
  const form = await notingRefusals(c, deps, 'consent_refused', () => readForm(c.req.raw));
  const decision = form.get('decision');
  if (form.repeated.has('key') || form.repeated.has('decision') || !(decision === 'authorize' || decision === 'deny')) {
    return messagePage(c, 400, 'This form is not complete', 'Go back and choose Authorize or Deny.');
  }
  return decision === 'deny' ? deny(c, deps, consent) : authorizeWithKey(c, deps, consent, form);
}

async function openConsent(c: OAuthContext, deps: ServerDeps): Promise<Consent | Response> {
  const opened = openRequest(c, deps, c.req.param('id') ?? '');
  if (!opened.ok) {
    const foreign = opened.reason === 'foreign';
    await noteRefusal(deps, c.var.network, 'consent_refused', foreign ? 'access_denied' : 'invalid_request');
    const title = {
      tampered: 'This link is not complete',
      expired: 'This page has expired',
      foreign: 'Another browser',
    };
    const text = foreign
      ? 'This page belongs to another browser, or cookies are blocked. Start again from your app.'
      : 'Start again from your app.';
    return messagePage(c, foreign ? 403 : 400, title[opened.reason], text);
  }
  const { request } = opened;
  const find = () => deps.clients.find(request.clientId, c.var.network);
  const client = await notingRefusals(c, deps, 'consent_refused', find);
  const selection = selectScopes(request.scope, null);
  if (!client || !selection) return messagePage(c, 400, 'The app is no longer known', 'Start again from your app.');
  return { request, client, selection };
}

function show(
  c: OAuthContext,
  deps: OAuthDeps,
  { request, client, selection }: Consent,
  failed?: { problem: ConsentProblem; ticked: readonly Scope[]; retryAfterSeconds?: number },
): Response | Promise<Response> {
  return consentPage(c, {
    issuer: deps.config.publicUrl,
    client: client.name,
    ...(client.documentFetchedAt && { clientHost: new URL(client.id).host }),
    redirectUri: request.redirectUri,
    scopes: selection.scopes,
    ticked: failed?.ticked ?? selection.scopes,
    ...(failed && { problem: failed.problem }),
    ...(failed?.retryAfterSeconds && { retryAfterSeconds: failed.retryAfterSeconds }),
  });
}

async function deny(c: OAuthContext, deps: OAuthDeps, { request, client }: Consent): Promise<Response> {
  await noteRefusal(deps, c.var.network, 'deny', 'access_denied', client.id);
  const parameters = {
    error: 'access_denied',
    error_description: 'The user denied access.',
    state: request.state,
    iss: deps.config.publicUrl,
  };
  return redirect(c, withParameters(request.redirectUri, parameters));
}

async function authorizeWithKey(c: OAuthContext, deps: OAuthDeps, consent: Consent, form: Fields): Promise<Response> {
  const { client, request, selection } = consent;
  const chosen = new Set(form.all('scope').filter(isScope));
  const ticked = selection.scopes.filter((scope) => chosen.has(scope));
  const { network } = c.var;
  if (ticked.length === 0) return show(c, deps, consent, { problem: 'nothing_chosen', ticked });
  const checked = await checkKey(c, deps, request.id, form.get('key') ?? '');
  if (typeof checked === 'number') {
    await noteRefusal(deps, network, 'key_refused', 'too_many_requests', client.id);
    return show(c, deps, consent, { problem: 'too_many', ticked, retryAfterSeconds: checked });
  }
  if (!checked) {
    await noteRefusal(deps, network, 'key_refused', 'access_denied', client.id);
    return show(c, deps, consent, { problem: 'wrong_key', ticked });
  }
  const scopes = ticked.filter((scope) => checked.scopes.includes(scope));
  if (scopes.length === 0) {
    const who = { workspaceId: checked.workspaceId, keyId: checked.id, clientId: client.id, network };
    await insertAudit(deps.db, { ...who, action: 'oauth.grant', outcome: 'invalid_scope' });
    return show(c, deps, consent, { problem: 'key_too_narrow', ticked });
  }
  const code = await grant(c, deps, consent, checked, scopes);
  const parameters = { code, state: request.state, iss: deps.config.publicUrl };
  return redirect(c, withParameters(request.redirectUri, parameters));
}

/**
 * The live key of that text, undefined when there is none, or the seconds to wait. A try is counted before the look-up,
 * so that parallel tries cannot slip through, and a right key does not count against its network and all.
 */
async function checkKey(
  c: OAuthContext,
  deps: OAuthDeps,
  requestId: string,
  text: string,
): Promise<LiveKey | number | undefined> {
  const network = `consent:${c.var.network}`;
  const wait =
    (await takeFromLimit(deps.db, `consent-request:${requestId}`, deps.config.limits.keysPerConsent)) ||
    (await takeFromLimit(deps.db, network, deps.config.limits.wrongKeys)) ||
    (await takeFromLimit(deps.db, 'consent', limits.wrongKeysOfAll));
  if (wait > 0) return wait;
  const key = await findKeyByHash(deps.db, hashSecret(text.trim()));
  if (key) {
    await returnToLimit(deps.db, network, deps.config.limits.wrongKeys);
    await returnToLimit(deps.db, 'consent', limits.wrongKeysOfAll);
  }
  return key;
}

/** Writes grant, code and audit together and answers the code. */
async function grant(
  c: OAuthContext,
  deps: OAuthDeps,
  { client, request, selection }: Consent,
  key: LiveKey,
  scopes: Scope[],
): Promise<string> {
  const code = newSecret('mcp_ac_', deps.random);
  const given: NewGrant = {
    id: newId(deps.now(), deps.random),
    workspaceId: key.workspaceId,
    keyId: key.id,
    clientId: client.id,
    clientName: client.name,
    redirectHost: redirectHost(request.redirectUri),
    scopes,
    scopeText: scopeText(selection, scopes),
    resource: request.resource ?? null,
  };
  await deps.db.transaction(async (tx) => {
    if (client.documentFetchedAt) await saveDocumentClient(tx, client);
    await insertGrant(tx, given);
    await insertCode(tx, {
      codeHash: hashSecret(code),
      grantId: given.id,
      clientId: client.id,
      redirectUri: request.redirectUri,
      codeChallenge: request.codeChallenge,
      lifetimeSeconds: lifetimes.code,
    });
    await noteCodeGiven(tx, client.id, request.resource !== undefined);
    await insertAudit(tx, {
      workspaceId: given.workspaceId,
      keyId: given.keyId,
      grantId: given.id,
      clientId: client.id,
      action: 'oauth.grant',
      outcome: 'ok',
      network: c.var.network,
    });
  });
  return code;
}
