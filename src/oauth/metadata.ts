import { requestableScopes, scopes } from '../domain/access.ts';
import { authMethods } from './client-authentication.ts';
import { type OAuthDeps, paths } from './context.ts';
import { grantTypes } from './token.ts';

/** RFC 8414. Only what works is told; the issuer is the configured one whatever the request says. */
export function serverMetadata({ publicUrl: issuer, accessTokenFormat }: OAuthDeps['config']) {
  return {
    issuer,
    authorization_endpoint: issuer + paths.authorize,
    token_endpoint: issuer + paths.token,
    registration_endpoint: issuer + paths.register,
    revocation_endpoint: issuer + paths.revoke,
    introspection_endpoint: issuer + paths.introspect,
    ...(accessTokenFormat === 'jwt' && { jwks_uri: issuer + paths.keys }),
    scopes_supported: requestableScopes,
    response_types_supported: ['code'],
    response_modes_supported: ['query'],
    grant_types_supported: grantTypes,
    code_challenge_methods_supported: ['S256'],
    token_endpoint_auth_methods_supported: authMethods,
    revocation_endpoint_auth_methods_supported: authMethods,
    introspection_endpoint_auth_methods_supported: authMethods,
    authorization_response_iss_parameter_supported: true,
    client_id_metadata_document_supported: true,
  };
}

/** RFC 9728. `resource` is byte for byte the URL people type into their client. */
export function resourceMetadata(issuer: string) {
  return {
    resource: issuer + paths.resource,
    resource_name: 'Pharlo',
    authorization_servers: [issuer],
    scopes_supported: scopes,
    bearer_methods_supported: ['header'],
  };
}
