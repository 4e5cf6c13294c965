import { timingSafeEqual } from 'node:crypto';
import { hashSecret } from '../domain/ids.ts';
import type { ClientRow } from '../store/oauth-clients.ts';
import { readLimit, takeFromLimit } from '../store/rate-limits.ts';
import type { OAuthContext, ServerDeps } from './context.ts';
import { OAuthError, tooMany } from './errors.ts';
import { type Fields, readForm, refuseRepeated } from './request.ts';
import { noteRefusal } from './strangers.ts';

/** How a client may prove who it is; one that registered with a method uses that one and no other. */
export const authMethods = ['none', 'client_secret_post', 'client_secret_basic'] as const;

export type AuthMethod = (typeof authMethods)[number];

type Credentials = { id: string; method: AuthMethod; secret?: string };

/**
 * Reads the form of an endpoint that clients call, lets the client prove who it is (OAuth 2.1 §2.4) and answers for it.
 * Refusals count per client and network, and in the audit trail as `oauth.<endpoint>_refused`.
 */
export async function asClient(
  c: OAuthContext,
  deps: ServerDeps,
  endpoint: 'token' | 'revoke' | 'introspect',
  answer: (form: Fields, client: ClientRow) => Promise<Response>,
): Promise<Response> {
  const { network } = c.var;
  let client: ClientRow | undefined;
  const subject = () => `token:${client?.id ?? 'unknown'}:${network}`;
  try {
    const form = await readForm(c.req.raw);
    refuseRepeated(form, ['resource']);
    const credentials = readCredentials(form, c.req.header('authorization'));
    client = await deps.clients.find(credentials.id, network);
    const wait = await readLimit(deps.db, subject(), deps.config.limits.token);
    if (wait > 0) throw tooMany(wait);
    if (!client) throw unknownClient(form, credentials);
    prove(client, credentials);
    return await answer(form, client);
  } catch (error) {
    if (!(error instanceof OAuthError)) throw error;
    const counts = error.code !== 'too_many_requests';
    const over = counts ? await takeFromLimit(deps.db, subject(), deps.config.limits.token) : 0;
    const answered = over > 0 ? tooMany(over) : error;
    await noteRefusal(deps, network, `${endpoint}_refused`, answered.code, client?.id);
    throw answered;
  }
}

function readCredentials(form: Fields, authorization: string | undefined): Credentials {
  const secret = form.get('client_secret');
  const assertion = form.get('client_assertion') ?? form.get('client_assertion_type');
  if ([authorization, secret, assertion].filter((value) => value !== undefined).length > 1) {
    throw new OAuthError('invalid_request', 'Only one way of client authentication may be used.');
  }
  if (assertion !== undefined) throw refused('none', 'Client assertions are not supported.');
  const id = form.get('client_id');
  if (authorization !== undefined) {
    const basic = readBasic(authorization);
    if (!basic) throw refused('client_secret_basic', 'The Authorization header cannot be read.');
    if (id !== undefined && id !== basic.id) {
      throw new OAuthError('invalid_request', 'client_id is not the one of the Authorization header.');
    }
    return { ...basic, method: 'client_secret_basic' };
  }
  if (id === undefined) throw new OAuthError('invalid_request', 'client_id is missing.');
  return secret === undefined ? { id, method: 'none' } : { id, method: 'client_secret_post', secret };
}

/** RFC 6749 §2.3.1: id and secret are form-encoded before they are joined. */
function readBasic(authorization: string): { id: string; secret: string } | undefined {
  const encoded = /^basic ([A-Za-z0-9+/]+={0,2})$/i.exec(authorization)?.[1] ?? '';
  const [, id, secret] = /^([^:]+):(.*)$/s.exec(Buffer.from(encoded, 'base64').toString('utf8')) ?? [];
  if (id === undefined || secret === undefined) return undefined;
  try {
    const decode = (text: string) => decodeURIComponent(text.replaceAll('+', ' '));
    return { id: decode(id), secret: decode(secret) };
  } catch {
    return undefined;
  }
}

/** Throws unless the client proved who it is with the method it registered. */
function prove(client: ClientRow, { method, secret }: Credentials): void {
  if (client.authMethod !== method) {
    const how = client.authMethod === 'none' ? 'send client_id in the body and no secret' : `use ${client.authMethod}`;
    throw refused(method, `This client registered another way of authentication: ${how}.`);
  }
  if (method === 'none') return;
  if (!client.secretHash || !timingSafeEqual(hashSecret(secret ?? ''), client.secretHash)) {
    throw refused(method, 'The client secret is not the right one.');
  }
}

/** RFC 6749 §5.2: whoever used the Authorization header is told which scheme it takes. */
function refused(method: AuthMethod, text: string): OAuthError {
  const headers = method === 'client_secret_basic' ? { 'WWW-Authenticate': 'Basic realm="Pharlo"' } : {};
  return new OAuthError('invalid_client', text, { status: 401, headers });
}

/** MCP clients, which name a resource, register anew at a 401 only; the plain answer is the documented 400. */
function unknownClient(form: Fields, { id, method }: Credentials): OAuthError {
  const text = 'The client is not known. Register again.';
  const strict = method === 'client_secret_basic' || form.all('resource').length > 0 || id.startsWith('https://');
  return strict ? refused(method, text) : new OAuthError('invalid_client', text);
}
