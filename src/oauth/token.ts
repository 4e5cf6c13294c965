import type { ClientRow } from '../store/oauth-clients.ts';
import { readLimit, takeFromLimit } from '../store/rate-limits.ts';
import { json } from './answers.ts';
import { lookUpClient } from './clients.ts';
import type { OAuthContext, OAuthDeps } from './context.ts';
import { OAuthError, tooMany } from './errors.ts';
import { exchangeCode } from './grants/authorization-code.ts';
import type { Exchange, Issued } from './grants/issue.ts';
import { refresh } from './grants/refresh-token.ts';
import { auditRefusal, limits } from './limits.ts';
import { type Fields, readForm, refuseRepeated } from './request.ts';
import { readResource } from './resource.ts';

const grants = new Map<string, (exchange: Exchange) => Promise<Issued>>([
  ['authorization_code', exchangeCode],
  ['refresh_token', refresh],
]);

export const grantTypes: readonly string[] = [...grants.keys()];

/** POST /oauth/mcp/token (OAuth 2.1 §3.2). */
export async function token(c: OAuthContext, deps: OAuthDeps): Promise<Response> {
  const { network } = c.var;
  const form = await readForm(c.req.raw);
  refuseRepeated(form, ['resource']);
  const grant = readGrantType(form);
  const client = await lookUpClient(deps, readClientId(form, c.req.header('authorization')));
  const subject = `token:${client?.id ?? 'unknown'}:${network}`;
  const wait = await readLimit(deps.db, subject, limits.tokenFailures);
  if (wait > 0) throw tooMany(wait);
  try {
    if (!client) throw unknownClient(form);
    const resource = readResource(deps, form);
    return json(await grant(readExchange(deps, form, client, resource, network)));
  } catch (error) {
    if (error instanceof OAuthError && error.code !== 'too_many_requests') {
      const over = await takeFromLimit(deps.db, subject, limits.tokenFailures);
      if (over > 0) throw tooMany(over);
      const entry = { action: 'oauth.token_refused', outcome: error.code, network };
      await auditRefusal(deps, { ...entry, ...(client && { clientId: client.id }) });
    }
    throw error;
  }
}

function readGrantType(form: Fields): (exchange: Exchange) => Promise<Issued> {
  const type = form.get('grant_type');
  if (type === undefined) throw new OAuthError('invalid_request', 'grant_type is missing.');
  const grant = grants.get(type);
  if (!grant) throw new OAuthError('unsupported_grant_type', `grant_type must be ${grantTypes.join(' or ')}.`);
  return grant;
}

/** All clients are public: one that tries to authenticate is not the client it was registered as. */
function readClientId(form: Fields, authorization: string | undefined): string {
  const inBody = form.get('client_secret') !== undefined || form.get('client_assertion') !== undefined;
  if (authorization !== undefined && inBody) {
    throw new OAuthError('invalid_request', 'Only one way of client authentication may be used.');
  }
  if (authorization !== undefined || inBody) {
    const headers = authorization === undefined ? {} : { 'WWW-Authenticate': 'Basic realm="Pharlo"' };
    const text = 'This client is public: send client_id in the body and no secret.';
    throw new OAuthError('invalid_client', text, { status: 401, headers });
  }
  const id = form.get('client_id');
  if (id === undefined) throw new OAuthError('invalid_request', 'client_id is missing.');
  return id;
}

/** MCP clients register anew at a 401 only, as they name a resource; the plain answer is the documented 400. */
function unknownClient(form: Fields): OAuthError {
  const status = form.all('resource').length > 0 ? 401 : 400;
  return new OAuthError('invalid_client', 'The client is not known. Register again.', { status });
}

function readExchange(
  deps: OAuthDeps,
  form: Fields,
  client: ClientRow,
  resource: string | undefined,
  network: string,
): Exchange {
  return { deps, form, client, network, ...(resource !== undefined && { resource }) };
}
