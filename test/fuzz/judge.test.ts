import assert from 'node:assert/strict';
import { test } from 'node:test';
import { throwDice } from './dice.ts';
import { judge } from './judge.ts';
import { mutate } from './mutate.ts';
import type { Report } from './run.ts';
import type { Answer } from './send.ts';
import type { Json } from './values.ts';
import { verdictOf } from './verdict.ts';
import type { Wire } from './wire.ts';

const wire: Wire = { method: 'GET', path: '/api/v1/assignments', headers: [] };

function answer(status: Answer['status'], body: unknown, headers: Record<string, string> = {}): Answer {
  const text = typeof body === 'string' ? body : JSON.stringify(body);
  return { status, headers: new Headers({ 'content-type': 'application/json', ...headers }), text, raw: false };
}

const refusal = (code: string, message = 'No.') => ({ error: { code, message } });
const tool = (code: string, used = 0) => {
  const _meta = { 'pharlo.io/error': { code }, 'pharlo.io/credits': { used } };
  return { jsonrpc: '2.0', id: 1, result: { isError: true, _meta } };
};

test('an answer that a bad request may get is told apart', () => {
  const good: [Answer, string, boolean][] = [
    [answer(400, refusal('validation_failed')), '400', true],
    [answer(503, refusal('platform_unavailable')), '503', true],
    [answer(400, { error: 'invalid_grant' }), '400', true],
    [answer(200, { items: [] }, { 'x-credits-used': '1' }), '200', false],
    [answer(200, tool('not_found')), '200 refused', true],
    [answer(200, [tool('not_found'), { jsonrpc: '2.0', id: 2, result: {} }]), '200', false],
    [answer('stream', ''), 'stream', false],
  ];
  for (const [given, outcome, refused] of good) {
    const verdict = judge(wire, given);
    assert.deepEqual([verdict.outcome, verdict.refused], [outcome, refused]);
  }
  assert.equal(judge(wire, answer(200, {}, { 'x-credits-used': '3.6' })).used, 360);
});

test('every other answer is wrong', () => {
  const wrong: [string, Answer][] = [
    ['a failure of ours', answer(500, refusal('internal'))],
    ['an unforeseen failure of the authorization server', answer(503, { error: 'temporarily_unavailable' })],
    ['a page of a failure', { ...answer(500, '<h1>'), headers: new Headers({ 'content-type': 'text/html' }) }],
    ['an unknown code', answer(400, refusal('oops'))],
    ['an unknown OAuth error', answer(400, { error: 'oops' })],
    ['an error that cost something', answer(400, refusal('not_found'), { 'x-credits-used': '1' })],
    ['an error that tells of our insides', answer(400, refusal('not_found', 'at run (/src/app.ts:12)'))],
    ['an error that is no JSON', answer(400, 'oops')],
    ['a tool that failed within', answer(200, tool('internal'))],
    ['a failed tool that cost something', answer(200, tool('not_found', 1))],
    ['an internal JSON-RPC error', answer(200, { jsonrpc: '2.0', id: 1, error: { code: -32603, message: 'No.' } })],
    ['no answer in time', answer('late', '')],
    ['no answer at all', answer('closed', '')],
  ];
  for (const [name, given] of wrong) assert.throws(() => judge(wire, given), Error, name);
});

test('the same seed makes the same mutants, each of them another than what it was made of', () => {
  const input: Json = { name: 'text', count: 3, list: ['a', { deep: true }], '': null };
  const frozen = structuredClone(input);
  const mutants = (seed: number) => Array.from({ length: 200 }, (_, turn) => mutate(input, throwDice(seed, turn)));
  assert.deepEqual(mutants(1), mutants(1));
  assert.notDeepEqual(mutants(1), mutants(2));
  assert.deepEqual(input, frozen);
  const changed = mutants(3).filter((mutant) => JSON.stringify(mutant) !== JSON.stringify(input));
  assert.ok(changed.length > 190, `only ${changed.length} of 200 differ`);
  assert.ok(changed.some((mutant) => JSON.stringify(mutant).includes('"deep"') === false));
});

test('each bar that is missed is told', () => {
  const memory = { heapBytes: 0, externalBytes: 0, residentBytes: 0 };
  const good: Report = {
    seed: 1,
    requests: 10,
    kinds: { mutated: 6, wild: 4 },
    refused: 10,
    histogram: new Map(),
    failures: [],
    memory: [memory, memory],
    footprints: 1,
    seconds: 1,
  };
  assert.deepEqual(verdictOf(good), []);
  const failure = { turn: 1, label: 'x', reason: 'y', request: '', answer: '' };
  const missed: Partial<Report>[] = [
    { failures: [failure] },
    { kinds: { mutated: 5, wild: 5 } },
    { requests: 9, kinds: { mutated: 8, wild: 0 } },
    { memory: [memory, { ...memory, heapBytes: 20 * 1024 * 1024 }] },
  ];
  for (const change of missed) assert.equal(verdictOf({ ...good, ...change }).length, 1, JSON.stringify(change));
});
