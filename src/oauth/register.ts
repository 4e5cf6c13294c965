import { createHash } from 'node:crypto';
import { z } from 'zod';
import { hashSecret, newSecret } from '../domain/ids.ts';
import { canonicalJson } from '../domain/json.ts';
import { type ClientRow, findClientByFingerprint, insertClient, type NewClient } from '../store/oauth-clients.ts';
import { takeFromLimit } from '../store/rate-limits.ts';
import { json } from './answers.ts';
import { authMethods } from './client-authentication.ts';
import type { OAuthContext, OAuthDeps } from './context.ts';
import { OAuthError, tooMany } from './errors.ts';
import { limits } from './limits.ts';
import { knownNames } from './policy.ts';
import { isRedirectUri } from './redirect-uris.ts';
import { readJson } from './request.ts';

/** Control, bidirectional and other invisible characters; not the joiners that emoji and several scripts need. */
const invisible = /[^\P{C}\u200c\u200d]|[\p{Zl}\p{Zp}]/u;

/** Clients in the wild send null and "" for what they do not mean. */
function optional<T extends z.ZodType>(schema: T) {
  return z.preprocess((value) => (value === null || value === '' ? undefined : value), schema.optional());
}

/** RFC 7591 §2 as far as it concerns us; other members are tolerated, never stored, and no URL in them is fetched. */
const registration = z.object({
  redirect_uris: z.array(z.unknown()).min(1),
  client_name: optional(
    z
      .string()
      .max(100)
      .refine((name) => !invisible.test(name)),
  ),
  grant_types: optional(z.array(z.string())),
  response_types: optional(z.array(z.string())),
  token_endpoint_auth_method: optional(z.string()),
  scope: optional(z.string()),
});

const complaints: Record<string, string> = {
  client_name: 'client_name must be a text of at most 100 visible characters.',
  grant_types: 'grant_types must be a list of texts.',
  response_types: 'response_types must be a list of texts.',
  token_endpoint_auth_method: 'token_endpoint_auth_method must be a text.',
  scope: 'scope must be a text.',
};

/**
 * POST /oauth/mcp/register (RFC 7591): open to everyone, and the same answer for an identical registration of a public
 * client. A secret is shown here and never again.
 */
export async function register(c: OAuthContext, deps: OAuthDeps): Promise<Response> {
  const asked = readRegistration(await readJson(c.req.raw));
  const isPublic = asked.authMethod === 'none';
  const fingerprint = isPublic ? createHash('sha256').update(canonicalJson(asked)).digest() : null;
  const known = fingerprint && (await findClientByFingerprint(deps.db, fingerprint));
  if (known) return json(describe(known), 201);
  const wait = await takeFromLimit(deps.db, `register:${c.var.network}`, limits.registration);
  if (wait > 0) throw tooMany(wait);
  const id = `mcp_client_${Buffer.from(deps.random(16)).toString('base64url')}`;
  const secret = isPublic ? undefined : newSecret('mcp_cs_', deps.random);
  const secretHash = secret === undefined ? null : hashSecret(secret);
  const client = await insertClient(deps.db, { id, fingerprint, secretHash, ...asked });
  return json({ ...describe(client), ...(secret && { client_secret: secret, client_secret_expires_at: 0 }) }, 201);
}

type Registration = Omit<NewClient, 'id' | 'fingerprint' | 'secretHash'>;

function readRegistration(body: unknown): Registration {
  const parsed = registration.safeParse(body);
  if (!parsed.success) throw complain(parsed.error);
  const { redirect_uris, client_name, grant_types, token_endpoint_auth_method: method, scope } = parsed.data;
  const authMethod = authMethods.find((known) => known === (method ?? 'none'));
  if (!authMethod) {
    const text = `token_endpoint_auth_method must be one of ${authMethods.join(', ')}.`;
    throw new OAuthError('invalid_client_metadata', text);
  }
  const redirectUris = redirect_uris.filter((uri) => typeof uri === 'string').filter(isRedirectUri);
  if (redirectUris.length === 0) {
    const text = 'redirect_uris must hold an https URI, an http URI on localhost, or one of a private-use scheme.';
    throw new OAuthError('invalid_redirect_uri', text);
  }
  const refreshes = !grant_types?.length || grant_types.includes('refresh_token');
  return {
    name: client_name?.trim() || 'MCP client',
    redirectUris: [...new Set(redirectUris)],
    grantTypes: refreshes ? ['authorization_code', 'refresh_token'] : ['authorization_code'],
    authMethod,
    scope: knownNames(scope ?? '').join(' ') || null,
  };
}

function complain(error: z.ZodError): OAuthError {
  const member = String(error.issues[0]?.path[0] ?? '');
  if (member === 'redirect_uris') {
    return new OAuthError('invalid_redirect_uri', 'redirect_uris must be a list of URIs.');
  }
  return new OAuthError('invalid_client_metadata', complaints[member] ?? 'The body must be a JSON object.');
}

/** RFC 7591 §3.2.1. No null and no empty member: strict clients refuse the whole answer for one. */
function describe(client: ClientRow) {
  return {
    client_id: client.id,
    client_id_issued_at: Math.floor(client.createdAt.getTime() / 1000),
    client_name: client.name,
    redirect_uris: client.redirectUris,
    grant_types: client.grantTypes,
    response_types: ['code'],
    token_endpoint_auth_method: client.authMethod,
    ...(client.scope !== null && { scope: client.scope }),
  };
}
