import type { Mutant } from './mutants.ts';
import type { Hits } from './worker.ts';

/** A unit as it ran without any mutant. */
export type Baseline = { id: string; ms: number; covered: Hits };

/** `load` = passed while modules are loaded, so that it needs a process of its own and may touch every unit. */
export type Plan = { mutant: Mutant; load: boolean; units: readonly Baseline[] };

/** The units that pass the place of a mutant. */
export function planOf(mutant: Mutant, baselines: readonly Baseline[], loaded: Hits): Plan {
  const load = loaded[mutant.id] !== undefined;
  return {
    mutant,
    load,
    units: load ? baselines : baselines.filter(({ covered }) => covered[mutant.id] !== undefined),
  };
}

/** A mutant that was found, and the unit that did. */
export type Kill = { file: string; lineNumber: number; unit: string };

/** The units that found something near the mutant first, the nearest before all; then the fastest. */
export function nearestFirst({ mutant, units }: Plan, kills: readonly Kill[]): Baseline[] {
  const distances = new Map<string, number>();
  for (const { file, lineNumber, unit } of kills) {
    if (file !== mutant.file) continue;
    const distance = Math.abs(lineNumber - mutant.lineNumber);
    distances.set(unit, Math.min(distance, distances.get(unit) ?? distance));
  }
  const far = Number.MAX_SAFE_INTEGER;
  return [...units].sort((a, b) => (distances.get(a.id) ?? far) - (distances.get(b.id) ?? far) || a.ms - b.ms);
}

/** `size` of the values, each as likely as the other; the same seed draws the same (mulberry32). */
export function draw<T>(values: readonly T[], size: number, seed: number): T[] {
  let state = seed >>> 0;
  const next = () => {
    state = (state + 0x6d2b79f5) >>> 0;
    let t = Math.imul(state ^ (state >>> 15), state | 1);
    t = (t + Math.imul(t ^ (t >>> 7), t | 61)) ^ t;
    return ((t ^ (t >>> 14)) >>> 0) / 2 ** 32;
  };
  return values
    .map((value) => ({ value, at: next() }))
    .sort((a, b) => a.at - b.at)
    .slice(0, size)
    .map(({ value }) => value);
}

/** The interval that holds the true share with 95 % probability (Wilson), for a share seen in a sample. */
export function interval(killed: number, total: number): [number, number] {
  const z = 1.96;
  const share = killed / total;
  const middle = share + z ** 2 / (2 * total);
  const half = z * Math.sqrt((share * (1 - share)) / total + z ** 2 / (4 * total ** 2));
  const scale = 1 + z ** 2 / total;
  return [(middle - half) / scale, (middle + half) / scale];
}
