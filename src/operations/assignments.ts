import { createHash } from 'node:crypto';
import { z } from 'zod';
import { callbackProblem } from '../callback.ts';
import type { Deps } from '../deps.ts';
import { assignmentStatuses, contentTypes, handlerVersion, isCancellable } from '../domain/assignment.ts';
import { DomainError, invalid, notFound } from '../domain/errors.ts';
import { newId } from '../domain/ids.ts';
import { canonicalJson } from '../domain/json.ts';
import { scheduleProblem } from '../domain/schedule.ts';
import { probeMedia } from '../media.ts';
import { type Context, operation, type PrepareContext, parseInput } from '../operation.ts';
import type { ContentSpec } from '../platforms/contract.ts';
import {
  type AssignmentRow,
  appendEvent,
  cancelAssignment as cancelRow,
  findAssignmentWithEvents,
  findByIdempotencyKey,
  insertAssignment,
  lockAssignment,
} from '../store/assignments.ts';
import { type ConnectionRow, findConnection } from '../store/connections.ts';
import type { Queryable } from '../store/db.ts';
import { refundAssignment } from '../store/ledger.ts';
import { listAssignments as selectAssignments } from '../store/lists.ts';
import { assignmentItem, assignmentShape, describeAssignment, toAssignment, toItem } from './assignment-shape.ts';
import { cursor, instant, isStorable, limit, page, text, toDate, unstorable, uuid } from './fields.ts';
import { envelope, listOf, sliceOf } from './paging.ts';

const createInput = z.strictObject({
  connectionId: uuid('Channel to publish on, from list_connections.'),
  type: z.enum(contentTypes, `must be one of ${contentTypes.join(', ')}`).meta({ description: 'Content type.' }),
  payload: z
    .record(z.string(), z.unknown(), 'must be an object')
    .refine(isStorable, `${unstorable}, nor more than 32 levels`)
    .meta({ description: "The platform's fields of that type, as get_platform_capabilities tells." }),
  mediaUrl: text('Public http(s) URL of the file; it is fetched when the post is published.', 4000).optional(),
  mediaContentType: text('Media type of the file, e.g. video/mp4.', 100).optional(),
  mediaSizeBytes: z
    .int('must be a whole number')
    .min(1, 'must be 1 or more')
    .meta({ description: 'Size of the file.' })
    .optional(),
  scheduledAt: instant('When to publish, with offset, within a year. Left out: now.').optional(),
  idempotencyKey: text('Your unique key for this post; a repeat answers the same assignment, free.', 200).optional(),
  externalId: text('Your own id for this post.', 200).optional(),
  callbackUrl: text('https URL that is told of every change of status.', 2000).optional(),
});

type CreateInput = z.infer<typeof createInput>;

type New = { connection: ConnectionRow; payload: Record<string, unknown>; contentType: string | undefined };
type Prepared = { inputHash: Buffer } & ({ repeat: AssignmentRow } | ({ repeat?: undefined } & New));

export const createAssignment = operation<CreateInput, z.infer<typeof assignmentShape>, Prepared>({
  name: 'create_assignment',
  title: 'Create assignment',
  description:
    'Publishes a post now, or at scheduledAt. Answers at once with status pending; follow it with get_assignment until ' +
    'published or failed. First read get_platform_capabilities for the payload and confirm channel, content and time ' +
    'with the user. YouTube videos are private unless payload.privacy says otherwise. Pass an idempotencyKey so that a ' +
    'repeated call cannot post twice.',
  access: 'assignments:write',
  credits: 'PLATFORM',
  hints: { readOnly: false, destructive: true, idempotent: false, openWorld: true },
  input: createInput,
  output: assignmentShape,
  rest: { method: 'POST', path: '/assignments', status: 201 },
  mcp: { text: describeAssignment },
  kind: 'write',
  async prepare(input, context) {
    const { deps, caller } = context;
    const connection = await findConnection(deps.db, caller.workspaceId, input.connectionId, caller.organizationId);
    const inputHash = hashInput(input, parsedPayload(deps, input, connection));
    const repeat = await repeated(context, deps.db, input, inputHash);
    return repeat ? { inputHash, repeat } : { inputHash, ...(await prepareNew(input, context, connection)) };
  },
  async handle(input, context, prepared) {
    const { deps, caller, tx } = context;
    const created = prepared.repeat ?? (await insertAssignment(tx, newRow(input, context, prepared)));
    const row = created ?? (await repeated(context, tx, input, prepared.inputHash));
    if (!row) throw new Error('An assignment was neither stored nor found.');
    if (prepared.repeat || !created) {
      context.free();
      context.replayed();
    } else {
      context.chargeTo(row.id);
      tx.afterCommit(() => deps.nudge('publish'));
    }
    return detail(tx, caller.workspaceId, row.id);
  },
});

