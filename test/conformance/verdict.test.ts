import assert from 'node:assert/strict';
import { test } from 'node:test';
import type { Check } from './tool.ts';
import { problems } from './verdict.ts';

const good: Check = { id: 'good', status: 'SUCCESS' };
const bad: Check = { id: 'bad', status: 'FAILURE' };
const odd: Check = { id: 'odd', status: 'WARNING' };
const note: Check = { id: 'note', status: 'INFO' };
const exceptions = { 'a reason': { run: { scenario: ['bad'] } } };

test('a run as committed has no problem', () => {
  assert.deepEqual(problems({ run: { scenario: [good, bad, note] } }, exceptions, { run: 2 }), []);
});

test('failures and warnings need an exception', () => {
  assert.deepEqual(problems({ run: { scenario: [bad, odd], other: [bad] } }, exceptions, { run: 3 }), [
    'run / scenario / odd does not pass',
    'run / other / bad does not pass',
  ]);
});

test('an exception that is not needed must go', () => {
  const answer = ['run / scenario / bad passes or is gone: take it off the list'];
  assert.deepEqual(problems({ run: { scenario: [good] } }, exceptions, { run: 1 }), answer);
});

test('the number of executed checks only grows', () => {
  const runs = { run: { scenario: [good, bad] } };
  assert.deepEqual(problems(runs, exceptions, { run: 3 }), ['run executed 2 checks, 3 are the minimum']);
  assert.deepEqual(problems(runs, exceptions, { run: 1 }), ['run executed 2 checks: raise the minimum from 1']);
  assert.equal(problems(runs, exceptions, {}).length, 1);
});
