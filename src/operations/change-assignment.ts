import type { z } from 'zod';
import type { Deps } from '../deps.ts';
import { isCancellable, type Media } from '../domain/assignment.ts';
import { DomainError, invalid, notFound } from '../domain/errors.ts';
import { mergePatch } from '../domain/json.ts';
import { operation } from '../operation.ts';
import {
  type AssignmentRow,
  appendEvent,
  cancelAssignment as cancelRow,
  changeAssignment,
  findAssignment,
  lockAssignment,
  retryAssignment as retryRow,
} from '../store/assignments.ts';
import { findConnection } from '../store/connections.ts';
import { refundAssignment } from '../store/ledger.ts';
import { assignmentInput, assignmentShape, describeAssignment, readAssignment } from './assignment-shape.ts';
import {
  assertCallback,
  assertUsable,
  contentFields,
  contentSpec,
  duplicateWarnings,
  hashContent,
  parsePayload,
  parseSchedule,
  readMedia,
} from './content.ts';

const updateInput = assignmentInput.extend({
  payload: contentFields.payload
    .meta({ description: 'Payload fields to change; null removes one. The rest stays (RFC 7396).' })
    .optional(),
  scheduledAt: contentFields.scheduledAt
    .nullable()
    .meta({ description: 'New time with offset; null = publish now.' })
    .optional(),
  mediaUrl: contentFields.mediaUrl.nullable().meta({ description: 'Public http(s) URL of another file.' }).optional(),
  callbackUrl: contentFields.callbackUrl.nullable().meta({ description: 'New callback URL; null = none.' }).optional(),
});

type UpdateInput = z.infer<typeof updateInput>;

type Changed = { media?: Media[] };

export const updateAssignment = operation<UpdateInput, z.infer<typeof assignmentShape>, Changed>({
  name: 'update_assignment',
  title: 'Update assignment',
  description:
    'Changes payload, time, file or callback of an assignment that is still pending. Use this to reschedule; do not cancel ' +
    'and create anew. Give only what changes. A published post cannot be changed.',
  access: 'assignments:write',
  credits: 'WRITE',
  hints: { readOnly: false, destructive: false, idempotent: true, openWorld: false },
  input: updateInput,
  output: assignmentShape,
  rest: { method: 'PATCH', path: '/assignments/{assignmentId}', status: 200 },
  mcp: { text: describeAssignment },
  kind: 'write',
  async prepare(input, { deps, caller, signal, requireCredits }) {
    const { assignmentId, ...changes } = input;
    if (Object.keys(changes).length === 0) {
      throw invalid({ body: ['must name at least one of payload, scheduledAt, mediaUrl, callbackUrl'] });
    }
    const row = await findAssignment(deps.db, caller.workspaceId, assignmentId, caller.organizationId);
    if (!row) throw notFound('assignment');
    change(deps, row, input);
    if (input.mediaUrl === undefined) return {};
    await requireCredits();
    const given = input.mediaUrl === null ? {} : { mediaUrl: input.mediaUrl };
    const spec = contentSpec(deps, row.platform, row.type);
    return { media: await readMedia(deps, given, { spec, type: row.type, sandbox: row.sandbox, signal }) };
  },
  async handle(input, { deps, caller, tx, about }, prepared) {
    const row = await lockAssignment(tx, caller.workspaceId, input.assignmentId, caller.organizationId);
    if (!row) throw notFound('assignment');
    about(row.id);
    const changed = { ...change(deps, row, input), media: prepared.media ?? row.media };
    const contentHash = hashContent({ type: row.type, ...changed });
    const same = contentHash.equals(row.contentHash);
    const warnings = same ? row.warnings : await duplicateWarnings(tx, row, contentHash, row.id);
    const timed = input.scheduledAt !== undefined;
    await changeAssignment(tx, row, { ...changed, contentHash, warnings, timed });
    tx.afterCommit(() => deps.nudge('publish'));
    return readAssignment(tx, caller.workspaceId, row.id);
  },
});