/** What the same input always gives, whatever door it came through and whether defaults were written out. */
function hashInput(input: CreateInput, payload: unknown): Buffer {
  const { idempotencyKey: _, scheduledAt, ...rest } = input;
  const meant = { ...rest, payload, ...(scheduledAt && { scheduledAt: toDate(scheduledAt).toISOString() }) };
  return createHash('sha256').update(canonicalJson(meant)).digest();
}

/** The payload as it would be stored; as it came where it cannot be parsed (it is refused later, or it is a conflict). */
function parsedPayload(deps: Deps, input: CreateInput, connection: ConnectionRow | undefined): unknown {
  const spec = connection && deps.platforms.find(connection.platform)?.content[input.type];
  const parsed = spec?.payload.safeParse(input.payload);
  return parsed?.success ? parsed.data : input.payload;
}

async function repeated(
  { caller }: Context,
  on: Queryable,
  input: CreateInput,
  inputHash: Buffer,
): Promise<AssignmentRow | undefined> {
  if (input.idempotencyKey === undefined) return undefined;
  const row = await findByIdempotencyKey(on, caller.workspaceId, input.idempotencyKey);
  if (!row) return undefined;
  const visible = caller.organizationId === undefined || row.organizationId === caller.organizationId;
  if (visible && row.inputHash.equals(inputHash)) return row;
  throw new DomainError('idempotency_conflict', 'This idempotency key belongs to another assignment with other input.');
}

async function prepareNew(
  input: CreateInput,
  context: PrepareContext,
  connection: ConnectionRow | undefined,
): Promise<New> {
  const { deps } = context;
  if (!connection) throw notFound('connection');
  if (!connection.isActive) throw new DomainError('connection_inactive', 'This connection is switched off.');
  if (connection.tokenRevokedAt || !connection.tokens) {
    throw new DomainError('reconnect_required', 'This channel must be connected again before it can publish.');
  }
  const connector = deps.platforms.find(connection.platform);
  if (!connector) throw new DomainError('platform_unconfigured', 'This platform is not configured on this server.');
  const spec = connector.content[input.type];
  if (!spec) {
    const offered = Object.keys(connector.content).join(', ');
    throw new DomainError('type_unsupported', `${connector.name} takes ${offered}, not ${input.type}.`);
  }
  const payload = parseInput(z.object({ payload: spec.payload }), { payload: input.payload }).payload;
  const problem = input.scheduledAt && scheduleProblem(toDate(input.scheduledAt).getTime(), deps.now());
  if (problem) throw invalid({ scheduledAt: [problem] });
  const refused = input.callbackUrl && callbackProblem(deps.config, input.callbackUrl);
  if (refused) throw invalid({ callbackUrl: [refused] });
  await context.requireCredits();
  return { connection, payload, contentType: await checkMedia(input, spec, connection, context) };
}

async function checkMedia(input: CreateInput, spec: ContentSpec, connection: ConnectionRow, { deps, signal }: Context) {
  const rules = spec.media;
  if (!rules) {
    if (input.mediaUrl !== undefined) throw invalid({ mediaUrl: [`is not used by the type ${input.type}`] });
    return undefined;
  }
  if (input.mediaUrl === undefined) {
    if (rules.min > 0) throw invalid({ mediaUrl: [`is required for the type ${input.type}`] });
    return undefined;
  }
  if (input.mediaSizeBytes !== undefined && input.mediaSizeBytes > rules.maxBytes) {
    throw invalid({ mediaSizeBytes: [`must be at most ${rules.maxBytes}`] });
  }
  if (input.mediaContentType !== undefined && !rules.contentTypes.includes(input.mediaContentType)) {
    throw invalid({ mediaContentType: [`must be one of ${rules.contentTypes.join(', ')}`] });
  }
  const found = await probeMedia(deps, { url: input.mediaUrl, sandbox: connection.sandbox }, rules, signal);
  if ('code' in found) {
    throw new DomainError(found.code, `The media ${found.message}.`, { details: { mediaUrl: [found.message] } });
  }
  return found.contentType;
}

