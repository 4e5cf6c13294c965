import { z } from 'zod';
import { callbackProblem, readWebhookSecrets, rotateWebhookSecrets, type WebhookSecrets } from '../callback.ts';
import { deliveryErrors, deliveryStatuses } from '../domain/delivery.ts';
import { DomainError, invalid, notFound } from '../domain/errors.ts';
import { present } from '../domain/json.ts';
import { operation, type WriteContext } from '../operation.ts';
import { lockAssignment } from '../store/assignments.ts';
import { type DeliveryRow, findDelivery, insertTestDelivery, restartDelivery } from '../store/deliveries.ts';
import { listDeliveries } from '../store/lists.ts';
import { instant, iso, isoOrAbsent, outInstant, outUuid, pageFields, text, toPeriod, uuid } from './fields.ts';
import { envelope, listOf, organizationOf, sliceOf } from './paging.ts';

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
    ...pageFields(50),
  }),
  output: listOf(deliveryShape),
  rest: { method: 'GET', path: '/webhooks/deliveries', status: 200 },
  mcp: {
    text: ({ items, total }) => [`${total} in all.`, ...items.map(describeDelivery)].join('\n'),
  },
  kind: 'read',
  async handle(input, { caller, on }) {
    const { organizationId, status, assignmentId } = input;
    const slice = sliceOf(input);
    const filter = {
      workspaceId: caller.workspaceId,
      organizationId: organizationOf(caller, organizationId),
      status,
      assignmentId,
      ...toPeriod(input),
    };
    return envelope(await listDeliveries(on, filter, slice), slice, toDelivery);
  },
});

export const redeliverWebhook = operation({
  name: 'redeliver_webhook',
  title: 'Redeliver webhook',
  description:
    'Sends an ended delivery again: the same body under the same webhook-id, to the URL it had, its tries counted anew.',
  access: 'full_key',
  credits: 'WRITE',
  hints: { readOnly: false, destructive: false, idempotent: false, openWorld: true },
  input: z.strictObject({ deliveryId: uuid('Id of the delivery.') }),
  output: deliveryShape,
  rest: { method: 'POST', path: '/webhooks/deliveries/{deliveryId}/redeliver', status: 202 },
  kind: 'write',
  async handle({ deliveryId }, context) {
    const { caller, tx } = context;
    const row = await findDelivery(tx, caller.workspaceId, deliveryId, caller.organizationId);
    if (!row) throw notFound('delivery');
    if (row.assignmentId) await lockAssignment(tx, caller.workspaceId, row.assignmentId);
    const restarted = await restartDelivery(tx, caller.workspaceId, row.id);
    if (!restarted) throw new DomainError('invalid_state', 'This delivery is pending: it is still being tried.');
    return sendSoon(context, restarted);
  },
});

export const testWebhook = operation({
  name: 'test_webhook',
  title: 'Test webhook',
  description:
    'Sends a signed sample to a URL, once. Its body has the members of a real one and "test": true. How it went is in the ' +
    'list of deliveries.',
  access: 'full_key',
  credits: 'WRITE',
  hints: { readOnly: false, destructive: false, idempotent: false, openWorld: true },
  input: z.strictObject({ url: text('https URL that is to receive the sample.', 2000) }),
  output: deliveryShape,
  rest: { method: 'POST', path: '/webhooks/test', status: 202 },
  kind: 'write',
  async handle({ url }, context) {
    const { deps, caller, tx } = context;
    const refused = callbackProblem(deps.config, url);
    if (refused) throw invalid({ url: [refused] });
    const row = await insertTestDelivery(tx, {
      workspaceId: caller.workspaceId,
      organizationId: caller.organizationId ?? null,
      url,
      body: sample(context),
    });
    return sendSoon(context, row);
  },
});

const nobody = '00000000-0000-0000-0000-000000000000';

function sample({ deps }: WriteContext): string {
  return JSON.stringify({
    assignmentId: nobody,
    status: 'published',
    platform: deps.platforms.connectors[0]?.slug ?? 'test',
    connectionId: nobody,
    platformPostId: 'test',
    platformUrl: deps.config.publicUrl,
    errors: [],
    sequence: 0,
    timestamp: iso(new Date(deps.now())),
    test: true,
  });
}

function sendSoon({ deps, tx }: WriteContext, row: DeliveryRow): Delivery {
  tx.afterCommit(() => deps.nudge('deliver-webhook'));
  return toDelivery(row);
}

const secretShape = z.object({
  secret: z.string(),
  previousSecret: z.string().optional(),
  previousSecretUntil: outInstant.optional(),
});

function toSecret(secrets: WebhookSecrets | undefined): z.infer<typeof secretShape> {
  if (!secrets) {
    const text = 'The secret cannot be read: the secret key of this server was changed. Rotate it to get a new one.';
    throw new DomainError('invalid_state', text);
  }
  const { secret, previous } = secrets;
  return { secret, ...(previous && { previousSecret: previous.secret, previousSecretUntil: iso(previous.until) }) };
}

export const getWebhookSecret = operation({
  name: 'get_webhook_secret',
  title: 'Get webhook secret',
  description:
    "Shows the secret that signs this workspace's webhooks. X-Webhook-Signature is the hex HMAC-SHA256 of the raw body " +
    'under the whole text; webhook-signature is that of Standard Webhooks.',
  access: 'session',
  credits: 'FREE',
  hints: { readOnly: true, destructive: false, idempotent: true, openWorld: false },
  input: z.strictObject({}),
  output: secretShape,
  rest: { method: 'GET', path: '/webhooks/secret', status: 200 },
  kind: 'read',
  handle: async (_input, { deps, caller, on }) => toSecret(await readWebhookSecrets(deps, on, caller.workspaceId)),
});

export const rotateWebhookSecret = operation({
  name: 'rotate_webhook_secret',
  title: 'Rotate webhook secret',
  description:
    'Puts a new secret in place. X-Webhook-Signature uses it at once; webhook-signature carries both for 24 hours, unless ' +
    'now is true: then the old one is worth nothing any more.',
  access: 'session',
  credits: 'FREE',
  hints: { readOnly: false, destructive: true, idempotent: false, openWorld: false },
  input: z.strictObject({
    now: z.boolean('must be true or false').meta({ description: 'Leave the old secret no overlap.' }).optional(),
  }),
  output: secretShape,
  rest: { method: 'POST', path: '/webhooks/secret/rotate', status: 200 },
  kind: 'write',
  handle: async ({ now = false }, { deps, caller, tx }) =>
    toSecret(await rotateWebhookSecrets(deps, tx, caller.workspaceId, { now })),
});