/** What the row becomes, all of it checked. Throws `invalid_state` unless nobody has begun to work on it. */
function change(deps: Deps, row: AssignmentRow, input: UpdateInput) {
  if (row.status !== 'pending' || row.intentDeadline) {
    throw new DomainError('invalid_state', `Only pending assignments can be changed; this one is ${row.status}.`);
  }
  assertCallback(deps, input.callbackUrl);
  const spec = contentSpec(deps, row.platform, row.type);
  return {
    payload: input.payload ? parsePayload(spec, mergePatch(row.payload, input.payload)) : row.payload,
    scheduledAt: newTime(deps, row, input.scheduledAt),
    callbackUrl: input.callbackUrl === undefined ? row.callbackUrl : input.callbackUrl,
  };
}

/** Null = publish now. */
function newTime(deps: Deps, row: AssignmentRow, asked: string | null | undefined): Date | null {
  if (asked === undefined) return row.scheduledAt;
  return asked === null ? null : parseSchedule(deps, asked);
}

export const retryAssignment = operation({
  name: 'retry_assignment',
  title: 'Retry assignment',
  description:
    'Tries a failed assignment again, with the same id. First read its errors with get_assignment: retry only when ' +
    'retryable is true or the cause was removed (for reconnect_required: get_oauth_connect_url with the connectionId). ' +
    'After outcome_unknown Pharlo first looks for the post, so it is never made twice.',
  access: 'assignments:write',
  credits: 'PLATFORM',
  hints: { readOnly: false, destructive: true, idempotent: false, openWorld: true },
  input: assignmentInput,
  output: assignmentShape,
  rest: { method: 'POST', path: '/assignments/{assignmentId}/retry', status: 200 },
  mcp: { text: describeAssignment },
  kind: 'write',
  async handle({ assignmentId }, context) {
    const { deps, caller, tx } = context;
    const row = await lockAssignment(tx, caller.workspaceId, assignmentId, caller.organizationId);
    if (!row) throw notFound('assignment');
    if (row.status !== 'failed') {
      throw new DomainError('invalid_state', `Only failed assignments can be retried; this one is ${row.status}.`);
    }
    const connection = await findConnection(tx, row.workspaceId, row.connectionId);
    if (!connection) throw notFound('connection');
    assertUsable(connection);
    contentSpec(deps, row.platform, row.type);
    await retryRow(tx, row);
    await appendEvent(tx, row, 'pending', 'retry');
    context.chargeTo(row.id);
    tx.afterCommit(() => deps.nudge('publish'));
    tx.afterCommit(() => deps.nudge('deliver-webhook'));
    return readAssignment(tx, caller.workspaceId, row.id);
  },
});

export const cancelAssignment = operation({
  name: 'cancel_assignment',
  title: 'Cancel assignment',
  description:
    'Stops an assignment before its post is made: while pending, or uploading until the post is being made. A cancelled ' +
    'assignment cannot be restarted; its credits come back.',
  access: 'assignments:write',
  credits: 'WRITE',
  hints: { readOnly: false, destructive: true, idempotent: false, openWorld: false },
  input: assignmentInput,
  output: assignmentShape,
  rest: { method: 'DELETE', path: '/assignments/{assignmentId}', status: 204 },
  mcp: { text: describeAssignment },
  kind: 'write',
  async handle({ assignmentId }, { deps, caller, tx, about }) {
    const row = await lockAssignment(tx, caller.workspaceId, assignmentId, caller.organizationId);
    if (!row) throw notFound('assignment');
    about(row.id);
    if (!isCancellable(row.status, row.intentDeadline !== null)) {
      throw new DomainError('invalid_state', `This assignment is ${row.status} and can no longer be cancelled.`);
    }
    await cancelRow(tx, caller.workspaceId, row.id);
    await appendEvent(tx, row, 'cancelled');
    await refundAssignment(tx, caller.workspaceId, row.id);
    tx.afterCommit(() => deps.nudge('deliver-webhook'));
    return readAssignment(tx, caller.workspaceId, row.id);
  },
});
