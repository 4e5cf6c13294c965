import { json } from './answers.ts';
import { asClient } from './client-authentication.ts';
import type { OAuthContext, ServerDeps } from './context.ts';
import { OAuthError } from './errors.ts';
import { exchangeCode } from './grants/authorization-code.ts';
import type { Exchange, Issued } from './grants/issue.ts';
import { refresh } from './grants/refresh-token.ts';
import type { Fields } from './request.ts';
import { readResource } from './resource.ts';

const grants = new Map<string, (exchange: Exchange) => Promise<Issued>>([
  ['authorization_code', exchangeCode],
  ['refresh_token', refresh],
]);

export const grantTypes: readonly string[] = [...grants.keys()];

/** POST /oauth/mcp/token (OAuth 2.1 §3.2). */
export function token(c: OAuthContext, deps: ServerDeps): Promise<Response> {
  return asClient(c, deps, 'token', async (form, client) => {
    const grant = readGrantType(form);
    const resource = readResource(deps, form);
    const { network } = c.var;
    const signer = deps.config.accessTokenFormat === 'jwt' ? await deps.signing.signer() : undefined;
    const exchange = {
      deps,
      form,
      client,
      network,
      ...(resource !== undefined && { resource }),
      ...(signer && { signer }),
    };
    return json(await grant(exchange));
  });
}

function readGrantType(form: Fields): (exchange: Exchange) => Promise<Issued> {
  const type = form.get('grant_type');
  if (type === undefined) throw new OAuthError('invalid_request', 'grant_type is missing.');
  const grant = grants.get(type);
  if (!grant) throw new OAuthError('unsupported_grant_type', `grant_type must be ${grantTypes.join(' or ')}.`);
  return grant;
}
