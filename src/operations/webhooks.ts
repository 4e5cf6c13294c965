import { z } from 'zod';
import { deliveryErrors, deliveryStatuses } from '../domain/delivery.ts';
import { notFound } from '../domain/errors.ts';
import { present } from '../domain/json.ts';
import { operation } from '../operation.ts';
import type { DeliveryRow } from '../store/deliveries.ts';
import { listDeliveries } from '../store/lists.ts';
import { cursor, instant, iso, isoOrAbsent, limit, outInstant, outUuid, page, toDate, uuid } from './fields.ts';
import { envelope, listOf, sliceOf } from './paging.ts';

const deliveryShape = z.object({
  id: outUuid,
  assignmentId: outUuid.optional(),
  url: z.string(),
  event: z.string(),
  sequence: z.int(),
  status: z.enum(deliveryStatuses),
  httpStatusCode: z.int().optional(),
  attempts: z.int(),
  lastAttemptAt: outInstant.optional(),
  nextAttemptAt: outInstant.optional(),
  lastError: z.enum(deliveryErrors).optional(),
  durationMs: z.int().optional(),
  createdAt: outInstant,
});

type Delivery = z.infer<typeof deliveryShape>;

function toDelivery(row: DeliveryRow): Delivery {
  return present({
    id: row.id,
    assignmentId: row.assignmentId,
    url: row.url,
    event: row.event,
    sequence: row.sequence,
    status: row.status,
    httpStatusCode: row.httpStatus,
    attempts: row.attempts,
    lastAttemptAt: isoOrAbsent(row.lastAttemptAt),
    nextAttemptAt: isoOrAbsent(row.dueAt),
    lastError: row.lastError,
    durationMs: row.durationMs,
    createdAt: iso(row.createdAt),
  }) as Delivery;
}

function describeDelivery(one: Delivery): string {
  const whose = one.assignmentId ? `${one.event} of assignment ${one.assignmentId}` : 'Test';
  const parts = [`${whose} to ${one.url}: ${one.status} after ${one.attempts} tries`];
  if (one.httpStatusCode !== undefined) parts.push(`HTTP ${one.httpStatusCode}`);
  if (one.lastError) parts.push(one.lastError);
  if (one.nextAttemptAt) parts.push(`next try at ${one.nextAttemptAt}`);
  return `${parts.join(', ')}.`;
}

export const listWebhookDeliveries = operation({
  name: 'list_webhook_deliveries',
  title: 'List webhook deliveries',
  description:
    'Lists what was told to callback URLs, newest first: one delivery per change of status, with the latest try. Look ' +
    'here when a receiver missed something: failed deliveries name the reason in lastError (timeout, connection_failed, ' +
    'redirect, http_status, …) and the status the receiver answered.',
  access: 'webhooks:read',
  credits: 'READ',
  hints: { readOnly: true, destructive: false, idempotent: true, openWorld: false },
  input: z.strictObject({
    status: z.enum(deliveryStatuses, `must be one of ${deliveryStatuses.join(', ')}`).optional(),
    assignmentId: uuid('Only deliveries of this assignment.').optional(),
    from: instant('Created at or after.').optional(),
    to: instant('Created at or before.').optional(),
    organizationId: uuid('Only deliveries of this organization.').optional(),
    page: page.optional(),
    limit: limit(50).optional(),
    cursor: cursor.optional(),
  }),
  output: listOf(deliveryShape),
  rest: { method: 'GET', path: '/webhooks/deliveries', status: 200 },
  mcp: {
    text: ({ items, total }) => [`${total} in all.`, ...items.map(describeDelivery)].join('\n'),
  },
  kind: 'read',
  async handle(input, { caller, on }) {
    const { organizationId, status, assignmentId, from, to } = input;
    if (caller.organizationId && organizationId && organizationId !== caller.organizationId)
      throw notFound('organization');
    const slice = sliceOf(input);
    const filter = {
      workspaceId: caller.workspaceId,
      organizationId: caller.organizationId ?? organizationId,
      status,
      assignmentId,
      from: from ? toDate(from) : undefined,
      to: to ? toDate(to) : undefined,
    };
    return envelope(await listDeliveries(on, filter, slice), slice, toDelivery);
  },
});
