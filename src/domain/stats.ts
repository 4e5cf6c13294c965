import type { AssignmentStatus } from './assignment.ts';

/** What statistics can be grouped by; days are those of UTC. */
export const statsGroups = ['day', 'platform', 'connection', 'status'] as const;
export type StatsGroup = (typeof statsGroups)[number];

const dayMs = 24 * 3_600_000;
export const maxStatsDays = 366;
const defaultDays = 30;

/**
 * The span asked for in epoch ms, `to` exclusive: by default whole UTC days, today included. Undefined when it is empty
 * or longer than `maxStatsDays`.
 */
export function statsSpan(
  asked: { from?: number | undefined; to?: number | undefined },
  now: number,
): { from: number; to: number } | undefined {
  const to = asked.to ?? (Math.floor(now / dayMs) + 1) * dayMs;
  const from = asked.from ?? to - defaultDays * dayMs;
  return from < to && to - from <= maxStatsDays * dayMs ? { from, to } : undefined;
}

/** How many assignments of one group are in one status. */
export type StatusCount = { key: string; status: AssignmentStatus; count: number };

/** `successRate` is the share of published among published and failed, 0 to 1; absent while there are none. */
export type Tally = {
  total: number;
  published: number;
  failed: number;
  cancelled: number;
  pending: number;
  inProgress: number;
  successRate?: number;
};

/** Counts by status, added up. */
export function tally(counts: readonly Omit<StatusCount, 'key'>[]): Tally {
  const of = (...statuses: AssignmentStatus[]) =>
    counts.filter(({ status }) => statuses.includes(status)).reduce((sum, { count }) => sum + count, 0);
  const [published, failed, cancelled] = [of('published'), of('failed'), of('cancelled')];
  const [pending, inProgress] = [of('pending'), of('uploading', 'uploaded', 'processing')];
  const tried = published + failed;
  return {
    total: tried + cancelled + pending + inProgress,
    published,
    failed,
    cancelled,
    pending,
    inProgress,
    ...(tried > 0 && { successRate: Math.round((published / tried) * 10_000) / 10_000 }),
  };
}

/** One tally per key, in the order in which the keys come. */
export function tallies(counts: readonly StatusCount[]): ({ key: string } & Tally)[] {
  const byKey = Map.groupBy(counts, ({ key }) => key);
  return [...byKey].map(([key, rows]) => ({ key, ...tally(rows) }));
}
