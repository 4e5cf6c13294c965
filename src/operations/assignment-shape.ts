import { z } from 'zod';
import { assignmentStatuses, contentTypes } from '../domain/assignment.ts';
import { notFound } from '../domain/errors.ts';
import { present } from '../domain/json.ts';
import { type AssignmentRow, type EventRow, findAssignmentWithEvents } from '../store/assignments.ts';
import type { Queryable } from '../store/db.ts';
import { iso, isoOrAbsent, outInstant, outUuid, uuid } from './fields.ts';

const status = z.enum(assignmentStatuses);

export const assignmentInput = z.strictObject({ assignmentId: uuid('Id of the assignment.') });

export const warningShape = z.object({ code: z.string(), message: z.string() });

/** A list's item: the assignment without payload and timeline. */
export const assignmentItem = z.object({
  id: outUuid,
  status,
  waiting: z.object({ reason: z.string(), until: outInstant }).optional(),
  connectionId: outUuid,
  organizationId: outUuid,
  platform: z.string(),
  sandbox: z.boolean(),
  type: z.enum(contentTypes),
  mediaUrl: z.string().optional(),
  scheduledAt: outInstant.optional(),
  callbackUrl: z.string().optional(),
  idempotencyKey: z.string().optional(),
  externalId: z.string().optional(),
  platformPostId: z.string().optional(),
  platformUrl: z.string().optional(),
  errors: z.array(z.object({ code: z.string(), message: z.string(), retryable: z.boolean() })),
  warnings: z.array(warningShape).optional(),
  attempts: z.int(),
  progress: z.object({ bytesSent: z.int(), bytesTotal: z.int().optional() }).optional(),
  createdAt: outInstant,
  updatedAt: outInstant,
});

export const assignmentShape = assignmentItem.extend({
  payload: z.record(z.string(), z.unknown()),
  timeline: z.array(z.object({ status, at: outInstant, detail: z.string().optional() })),
});

export type AssignmentItem = z.infer<typeof assignmentItem>;
export type AssignmentView = z.infer<typeof assignmentShape>;

export function toItem(row: AssignmentRow): AssignmentItem {
  const sent = row.bytesSent;
  return present({
    id: row.id,
    status: row.status,
    waiting: row.waitingReason && row.dueAt ? { reason: row.waitingReason, until: iso(row.dueAt) } : undefined,
    connectionId: row.connectionId,
    organizationId: row.organizationId,
    platform: row.platform,
    sandbox: row.sandbox,
    type: row.type,
    mediaUrl: row.media[0]?.url,
    scheduledAt: isoOrAbsent(row.scheduledAt),
    callbackUrl: row.callbackUrl,
    idempotencyKey: row.idempotencyKey,
    externalId: row.externalId,
    platformPostId: row.platformPostId,
    platformUrl: row.platformUrl,
    errors: row.errors,
    warnings: row.warnings.length > 0 ? row.warnings : undefined,
    attempts: row.attempts,
    progress: sent === null ? undefined : present({ bytesSent: sent, bytesTotal: row.bytesTotal }),
    createdAt: iso(row.createdAt),
    updatedAt: iso(row.updatedAt),
  }) as AssignmentItem;
}

export function toAssignment(row: AssignmentRow, events: EventRow[]): AssignmentView {
  const timeline = events.map(({ status, at, detail }) => present({ status, at: iso(new Date(at)), detail }));
  return { ...toItem(row), payload: row.payload, timeline: timeline as AssignmentView['timeline'] };
}

/** One assignment with its timeline. Throws `not_found`; `organizationId` narrows what the asker may see. */
export async function readAssignment(
  on: Queryable,
  workspaceId: string,
  id: string,
  organizationId?: string,
): Promise<AssignmentView> {
  const row = await findAssignmentWithEvents(on, workspaceId, id, organizationId);
  if (!row) throw notFound('assignment');
  return toAssignment(row, row.events);
}

/** How an assignment reads in a conversation. */
export function describeAssignment(one: AssignmentItem): string {
  const parts = [`Assignment ${one.id} (${one.platform} ${one.type}) is ${one.status}.`];
  if (one.status === 'pending' && one.scheduledAt) parts.push(`It goes out at ${one.scheduledAt}.`);
  if (one.waiting) parts.push(`It waits (${one.waiting.reason}) until ${one.waiting.until}.`);
  if (one.platformUrl) parts.push(`Link: ${one.platformUrl}`);
  for (const { code, message, retryable } of one.errors) {
    parts.push(`${code}: ${message}${retryable ? ' A retry can help.' : ''}`);
  }
  for (const { message } of one.warnings ?? []) parts.push(message);
  return parts.join(' ');
}
