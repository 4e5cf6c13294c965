import { z } from 'zod';
import type { OutgoingDocument } from '../net/outgoing.ts';
import { type ClientMetadata, readClientMetadata } from './client-metadata.ts';

/** The draft "OAuth Client ID Metadata Document", as the MCP specification pins it: the client id is the document's URL. */

/** True for a URL that may name a client: https on the usual port, with a path, in its one canonical spelling. */
export function isDocumentUrl(id: string): boolean {
  const url = id.length <= 512 ? URL.parse(id) : null;
  if (url?.href !== id || url.protocol !== 'https:' || url.port !== '' || url.pathname === '/') return false;
  return url.username === '' && url.password === '' && !id.includes('#');
}

const jsonType = /^application\/(?:json|[\w.-]+\+json)(?:;|$)/i;

const own = z.object({
  client_id: z.string(),
  client_name: z.string(),
  client_secret: z.null().optional(),
  client_secret_expires_at: z.null().optional(),
  token_endpoint_auth_method: z.string().optional(),
  // What else the client can do, for servers without the first choice.
  token_endpoint_auth_methods_supported: z.array(z.string()).optional(),
  jwks: z.object({ keys: z.array(z.object({ kty: z.string(), d: z.undefined().optional() })) }).optional(),
});

/**
 * Reads an answered document. Undefined when it is none, names another id, holds a secret or a private key, or is of a
 * client that does not work without authentication. `schemes` as for isRedirectUri.
 */
export function readClientDocument(
  url: string,
  document: OutgoingDocument,
  schemes: readonly string[],
): (ClientMetadata & { name: string }) | undefined {
  if (document.status !== 200 || !jsonType.test(document.headers.get('content-type') ?? '')) return undefined;
  try {
    const body: unknown = JSON.parse(new TextDecoder('utf-8', { fatal: true }).decode(document.body));
    const said = own.parse(body);
    const methods = [said.token_endpoint_auth_method ?? 'none', ...(said.token_endpoint_auth_methods_supported ?? [])];
    const shared = said.jwks?.keys.some(({ kty }) => kty === 'oct');
    const { name, ...metadata } = readClientMetadata(body, schemes);
    if (said.client_id !== url || !methods.includes('none') || shared || name === undefined) return undefined;
    return { ...metadata, name };
  } catch {
    return undefined;
  }
}
