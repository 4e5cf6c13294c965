import type { Context } from 'hono';
import type { SandboxContext } from '../context.ts';
import { type Channel, findChannel } from './channel.ts';
import { GoogleError } from './errors.ts';
import { findAccessToken } from './grants.ts';
import { splitScope } from './scopes.ts';

/** The channel the bearer speaks for; throws the 401 or 403 of the Google APIs. One scope of `anyOf` is enough. */
export function requireChannel(context: SandboxContext, c: Context, anyOf: readonly string[]): Channel {
  const header = c.req.header('Authorization');
  const location = { location: 'Authorization', locationType: 'header', status: 'UNAUTHENTICATED' } as const;
  if (header === undefined) {
    throw new GoogleError(401, 'required', 'Login Required.', { ...location, challenge: 'error="invalid_request"' });
  }
  const row = findAccessToken(context, /^Bearer +([^ ]+)$/i.exec(header)?.[1] ?? '');
  const channel = row && findChannel(context, row.channelId);
  if (!row || !channel) {
    throw new GoogleError(401, 'authError', 'Invalid Credentials', { ...location, challenge: 'error="invalid_token"' });
  }
  if (!splitScope(row.scope).some((scope) => anyOf.includes(scope))) {
    throw new GoogleError(403, 'insufficientPermissions', 'Request had insufficient authentication scopes.', {
      status: 'PERMISSION_DENIED',
      challenge: `error="insufficient_scope", scope="${anyOf.join(' ')}"`,
    });
  }
  return channel;
}
