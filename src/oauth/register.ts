import { createHash } from 'node:crypto';
import { hashSecret, newSecret } from '../domain/ids.ts';
import { canonicalJson } from '../domain/json.ts';
import { countStranger } from '../store/audit.ts';
import { type ClientRow, findClientByFingerprint, insertClient, type NewClient } from '../store/oauth-clients.ts';
import { takeFromLimit } from '../store/rate-limits.ts';
import { json } from './answers.ts';
import { authMethods } from './client-authentication.ts';
import { readClientMetadata } from './client-metadata.ts';
import type { OAuthContext, OAuthDeps } from './context.ts';
import { OAuthError, tooMany } from './errors.ts';
import { readJson } from './request.ts';
import { notingRefusals } from './strangers.ts';

/**
 * POST /oauth/mcp/register (RFC 7591): open to everyone, and the same answer for an identical registration of a public
 * client. A secret is shown here and never again.
 */
export function register(c: OAuthContext, deps: OAuthDeps): Promise<Response> {
  return notingRefusals(c, deps, 'register_refused', () => addClient(c, deps));
}

async function addClient(c: OAuthContext, deps: OAuthDeps): Promise<Response> {
  const { network } = c.var;
  const asked = readRegistration(await readJson(c.req.raw), deps.config.redirectSchemes);
  const isPublic = asked.authMethod === 'none';
  const fingerprint = isPublic ? createHash('sha256').update(canonicalJson(asked)).digest() : null;
  const known = fingerprint && (await findClientByFingerprint(deps.db, fingerprint));
  if (known) return json(describe(known), 201);
  const wait = await takeFromLimit(deps.db, `register:${network}`, deps.config.limits.registration);
  if (wait > 0) throw tooMany(wait);
  const id = `mcp_client_${Buffer.from(deps.random(16)).toString('base64url')}`;
  const secret = isPublic ? undefined : newSecret('mcp_cs_', deps.random);
  const secretHash = secret === undefined ? null : hashSecret(secret);
  const client = await deps.db.transaction(async (tx) => {
    const stored = await insertClient(tx, { id, fingerprint, secretHash, ...asked });
    const entry = { action: 'oauth.register', outcome: 'ok', network, clientId: stored.id };
    if (stored.id === id) await countStranger(tx, entry);
    return stored;
  });
  return json({ ...describe(client), ...(secret && { client_secret: secret, client_secret_expires_at: 0 }) }, 201);
}

type Registration = Omit<NewClient, 'id' | 'fingerprint' | 'secretHash'>;

function readRegistration(body: unknown, schemes: readonly string[]): Registration {
  const { name = 'MCP client', authMethod: method = 'none', ...metadata } = readClientMetadata(body, schemes);
  const authMethod = authMethods.find((known) => known === method);
  if (!authMethod) {
    const text = `token_endpoint_auth_method must be one of ${authMethods.join(', ')}.`;
    throw new OAuthError('invalid_client_metadata', text);
  }
  return { name, authMethod, ...metadata };
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
