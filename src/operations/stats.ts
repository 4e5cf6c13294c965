import { z } from 'zod';
import { DomainError, invalid, notFound } from '../domain/errors.ts';
import { maxStatsDays, statsGroups, statsSpan, tallies, tally } from '../domain/stats.ts';
import { type Context, operation } from '../operation.ts';
import type { Connector, LookIo } from '../platforms/contract.ts';
import { findAssignmentWithEvents } from '../store/assignments.ts';
import { type ConnectionRow, findConnection } from '../store/connections.ts';
import { countAssignments, medianSecondsToPublish } from '../store/stats.ts';
import { askPlatform } from '../tokens.ts';
import { publicFailure } from './connections.ts';
import { instant, iso, outInstant, outUuid, readHints, toDate, uuid } from './fields.ts';

const lookHints = { readOnly: true, destructive: false, idempotent: true, openWorld: true };

const count = z.int().optional();

const channelStats = z.object({
  connectionId: outUuid,
  platform: z.string(),
  subscribers: count,
  totalViews: count,
  totalPosts: count,
  fetchedAt: outInstant,
});

const postStats = z.object({
  assignmentId: outUuid,
  platform: z.string(),
  platformPostId: z.string(),
  views: count,
  likes: count,
  comments: count,
  shares: count,
  fetchedAt: outInstant,
});

/** The numbers there are, e.g. `12 views, 3 likes`. */
function sayNumbers(numbers: Record<string, number | undefined>): string {
  const known = Object.entries(numbers).flatMap(([noun, number]) =>
    number === undefined ? [] : [`${number} ${noun}`],
  );
  return known.join(', ') || 'no numbers are told';
}

async function look<T>(
  { deps, signal }: Context,
  connection: ConnectionRow,
  ask: (connector: Connector, io: LookIo) => Promise<T>,
): Promise<T & { fetchedAt: string }> {
  try {
    const numbers = await askPlatform(deps, connection, signal, ask);
    return { ...numbers, fetchedAt: iso(new Date(deps.now())) };
  } catch (error) {
    throw publicFailure(error);
  }
}

export const getChannelStats = operation({
  name: 'get_channel_stats',
  title: 'Get channel statistics',
  description:
    'Asks the platform for the current numbers of one channel: subscribers, views and posts in all. A number that is ' +
    'absent is withheld by the platform or the channel; it is not 0.',
  access: 'connections:read',
  credits: 'PLATFORM',
  hints: lookHints,
  input: z.strictObject({ connectionId: uuid('Channel, from list_connections.') }),
  output: channelStats,
  rest: { method: 'GET', path: '/connections/{connectionId}/channel-stats', status: 200 },
  mcp: {
    text: ({ platform, subscribers, totalViews, totalPosts }) =>
      `The ${platform} channel: ${sayNumbers({ subscribers, views: totalViews, posts: totalPosts })}.`,
  },
  kind: 'outside',
  async handle({ connectionId }, context) {
    const { deps, caller } = context;
    const connection = await findConnection(deps.db, caller.workspaceId, connectionId, caller.organizationId);
    if (!connection) throw notFound('connection');
    const numbers = await look(context, connection, (connector, io) =>
      connector.channelStats(connection.accountId, io),
    );
    return { connectionId: connection.id, platform: connection.platform, ...numbers };
  },
});

type PostStatsInput = { assignmentId: string; connectionId?: string };

const assignmentId = uuid('Id of the published assignment.');

