import type { ClientRow } from '../store/oauth-clients.ts';
import { hasLiveGrant } from '../store/oauth-grants.ts';
import { isDocumentUrl } from './client-document.ts';
import { type ConsentRequest, rememberBrowser, sealRequest } from './consent-request.ts';
import { type OAuthContext, type OAuthDeps, paths, type ServerDeps } from './context.ts';
import { OAuthError, type OAuthErrorCode } from './errors.ts';
import { answerErrorPage, messagePage, redirect } from './pages.ts';
import { selectScopes } from './policy.ts';
import { isLoopback, matchesRedirectUri, redirectHost, withParameters } from './redirect-uris.ts';
import { type Fields, readFields, readForm, refuseRepeated } from './request.ts';
import { readResource } from './resource.ts';
import { noteRefusal, notingRefusals } from './strangers.ts';

const challenge = /^[\w-]{43}$/;
/** Keeps the sealed request, which travels in a path, below the limits of servers and proxies. */
const maxStateBytes = 2048;

/** Where the answer goes, once that is certain. */
type Target = { client: ClientRow; redirectUri: string; state?: string };

/** Why there is nobody to answer to. */
type Refusal = { refused: OAuthErrorCode; text: string; client?: ClientRow };

/** GET and POST /oauth/mcp/authorize: checks everything and sends the browser to the consent page. */
export async function authorize(c: OAuthContext, deps: ServerDeps): Promise<Response> {
  const { fields, target } = await notingRefusals(c, deps, 'authorize_refused', async () => {
    const isForm = c.req.method === 'POST';
    const fields = isForm ? await readForm(c.req.raw) : readFields(new URL(c.req.url).searchParams);
    return { fields, target: await findTarget(c, deps, fields) };
  });
  if ('refused' in target) {
    await noteRefusal(deps, c.var.network, 'authorize_refused', target.refused, target.client?.id);
    return messagePage(c, 400, 'This link does not work', target.text);
  }
  try {
    const request = readRequest(deps, fields, target);
    const browser = rememberBrowser(c, deps);
    return redirect(c, `${paths.consent}/${sealRequest(deps, request, browser)}`);
  } catch (error) {
    if (!(error instanceof OAuthError)) throw error;
    await noteRefusal(deps, c.var.network, 'authorize_refused', error.code, target.client.id);
    return answerError(c, deps, target, error);
  }
}

async function findTarget(c: OAuthContext, deps: ServerDeps, fields: Fields): Promise<Target | Refusal> {
  const redirectUri = fields.get('redirect_uri');
  const id = fields.repeated.has('client_id') ? undefined : fields.get('client_id');
  const client = await deps.clients.find(id, c.var.network);
  if (!client && id && isDocumentUrl(id)) {
    const text = 'The description of the app could not be fetched from its address, or is not valid.';
    return { refused: 'invalid_client', text: `${text} Try again in a minute.` };
  }
  if (!client) {
    const text = 'The app is not known here. Remove the connection in your app and add it again.';
    return { refused: 'invalid_client', text };
  }
  if (redirectUri === undefined || fields.repeated.has('redirect_uri')) {
    return { refused: 'invalid_redirect_uri', text: 'The app did not say where to return to.', client };
  }
  if (!matchesRedirectUri(client.redirectUris, redirectUri)) {
    const text = 'The app asked to return to an address it has not registered.';
    return { refused: 'invalid_redirect_uri', text, client };
  }
  const state = fields.repeated.has('state') ? undefined : fields.get('state');
  if (state && Buffer.byteLength(JSON.stringify(state)) > maxStateBytes) {
    return { refused: 'invalid_request', text: `The state parameter must not exceed ${maxStateBytes} bytes.`, client };
  }
  return { client, redirectUri, ...(state !== undefined && { state }) };
}

/** The rules of OAuth 2.1 §4.1.1 and RFC 7636 §4.3. Throws the error to answer. */
function readRequest(deps: OAuthDeps, fields: Fields, target: Target): ConsentRequest {
  refuseRepeated(fields, ['resource']);
  if (fields.get('request') !== undefined) {
    throw new OAuthError('request_not_supported', 'The request parameter is not supported.');
  }
  if (fields.get('request_uri') !== undefined) {
    throw new OAuthError('request_uri_not_supported', 'The request_uri parameter is not supported.');
  }
  checkResponse(fields);
  const codeChallenge = readChallenge(fields);
  const selection = selectScopes(fields.get('scope'), target.client.scope);
  if (!selection) throw new OAuthError('invalid_scope', 'None of the requested scopes is known.');
  const resource = readResource(deps, fields);
  return {
    id: Buffer.from(deps.random(16)).toString('base64url'),
    clientId: target.client.id,
    redirectUri: target.redirectUri,
    codeChallenge,
    scope: selection.names.join(' '),
    ...(target.state !== undefined && { state: target.state }),
    ...(resource !== undefined && { resource }),
  };
}

function checkResponse(fields: Fields): void {
  const type = fields.get('response_type');
  if (type === undefined) throw new OAuthError('invalid_request', 'response_type is missing; it must be code.');
  if (type !== 'code') throw new OAuthError('unsupported_response_type', 'response_type must be code.');
  if ((fields.get('response_mode') ?? 'query') !== 'query') {
    throw new OAuthError('invalid_request', 'response_mode must be query.');
  }
}

function readChallenge(fields: Fields): string {
  if (fields.get('code_challenge_method') !== 'S256') {
    throw new OAuthError('invalid_request', 'code_challenge_method must be S256.');
  }
  const value = fields.get('code_challenge') ?? '';
  if (!challenge.test(value)) {
    throw new OAuthError('invalid_request', 'code_challenge must be the 43 characters of a base64url SHA-256.');
  }
  return value;
}

/**
 * Answers an error before consent. At once only on loopback or for a client somebody lets in already: registration is
 * open, and otherwise anyone could make us send people to an address of theirs (RFC 9700 §4.11.2).
 */
async function answerError(c: OAuthContext, deps: OAuthDeps, target: Target, error: OAuthError): Promise<Response> {
  const { client, redirectUri, state } = target;
  const location = withParameters(redirectUri, {
    error: error.code,
    error_description: error.message,
    state,
    iss: deps.config.publicUrl,
  });
  const trusted = isLoopback(redirectUri) || (await hasLiveGrant(deps.db, client.id));
  if (trusted) return redirect(c, location);
  return answerErrorPage(c, { client: client.name, host: redirectHost(redirectUri), error, location });
}
