import type { Report } from './drill.ts';
import type { Violation } from './verdict.ts';

/** What a drill found, for people. */
export function describe(report: Report): string[] {
  const { violations, kills, restartMs, statuses, calls, writes, tried, posts, deliveries, receptions } = report;
  const sorted = restartMs.toSorted((a, b) => a - b);
  const at = (part: number) => Math.round(sorted[Math.min(sorted.length - 1, Math.floor(sorted.length * part))] ?? 0);
  return [
    `kills          ${sum(kills)}: ${list(kills)}`,
    `restart, ms    median ${at(0.5)}, 95 % ${at(0.95)}, longest ${at(1)}`,
    `calls          ${sum(calls)}: ${list(calls)} (unknown = no answer)`,
    `writes         ${list(writes)}`,
    `assignments    ${sum(statuses)}: ${list(statuses)}`,
    `posts          ${posts} at the platform`,
    `tried          ${tried.lateCancels} cancels beside the call that makes the post, ${tried.fencedUploads} in an upload, ${tried.faults} faults`,
    `deliveries     ${sum(deliveries)}: ${list(deliveries)}`,
    `receptions     ${receptions.all}, ${receptions.repeated} of them repeated`,
    `reads          ${report.reads} credits`,
    `duration       ${Math.round(report.seconds)} s`,
    ...byPromise(violations),
    violations.length === 0 ? 'GREEN: nothing lost, nothing doubled' : `RED: ${violations.length} promises broken`,
  ];
}

function byPromise(violations: readonly Violation[]): string[] {
  return [...Map.groupBy(violations, ({ promise }) => promise)].flatMap(([promise, broken]) => [
    `broken         ${promise} (${broken.length})`,
    ...broken.slice(0, 5).map(({ what }) => `               ${what}`),
  ]);
}

const sum = (counts: Record<string, number>) => Object.values(counts).reduce((all, one) => all + one, 0);

function list(counts: Record<string, number>): string {
  return Object.entries(counts)
    .map(([name, count]) => `${count} ${name}`)
    .join(', ');
}
