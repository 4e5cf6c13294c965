import { type OAuthDeps, paths } from './context.ts';
import { OAuthError } from './errors.ts';
import { canonicalResource } from './policy.ts';
import type { Fields } from './request.ts';

/** The canonical resource asked for, or undefined. Throws `invalid_target` when any of them is not ours (RFC 8707). */
export function readResource(deps: OAuthDeps, fields: Fields): string | undefined {
  const asked = fields.all('resource').map((value) => canonicalResource(value, deps.config.publicUrl));
  if (asked.includes(undefined)) {
    throw new OAuthError('invalid_target', `resource must be ${deps.config.publicUrl}${paths.resource}.`);
  }
  return asked[0];
}

/** Whom a token is for: the resource it is bound to, else both surfaces (RFC 7662 §2.2, RFC 9068 §2.2). */
export function audienceOf(issuer: string, resource: string | null): string | string[] {
  return resource ?? [`${issuer}${paths.resource}`, `${issuer}${paths.rest}`];
}
