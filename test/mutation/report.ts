import type { Verdict } from './lane.ts';
import { type Equivalent, keyOf, type Mutant } from './mutants.ts';
import { interval } from './plan.ts';

export type Result = {
  text: string;
  /** Found by the tests, of all that are valid and not listed as equivalent. */
  score: number;
  /** Listed as equivalent, and found all the same. */
  mistaken: readonly string[];
  /** Listed as equivalent, and no longer there. */
  stale: readonly string[];
};

const isFound = ({ status }: Verdict) => status === 'failed' || status === 'timed_out';

export const isMissed = ({ status }: Verdict) => status === 'survived' || status === 'uncovered';

/** Scores, survivors and what is wrong with the list of equivalents. */
export function report(
  verdicts: readonly Verdict[],
  equivalents: readonly Equivalent[],
  { sampled, planted }: { sampled: boolean; planted: readonly Mutant[] },
): Result {
  const listed = new Set(equivalents.map(keyOf));
  const isListed = ({ mutant }: Verdict) => listed.has(keyOf(mutant));
  const valid = verdicts.filter(({ status }) => status !== 'invalid');
  const found = valid.filter(isFound);
  const missed = valid.filter(isMissed);
  const survivors = missed.filter((verdict) => !isListed(verdict));
  const score = found.length / (found.length + survivors.length);
  const strict = found.length / valid.length;
  const present = new Set(planted.map(keyOf));
  const count = (status: Verdict['status']) => verdicts.filter((verdict) => verdict.status === status).length;
  const lines = [
    ...table(valid, survivors),
    '',
    `${verdicts.length} mutants${sampled ? ' drawn at random' : ''}: ${count('failed')} found by a failing test, ` +
      `${count('timed_out')} by an endless one, ${survivors.length} survived (${count('uncovered')} uncovered), ` +
      `${missed.length - survivors.length} survived as equivalent, ${count('invalid')} invalid.`,
    `Score ${percent(score)}; with equivalents counted as survived ${percent(strict)}.`,
  ];
  if (sampled) {
    const [low, high] = interval(found.length, found.length + survivors.length);
    lines.push(`95 % interval of the score: ${percent(low)} to ${percent(high)}.`);
  }
  return {
    text: lines.join('\n'),
    score,
    mistaken: found.filter(isListed).map(describe),
    stale: [...listed].filter((key) => !present.has(key)),
  };
}

function table(valid: readonly Verdict[], survivors: readonly Verdict[]): string[] {
  const counted = [...valid.filter(isFound), ...survivors];
  const byFile = Map.groupBy(counted, ({ mutant }) => mutant.file);
  return [...byFile].sort().map(([file, those]) => {
    const share = percent(those.filter(isFound).length / those.length);
    return `${file.padEnd(44)} ${String(those.length).padStart(5)} mutants  ${share.padStart(7)}`;
  });
}

/** Which mutant, where, and what became of it. */
export function describe({ mutant, status, by }: Verdict): string {
  const { file, lineNumber, mutator, original, replacement } = mutant;
  const short = (text: string) => text.replace(/\s+/g, ' ').slice(0, 160);
  const finder = by === undefined ? '' : ` by ${by}`;
  return `${status}${finder} ${file}:${lineNumber} ${mutator}\n    - ${short(original)}\n    + ${short(replacement)}`;
}

const percent = (share: number) => `${(100 * share).toFixed(1)} %`;
