import { z } from 'zod';
import { DomainError, type ErrorCode, notFound } from '../domain/errors.ts';
import { present } from '../domain/json.ts';
import { operation } from '../operation.ts';
import { PlatformFailure } from '../platforms/contract.ts';
import { type ConnectionRow, findConnection } from '../store/connections.ts';
import { listConnections as selectConnections } from '../store/lists.ts';
import { renewTokens } from '../tokens.ts';
import { iso, isoOrAbsent, outInstant, outUuid, pageFields, readHints, text, uuid } from './fields.ts';
import { envelope, listOf, organizationOf, sliceOf } from './paging.ts';

export const connectionShape = z.object({
  id: outUuid,
  platform: z.string(),
  name: z.string(),
  handle: z.string().optional(),
  thumbnailUrl: z.string().optional(),
  isActive: z.boolean(),
  sandbox: z.boolean(),
  tokenStatus: z.enum(['valid', 'expiring', 'expired', 'revoked', 'missing']),
  tokenExpiresAt: outInstant.optional(),
  externalId: z.string().optional(),
  organizationId: outUuid,
  createdAt: outInstant,
});

export type ConnectionView = z.infer<typeof connectionShape>;

const expiringMs = 5 * 60_000;

/** How a connection looks from outside; `now` is epoch ms. */
export function toConnection(row: ConnectionRow, now: number): ConnectionView {
  return present({
    id: row.id,
    platform: row.platform,
    name: row.name,
    handle: row.handle,
    thumbnailUrl: row.thumbnailUrl,
    isActive: row.isActive,
    sandbox: row.sandbox,
    tokenStatus: tokenStatus(row, now),
    tokenExpiresAt: isoOrAbsent(row.tokenExpiresAt),
    externalId: row.externalId,
    organizationId: row.organizationId,
    createdAt: iso(row.createdAt),
  }) as ConnectionView;
}

function tokenStatus(row: ConnectionRow, now: number): ConnectionView['tokenStatus'] {
  if (row.tokenRevokedAt) return 'revoked';
  if (!row.tokens) return 'missing';
  const left = row.tokenExpiresAt ? row.tokenExpiresAt.getTime() - now : Number.POSITIVE_INFINITY;
  if (left <= 0) return 'expired';
  return left < expiringMs ? 'expiring' : 'valid';
}

/** How a connection reads in a conversation. */
export const describeConnection = (one: ConnectionView) =>
  `${one.name} on ${one.platform}${one.sandbox ? ' (sandbox)' : ''}: token ${one.tokenStatus}, id ${one.id}`;

export const listConnections = operation({
  name: 'list_connections',
  title: 'List connections',
  description:
    'Lists the connected channels with id, platform, name and token health. Inactive ones are hidden unless ' +
    'includeInactive is true. Use the id as connectionId. Nothing listed? Start with get_oauth_connect_url.',
  access: 'connections:read',
  credits: 'READ',
  hints: readHints,
  input: z.strictObject({
    platform: text('Only channels of this platform.', 40).optional(),
    externalId: text('Only the channel with this id of yours.', 200).optional(),
    includeInactive: z
      .boolean('must be true or false')
      .meta({ description: 'Also list inactive channels.' })
      .optional(),
    organizationId: uuid('Only channels of this organization.').optional(),
    ...pageFields(),
  }),
  output: listOf(connectionShape),
  rest: { method: 'GET', path: '/connections', status: 200 },
  mcp: {
    text: ({ items, total }) =>
      items.length === 0
        ? 'No channel is connected yet.'
        : [`${total} in all.`, ...items.map(describeConnection)].join('\n'),
  },
  kind: 'read',
  async handle(input, { deps, caller, on }) {
    const { organizationId, ...filter } = input;
    const slice = sliceOf(input);
    const scope = { workspaceId: caller.workspaceId, organizationId: organizationOf(caller, organizationId) };
    const listing = await selectConnections(on, { ...filter, ...scope }, slice);
    return envelope(listing, slice, (row) => toConnection(row, deps.now()));
  },
});

export const connectionInput = z.strictObject({ connectionId: uuid('Id of the connection.') });

export const getConnection = operation({
  name: 'get_connection',
  title: 'Get connection',
  description: 'Shows one connected channel and the health of its token.',
  access: 'connections:read',
  credits: 'READ',
  hints: readHints,
  input: connectionInput,
  output: connectionShape,
  rest: { method: 'GET', path: '/connections/{connectionId}', status: 200 },
  mcp: { text: describeConnection },
  kind: 'read',
  async handle({ connectionId }, { deps, caller, on }) {
    const row = await findConnection(on, caller.workspaceId, connectionId, caller.organizationId);
    if (!row) throw notFound('connection');
    return toConnection(row, deps.now());
  },
});

export const refreshConnectionToken = operation({
  name: 'refresh_connection_token',
  title: 'Refresh connection token',
  description: 'Renews the channel token at the platform now. Tokens are also renewed by themselves before they end.',
  access: 'connections:write',
  credits: 'WRITE',
  hints: { readOnly: false, destructive: false, idempotent: true, openWorld: true },
  input: connectionInput,
  output: connectionShape,
  rest: { method: 'POST', path: '/connections/{connectionId}/refresh-token', status: 200 },
  kind: 'outside',
  async handle({ connectionId }, { deps, caller }) {
    const find = () => findConnection(deps.db, caller.workspaceId, connectionId, caller.organizationId);
    const row = await find();
    if (!row) throw notFound('connection');
    try {
      await renewTokens(deps, row);
    } catch (error) {
      throw publicFailure(error);
    }
    return toConnection((await find()) ?? row, deps.now());
  },
});

/** What a refusal means to the caller; any other one says that the channel or post is no longer what it was. */
const refusals: Readonly<Record<string, ErrorCode>> = {
  platform_unconfigured: 'platform_unconfigured',
  api_disabled: 'platform_unconfigured',
  client_refused: 'platform_unconfigured',
  scope_missing: 'reconnect_required',
  no_channel: 'reconnect_required',
};

/** A platform's failure as an error of ours; anything else stays what it is. */
export function publicFailure(error: unknown): unknown {
  if (!(error instanceof PlatformFailure)) return error;
  const { kind, code, message, retryAfterMs = 5000 } = error;
  if (kind === 'reauthorize') return new DomainError('reconnect_required', message);
  if (kind === 'rejected') return new DomainError(refusals[code] ?? 'invalid_state', message);
  return new DomainError('platform_unavailable', message, { retryAfterSeconds: Math.ceil(retryAfterMs / 1000) });
}