function newRow(input: CreateInput, { deps, caller }: Context, prepared: New & { inputHash: Buffer }) {
  const { connection, contentType } = prepared;
  const media = input.mediaUrl === undefined ? [] : [{ url: input.mediaUrl, ...(contentType && { contentType }) }];
  return {
    id: newId(deps.now(), deps.random),
    workspaceId: caller.workspaceId,
    organizationId: connection.organizationId,
    connectionId: connection.id,
    sandbox: connection.sandbox,
    platform: connection.platform,
    type: input.type,
    payload: prepared.payload,
    media,
    callbackUrl: input.callbackUrl ?? null,
    externalId: input.externalId ?? null,
    idempotencyKey: input.idempotencyKey ?? null,
    inputHash: prepared.inputHash,
    scheduledAt: input.scheduledAt ? toDate(input.scheduledAt) : null,
    keyId: caller.keyId,
    grantId: caller.grantId ?? null,
    handlerVersion,
  };
}

async function detail(on: Queryable, workspaceId: string, id: string, organizationId?: string) {
  const row = await findAssignmentWithEvents(on, workspaceId, id, organizationId);
  if (!row) throw notFound('assignment');
  return toAssignment(row, row.events);
}

const assignmentInput = z.strictObject({ assignmentId: uuid('Id of the assignment.') });

const readHints = { readOnly: true, destructive: false, idempotent: true, openWorld: false };

export const getAssignment = operation({
  name: 'get_assignment',
  title: 'Get assignment',
  description:
    'Shows one assignment: status, timeline, bytes sent, link of the post once published, or why it failed and whether a ' +
    'retry can help. Poll every few seconds while it is uploading or processing.',
  access: 'assignments:read',
  credits: 'READ',
  hints: readHints,
  input: assignmentInput,
  output: assignmentShape,
  rest: { method: 'GET', path: '/assignments/{assignmentId}', status: 200 },
  mcp: { text: describeAssignment },
  kind: 'read',
  handle: ({ assignmentId }, { caller, on }) => detail(on, caller.workspaceId, assignmentId, caller.organizationId),
});

export const listAssignments = operation({
  name: 'list_assignments',
  title: 'List assignments',
  description:
    'Lists assignments, newest first, without payload and timeline. Filter by status, channel, platform, externalId or ' +
    'scheduled time.',
  access: 'assignments:read',
  credits: 'READ',
  hints: readHints,
  input: z.strictObject({
    status: z.enum(assignmentStatuses, `must be one of ${assignmentStatuses.join(', ')}`).optional(),
    connectionId: uuid('Only this channel.').optional(),
    platform: text('Only this platform.', 40).optional(),
    externalId: text('Only the assignment with this id of yours.', 200).optional(),
    scheduledFrom: instant('Scheduled at or after.').optional(),
    scheduledTo: instant('Scheduled at or before.').optional(),
    organizationId: uuid('Only assignments of this organization.').optional(),
    page: page.optional(),
    limit: limit(100).optional(),
    cursor: cursor.optional(),
  }),
  output: listOf(assignmentItem),
  rest: { method: 'GET', path: '/assignments', status: 200 },
  mcp: {
    text: ({ items, total }) => [`${total} in all.`, ...items.map(describeAssignment)].join('\n'),
  },
  kind: 'read',
  async handle(input, { caller, on }) {
    const { organizationId, scheduledFrom, scheduledTo, ...filter } = input;
    if (caller.organizationId && organizationId && organizationId !== caller.organizationId)
      throw notFound('organization');
    const slice = sliceOf(input);
    const listing = await selectAssignments(
      on,
      {
        ...filter,
        workspaceId: caller.workspaceId,
        organizationId: caller.organizationId ?? organizationId,
        scheduledFrom: scheduledFrom ? toDate(scheduledFrom) : undefined,
        scheduledTo: scheduledTo ? toDate(scheduledTo) : undefined,
      },
      slice,
    );
    return envelope(listing, slice, toItem);
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
  async handle({ assignmentId }, { caller, tx }) {
    const row = await lockAssignment(tx, caller.workspaceId, assignmentId, caller.organizationId);
    if (!row) throw notFound('assignment');
    if (!isCancellable(row.status, row.intentDeadline !== null)) {
      throw new DomainError('invalid_state', `This assignment is ${row.status} and can no longer be cancelled.`);
    }
    await cancelRow(tx, caller.workspaceId, row.id);
    await appendEvent(tx, row, 'cancelled');
    await refundAssignment(tx, caller.workspaceId, row.id);
    return detail(tx, caller.workspaceId, row.id);
  },
});