export const getPostStats = operation<PostStatsInput, z.infer<typeof postStats>>({
  name: 'get_post_stats',
  title: 'Get post statistics',
  description:
    'Asks the platform for the current numbers of one published post: views, likes, comments, shares. A number that is ' +
    'absent is not told by the platform; it is not 0. Fresh posts take hours to gather numbers.',
  access: 'stats:read',
  credits: 'PLATFORM',
  hints: lookHints,
  input: z.strictObject({ assignmentId }),
  output: postStats,
  rest: {
    method: 'GET',
    path: '/connections/{connectionId}/posts/{postId}/stats',
    status: 200,
    input: z
      .strictObject({ connectionId: uuid('Channel of the post.'), postId: assignmentId })
      .transform(({ connectionId, postId }) => ({ connectionId, assignmentId: postId })),
  },
  mcp: {
    text: ({ platform, platformPostId, views, likes, comments, shares }) =>
      `Post ${platformPostId} on ${platform}: ${sayNumbers({ views, likes, comments, shares })}.`,
  },
  kind: 'outside',
  async handle(input, context) {
    const { deps, caller } = context;
    const { workspaceId, organizationId } = caller;
    const row = await findAssignmentWithEvents(deps.db, workspaceId, input.assignmentId, organizationId);
    if (!row || (input.connectionId !== undefined && row.connectionId !== input.connectionId)) {
      throw notFound('assignment');
    }
    const { platform, platformPostId } = row;
    if (row.status !== 'published' || platformPostId === null) {
      throw new DomainError('invalid_state', `This assignment is ${row.status}; only a published post has statistics.`);
    }
    const connection = await findConnection(deps.db, workspaceId, row.connectionId);
    if (!connection) throw new DomainError('reconnect_required', 'The channel of this post is disconnected.');
    const numbers = await look(context, connection, (connector, io) => connector.postStats(platformPostId, io));
    return { assignmentId: row.id, platform, platformPostId, ...numbers };
  },
});

const counts = z.object({
  total: z.int(),
  published: z.int(),
  failed: z.int(),
  cancelled: z.int(),
  pending: z.int(),
  inProgress: z.int(),
  successRate: z.number().optional().meta({ description: 'published / (published + failed), 0 to 1.' }),
});

const overview = counts.extend({
  from: outInstant,
  to: outInstant,
  medianSecondsToPublish: z.number().optional().meta({ description: 'From due to published.' }),
  groups: z.array(z.object({ key: z.string(), ...counts.shape })).optional(),
});

export const getStatsOverview = operation({
  name: 'get_stats_overview',
  title: 'Get statistics overview',
  description:
    'Counts assignments by how they went, with success rate and median time to publish. One that ended counts at its end, ' +
    `an open one when it was created. Default: the last 30 UTC days, today included; at most ${maxStatsDays} days.`,
  access: 'stats:read',
  credits: 'READ',
  hints: readHints,
  input: z.strictObject({
    from: instant('Start of the span.').optional(),
    to: instant('End of the span, itself excluded.').optional(),
    groupBy: z
      .enum(statsGroups, `must be one of ${statsGroups.join(', ')}`)
      .meta({ description: 'Also count by UTC day, platform, connectionId or status; empty groups are left out.' })
      .optional(),
  }),
  output: overview,
  rest: { method: 'GET', path: '/stats', status: 200 },
  mcp: {
    text: ({ from, to, total, published, failed, cancelled, pending, inProgress, successRate }) =>
      `${from} to ${to}: ${total} assignments, ${sayNumbers({ published, failed, cancelled, pending, 'in progress': inProgress })}.` +
      (successRate === undefined ? '' : ` ${Math.round(successRate * 1000) / 10} % of those tried were published.`),
  },
  kind: 'read',
  async handle({ from, to, groupBy }, { deps, caller, on }) {
    const ms = (text: string | undefined) => (text === undefined ? undefined : toDate(text).getTime());
    const span = statsSpan({ from: ms(from), to: ms(to) }, deps.now());
    if (!span) throw invalid({ from: [`must be before to, at most ${maxStatsDays} days`] });
    const { workspaceId, organizationId } = caller;
    const filter = { workspaceId, organizationId, from: new Date(span.from), to: new Date(span.to) };
    const [rows, median] = await Promise.all([
      countAssignments(on, filter, groupBy),
      medianSecondsToPublish(on, filter),
    ]);
    return {
      from: iso(filter.from),
      to: iso(filter.to),
      ...tally(rows),
      ...(median !== undefined && { medianSecondsToPublish: Math.round(median * 10) / 10 }),
      ...(groupBy !== undefined && { groups: tallies(rows) }),
    };
  },
});
