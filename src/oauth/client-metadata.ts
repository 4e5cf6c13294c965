import { z } from 'zod';
import { OAuthError } from './errors.ts';
import { knownNames } from './policy.ts';
import { isRedirectUri } from './redirect-uris.ts';

/** What a client says of itself, by registration or by document, checked. */
export type ClientMetadata = {
  name: string | undefined;
  redirectUris: string[];
  grantTypes: string[];
  authMethod: string | undefined;
  scope: string | null;
};

/** Control, bidirectional and other invisible characters; not the joiners that emoji and several scripts need. */
const invisible = /[^\P{C}\u200c\u200d]|[\p{Zl}\p{Zp}]/u;

/** Clients in the wild send null and "" for what they do not mean. */
function optional<T extends z.ZodType>(schema: T) {
  return z.preprocess((value) => (value === null || value === '' ? undefined : value), schema.optional());
}

/** RFC 7591 §2 as far as it concerns us; other members are tolerated, never stored, and no URL in them is fetched. */
const members = z.object({
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

/** Reads client metadata; `schemes` as for isRedirectUri. Odd redirect URIs sink alone. Throws `invalid_redirect_uri` or `invalid_client_metadata`. */
export function readClientMetadata(body: unknown, schemes: readonly string[]): ClientMetadata {
  const parsed = members.safeParse(body);
  if (!parsed.success) throw complain(parsed.error);
  const { redirect_uris, client_name, grant_types, token_endpoint_auth_method: authMethod, scope } = parsed.data;
  const redirectUris = redirect_uris
    .filter((uri) => typeof uri === 'string')
    .filter((uri) => isRedirectUri(uri, schemes));
  if (redirectUris.length === 0) {
    const text = 'redirect_uris must hold an https URI, an http URI on localhost, or one of a private-use scheme.';
    throw new OAuthError('invalid_redirect_uri', text);
  }
  const refreshes = !grant_types?.length || grant_types.includes('refresh_token');
  return {
    name: client_name?.trim() || undefined,
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
