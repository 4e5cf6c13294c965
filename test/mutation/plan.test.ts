import assert from 'node:assert/strict';
import { test } from 'node:test';
import type { Verdict } from './lane.ts';
import { keyOf, type Mutant } from './mutants.ts';
import { draw, interval, nearestFirst, planOf } from './plan.ts';
import { report } from './report.ts';

function mutantAt(lineNumber: number, file = 'a.ts'): Mutant {
  return {
    id: String(lineNumber),
    file,
    mutator: 'm',
    original: 'a',
    replacement: 'b',
    line: `line ${lineNumber}`,
    lineNumber,
  };
}

const units = [
  { id: 'slow', ms: 9, covered: { 5: 1 } },
  { id: 'fast', ms: 1, covered: { 5: 1, 7: 2 } },
  { id: 'elsewhere', ms: 2, covered: {} },
];

test('a mutant is shown to the units that pass it, to all when it is passed while modules load', () => {
  const idsOf = (id: number, loaded = {}) => planOf(mutantAt(id), units, loaded).units.map((unit) => unit.id);
  assert.deepEqual([idsOf(5), idsOf(7), idsOf(9)], [['slow', 'fast'], ['fast'], []]);
  assert.deepEqual(idsOf(9, { 9: 1 }), ['slow', 'fast', 'elsewhere']);
});

test('the unit that found the nearest mutant of the file comes first, then the fastest', () => {
  const plan = planOf(mutantAt(5), units, { 5: 1 });
  const order = (kills: Parameters<typeof nearestFirst>[1]) => nearestFirst(plan, kills).map(({ id }) => id);
  assert.deepEqual(order([]), ['fast', 'elsewhere', 'slow']);
  assert.deepEqual(order([{ file: 'b.ts', lineNumber: 5, unit: 'slow' }]), ['fast', 'elsewhere', 'slow']);
  const kills = [
    { file: 'a.ts', lineNumber: 8, unit: 'elsewhere' },
    { file: 'a.ts', lineNumber: 90, unit: 'slow' },
    { file: 'a.ts', lineNumber: 4, unit: 'slow' },
  ];
  assert.deepEqual(order(kills), ['slow', 'elsewhere', 'fast']);
});

test('a seed draws the same, another seed something else, and never one twice', () => {
  const numbers = Array.from({ length: 1000 }, (_, n) => n);
  const drawn = draw(numbers, 100, 1);
  assert.deepEqual(draw(numbers, 100, 1), drawn);
  assert.notDeepEqual(draw(numbers, 100, 2), drawn);
  assert.equal(new Set(drawn).size, 100);
  const mean = draw(numbers, 500, 3).reduce((sum, n) => sum + n, 0) / 500;
  assert.ok(mean > 450 && mean < 550, String(mean));
});

test('the interval of a share holds it and narrows as the sample grows', () => {
  const [low, high] = interval(90, 100);
  assert.ok(Math.abs(low - 0.8256) < 0.001 && Math.abs(high - 0.9448) < 0.001, `${low} ${high}`);
  const [closer] = interval(900, 1000);
  assert.ok(closer > low && closer < 0.9);
  assert.ok(Math.abs(interval(0, 10)[0]) < 1e-9);
});

test('the score leaves out what is invalid and what is listed, and says when the list is wrong', () => {
  const verdicts: Verdict[] = [
    { mutant: mutantAt(1), status: 'failed', by: 'fast' },
    { mutant: mutantAt(2), status: 'timed_out', by: 'fast' },
    { mutant: mutantAt(3), status: 'survived' },
    { mutant: mutantAt(4), status: 'uncovered' },
    { mutant: mutantAt(5), status: 'invalid' },
    { mutant: mutantAt(6), status: 'survived' },
  ];
  const listed = (lineNumber: number) => ({ ...mutantAt(lineNumber), reason: 'r' });
  const whole = { sampled: false, planted: verdicts.map(({ mutant }) => mutant) };
  const { score, text, mistaken, stale } = report(verdicts, [listed(6)], whole);
  assert.deepEqual([score, mistaken, stale], [0.5, [], []]);
  assert.match(text, /Score 50\.0 %; with equivalents counted as survived 40\.0 %\./);
  const wrong = report(verdicts, [listed(1), listed(9)], whole);
  assert.equal(wrong.mistaken.length, 1);
  assert.deepEqual(wrong.stale, [keyOf(mutantAt(9))]);
  assert.match(report(verdicts, [], { ...whole, sampled: true }).text, /95 % interval of the score: /);
});

test('a mutant is known by its text, wherever its line has moved', () => {
  const moved: Mutant = { ...mutantAt(1), lineNumber: 99, id: 'x' };
  assert.equal(keyOf(moved), keyOf(mutantAt(1)));
  assert.notEqual(keyOf({ ...mutantAt(1), replacement: 'c' }), keyOf(mutantAt(1)));
});
