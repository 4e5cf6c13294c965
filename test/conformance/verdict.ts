import type { Check, Results } from './tool.ts';

/** Checks that may fail or warn: by reason, run and scenario. */
export type Exceptions = Record<string, Record<string, Record<string, string[]>>>;

/** Checks that came to a result; notes and skipped ones did not. */
export function executed(checks: readonly Check[]): Check[] {
  return checks.filter(({ status }) => status === 'SUCCESS' || isDeviation(status));
}

/** The ids of the checks that failed or warned. */
export function deviations(checks: readonly Check[]): string[] {
  return [...new Set(checks.filter(({ status }) => isDeviation(status)).map(({ id }) => id))];
}

function isDeviation(status: Check['status']): boolean {
  return status === 'FAILURE' || status === 'WARNING';
}

/** What keeps the runs from being what is committed; empty when all is well. */
export function problems(
  runs: Record<string, Results>,
  exceptions: Exceptions,
  minimumChecks: Record<string, number>,
): string[] {
  const excepted = Object.values(exceptions).flatMap(keysOf);
  const deviating = keysOf(mapValues(runs, (results) => mapValues(results, deviations)));
  return [
    ...deviating.filter((key) => !excepted.includes(key)).map((key) => `${key} does not pass`),
    ...excepted
      .filter((key) => !deviating.includes(key))
      .map((key) => `${key} passes or is gone: take it off the list`),
    ...Object.entries(runs).flatMap(([run, results]) => {
      const count = executed(Object.values(results).flat()).length;
      const minimum = minimumChecks[run] ?? Number.POSITIVE_INFINITY;
      if (count > minimum) return [`${run} executed ${count} checks: raise the minimum from ${minimum}`];
      return count < minimum ? [`${run} executed ${count} checks, ${minimum} are the minimum`] : [];
    }),
  ];
}

function keysOf(runs: Record<string, Record<string, string[]>>): string[] {
  return Object.entries(runs).flatMap(([run, scenarios]) =>
    Object.entries(scenarios).flatMap(([scenario, ids]) => ids.map((id) => `${run} / ${scenario} / ${id}`)),
  );
}

function mapValues<A, B>(record: Record<string, A>, change: (value: A) => B): Record<string, B> {
  return Object.fromEntries(Object.entries(record).map(([key, value]) => [key, change(value)]));
}
