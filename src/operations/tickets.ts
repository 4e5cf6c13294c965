import { z } from 'zod';
import { DomainError, invalid, notFound } from '../domain/errors.ts';
import { hashSecret, newId, newSecret } from '../domain/ids.ts';
import { present } from '../domain/json.ts';
import { type Context, operation } from '../operation.ts';
import type { Connector } from '../platforms/contract.ts';
import { findConnection } from '../store/connections.ts';
import { findTicket, insertTicket, type TicketRow } from '../store/tickets.ts';
import { findOrganization } from '../store/workspaces.ts';
import { iso, outInstant, outUuid, text, uuid } from './fields.ts';

const loopbackHosts = new Set(['localhost', '127.0.0.1', '[::1]']);

/** Why a browser may not be sent there at the end, or undefined when it may. */
function redirectProblem(url: string): string | undefined {
  const parsed = URL.canParse(url) ? new URL(url) : undefined;
  if (!parsed || parsed.username || parsed.password || parsed.hash)
    return 'must be a URL without credentials or fragment';
  if (parsed.protocol === 'https:') return undefined;
  const loopback = parsed.protocol === 'http:' && loopbackHosts.has(parsed.hostname);
  return loopback ? undefined : 'must be https, or http on a loopback host';
}

/** The connector to connect with. Throws when the platform cannot be connected now. */
function connectable({ deps }: Context, slug: string): Connector {
  const connector = deps.platforms.find(slug);
  if (connector && deps.platforms.status(slug) === 'live') return connector;
  if (connector) {
    throw new DomainError('platform_unconfigured', `${connector.name} is not configured on this server.`);
  }
  const planned = deps.platforms.planned.find((platform) => platform.slug === slug);
  if (planned) throw new DomainError('platform_planned', `${planned.name} is planned and cannot be connected yet.`);
  throw invalid({ platform: ['must be a slug from list_platforms'] });
}

export const getOauthConnectUrl = operation({
  name: 'get_oauth_connect_url',
  title: 'Get channel connect link',
  description:
    'Makes a link with which a person connects a channel. Give the link to the user, wait until they have opened it and ' +
    'agreed, then ask check_oauth_status with the ticketId. The link works once and for 15 minutes. To repair a channel ' +
    'pass its connectionId: it keeps its id. Free.',
  access: 'connections:write',
  credits: 'FREE',
  hints: { readOnly: false, destructive: false, idempotent: false, openWorld: true },
  input: z.strictObject({
    platform: text('Platform slug from list_platforms, e.g. youtube.', 40),
    connectionId: uuid('An existing connection to repair.').optional(),
    organizationId: uuid('Organization that gets the channel; default: the first one.').optional(),
    redirectUrl: text('Where the browser goes afterwards: https, or http on loopback.', 2000).optional(),
  }),
  output: z.object({ ticketId: outUuid, url: z.string(), authUrl: z.string(), expiresAt: outInstant }),
  rest: { method: 'POST', path: '/oauth/tickets', status: 201 },
  mcp: { text: ({ url, ticketId }) => `Ask the user to open ${url} and then check ticket ${ticketId}.` },
  kind: 'write',
  async handle(input, context) {
    const { deps, caller, tx } = context;
    const connector = connectable(context, input.platform);
    const problem = input.redirectUrl === undefined ? undefined : redirectProblem(input.redirectUrl);
    if (problem) throw invalid({ redirectUrl: [problem] });
    const repaired = input.connectionId
      ? await findConnection(tx, caller.workspaceId, input.connectionId, caller.organizationId)
      : undefined;
    if (input.connectionId && repaired?.platform !== input.platform) throw notFound('connection');
    const wanted = input.organizationId ?? caller.organizationId;
    if (caller.organizationId && wanted !== caller.organizationId) throw notFound('organization');
    const organization = await findOrganization(tx, caller.workspaceId, repaired?.organizationId ?? wanted);
    if (!organization) throw notFound('organization');
    const secret = newSecret('', deps.random);
    const id = newId(deps.now(), deps.random);
    const expiresAt = await insertTicket(tx, {
      id,
      workspaceId: caller.workspaceId,
      organizationId: organization.id,
      keyId: caller.keyId,
      grantId: caller.grantId ?? null,
      platform: connector.slug,
      sandbox: repaired?.sandbox ?? deps.platforms.usesSandbox(connector),
      connectionId: repaired?.id ?? null,
      redirectUrl: input.redirectUrl ?? null,
      secretHash: hashSecret(secret),
    });
    const url = `${deps.config.publicUrl}/api/v1/oauth/${connector.slug}/authorize?ticket=${secret}`;
    return { ticketId: id, url, authUrl: url, expiresAt: iso(expiresAt) };
  },
});

const ticketShape = z.object({
  ticketId: outUuid,
  platform: z.string(),
  status: z.enum(['pending', 'success', 'failed', 'expired']),
  connectionIds: z.array(outUuid),
  error: z.object({ code: z.string(), message: z.string() }).optional(),
  expiresAt: outInstant,
});

const ticketErrors: Record<string, string> = {
  access_denied: 'The platform was told not to allow this. Make a new link and agree on its page.',
  scope_missing: 'Not all permissions were ticked. Make a new link and leave every permission ticked.',
  no_channel: 'That account has no channel. Make one at the platform, then use a new link.',
  account_mismatch: 'Another account was chosen than the one this connection belongs to. Nothing was changed.',
};

/** What a failed connect attempt means, in one sentence of ours. */
export function ticketErrorText(code: string): string {
  return ticketErrors[code] ?? 'The platform could not be connected. Make a new link and try again.';
}

export const checkOauthStatus = operation({
  name: 'check_oauth_status',
  title: 'Check channel connect link',
  description:
    'Tells how a link from get_oauth_connect_url ended: pending (the user is not done), success (with connectionIds), ' +
    'failed (with the reason) or expired (make a new link). Free.',
  access: 'connections:read',
  credits: 'FREE',
  hints: { readOnly: true, destructive: false, idempotent: true, openWorld: false },
  input: z.strictObject({ ticketId: uuid('ticketId from get_oauth_connect_url.') }),
  output: ticketShape,
  rest: { method: 'GET', path: '/oauth/tickets/{ticketId}', status: 200 },
  mcp: {
    text: (ticket) =>
      ticket.status === 'success'
        ? `Connected: ${ticket.connectionIds.join(', ')}`
        : `The link is ${ticket.status}.${ticket.error ? ` ${ticket.error.message}` : ''}`,
  },
  kind: 'read',
  async handle({ ticketId }, { caller, on }) {
    const row = await findTicket(on, caller.workspaceId, ticketId, caller.organizationId);
    if (!row) throw notFound('ticket');
    return toTicket(row);
  },
});

function toTicket(row: TicketRow): z.infer<typeof ticketShape> {
  return present({
    ticketId: row.id,
    platform: row.platform,
    status: row.status === 'pending' && row.expired ? ('expired' as const) : row.status,
    connectionIds: row.connectionIds,
    error: row.errorCode ? { code: row.errorCode, message: ticketErrorText(row.errorCode) } : undefined,
    expiresAt: iso(row.expiresAt),
  }) as z.infer<typeof ticketShape>;
}
