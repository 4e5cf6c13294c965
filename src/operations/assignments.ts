import { z } from 'zod';
import { assignmentStatuses } from '../domain/assignment.ts';
import { operation } from '../operation.ts';
import { listAssignments as selectAssignments } from '../store/lists.ts';
import {
  assignmentInput,
  assignmentItem,
  assignmentShape,
  describeAssignment,
  readAssignment,
  toItem,
} from './assignment-shape.ts';
import { instant, pageFields, readHints, text, toDate, uuid } from './fields.ts';
import { envelope, listOf, organizationOf, sliceOf } from './paging.ts';

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
  handle: ({ assignmentId }, { caller, on }) =>
    readAssignment(on, caller.workspaceId, assignmentId, caller.organizationId),
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
    status: z
      .enum(assignmentStatuses, `must be one of ${assignmentStatuses.join(', ')}`)
      .meta({ description: 'Only assignments in this status.' })
      .optional(),
    connectionId: uuid('Only this channel.').optional(),
    platform: text('Only this platform.', 40).optional(),
    externalId: text('Only the assignment with this id of yours.', 200).optional(),
    scheduledFrom: instant('Scheduled at or after.').optional(),
    scheduledTo: instant('Scheduled at or before.').optional(),
    organizationId: uuid('Only assignments of this organization.').optional(),
    ...pageFields(),
  }),
  output: listOf(assignmentItem),
  rest: { method: 'GET', path: '/assignments', status: 200 },
  mcp: {
    text: ({ items, total }) => [`${total} in all.`, ...items.map(describeAssignment)].join('\n'),
  },
  kind: 'read',
  async handle(input, { caller, on }) {
    const { organizationId, scheduledFrom, scheduledTo, ...filter } = input;
    const slice = sliceOf(input);
    const listing = await selectAssignments(
      on,
      {
        ...filter,
        workspaceId: caller.workspaceId,
        organizationId: organizationOf(caller, organizationId),
        scheduledFrom: scheduledFrom ? toDate(scheduledFrom) : undefined,
        scheduledTo: scheduledTo ? toDate(scheduledTo) : undefined,
      },
      slice,
    );
    return envelope(listing, slice, toItem);
  },
});
