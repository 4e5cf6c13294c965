import type { Report } from './run.ts';
import type { Memory } from './world.ts';

const maxGrowth = 20 * 1024 * 1024;
const minMutated = 0.6;

const held = ({ heapBytes, externalBytes }: Memory) => heapBytes + externalBytes;

/** Bytes by which what lives after a collection has grown since the warm-up. */
export const growth = ({ memory: [first, last] }: Report) => held(last) - held(first);

/** Every bar that was missed; empty when none was. */
export function verdictOf(report: Report): string[] {
  const { failures, kinds, requests } = report;
  const share = kinds.mutated / requests;
  return [
    ...failures.map(
      ({ turn, label, reason, request, answer }) => `${turn} ${label}: ${reason}\n  ${request}\n  ${answer}`,
    ),
    ...(kinds.mutated + kinds.wild < requests ? [`only ${kinds.mutated + kinds.wild} requests were made`] : []),
    ...(share < minMutated ? [`only ${Math.round(100 * share)} % were good requests with a fault`] : []),
    ...(growth(report) >= maxGrowth ? [`memory grew by ${growth(report)} bytes`] : []),
  ];
}

const mebi = (bytes: number) => `${(bytes / 1024 / 1024).toFixed(1)} MiB`;

/** The report for people: a line of outcomes for each operation, then the figures. */
export function describe(report: Report): string {
  const { histogram, kinds, refused, requests, memory, footprints, seconds, seed, failures } = report;
  const lines = [...histogram]
    .sort(([a], [b]) => a.localeCompare(b))
    .map(([label, counts]) => {
      const told = [...counts].sort(([a], [b]) => a.localeCompare(b)).map(([outcome, count]) => `${outcome}: ${count}`);
      const total = [...counts.values()].reduce((sum, count) => sum + count, 0);
      return `${label.padEnd(34)} ${String(total).padStart(6)}  ${told.join(', ')}`;
    });
  const share = ((100 * kinds.mutated) / requests).toFixed(1);
  const [first, last] = memory;
  return [
    ...lines,
    '',
    `${requests} requests (seed ${seed}) in ${seconds} s: ${share} % good ones with a fault, ${refused} refused, ${failures.length} wrong answers`,
    `${footprints} refused requests of REST and MCP were looked at alone: none may leave a trace`,
    `memory after GC: ${mebi(held(first))} after the warm-up, ${mebi(held(last))} at the end, growth ${mebi(growth(report))}`,
    `resident: ${mebi(first.residentBytes)}, then ${mebi(last.residentBytes)}`,
  ].join('\n');
}
