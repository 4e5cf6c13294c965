import assert from 'node:assert/strict';
import { test } from 'node:test';
import { statsSpan, tallies, tally } from '../../src/domain/stats.ts';

const day = 24 * 3_600_000;
const now = Date.UTC(2030, 4, 17, 13, 45);
const midnight = Date.UTC(2030, 4, 18);

test('the span is 30 whole days by default, and what was asked for otherwise', () => {
  assert.deepEqual(statsSpan({}, now), { from: midnight - 30 * day, to: midnight });
  assert.deepEqual(statsSpan({ from: now }, now), { from: now, to: midnight });
  assert.deepEqual(statsSpan({ to: now }, now), { from: now - 30 * day, to: now });
  assert.deepEqual(statsSpan({ from: 0, to: 1 }, now), { from: 0, to: 1 });
  assert.deepEqual(statsSpan({}, midnight), { from: midnight - 29 * day, to: midnight + day });
});

test('a span that is empty, turned round or longer than 366 days is none', () => {
  assert.equal(statsSpan({ from: now, to: now }, now), undefined);
  assert.equal(statsSpan({ from: now, to: now - 1 }, now), undefined);
  assert.equal(statsSpan({ from: midnight }, now), undefined);
  assert.notEqual(statsSpan({ from: now - 366 * day, to: now }, now), undefined);
  assert.equal(statsSpan({ from: now - 366 * day - 1, to: now }, now), undefined);
});

test('a tally adds up, and its rate is of those that were tried', () => {
  assert.deepEqual(tally([]), { total: 0, published: 0, failed: 0, cancelled: 0, pending: 0, inProgress: 0 });
  assert.deepEqual(
    tally([
      { status: 'published', count: 2 },
      { status: 'failed', count: 1 },
      { status: 'cancelled', count: 4 },
      { status: 'pending', count: 8 },
      { status: 'uploading', count: 16 },
      { status: 'uploaded', count: 32 },
      { status: 'processing', count: 64 },
    ]),
    { total: 127, published: 2, failed: 1, cancelled: 4, pending: 8, inProgress: 112, successRate: 0.6667 },
  );
  assert.equal(tally([{ status: 'failed', count: 3 }]).successRate, 0);
  assert.equal(tally([{ status: 'published', count: 3 }]).successRate, 1);
  assert.equal('successRate' in tally([{ status: 'cancelled', count: 3 }]), false);
});

test('groups keep their order, and statuses of one key are one group', () => {
  const groups = tallies([
    { key: '2030-01-02', status: 'failed', count: 1 },
    { key: '2030-01-02', status: 'published', count: 3 },
    { key: '2030-01-01', status: 'pending', count: 1 },
  ]);
  assert.deepEqual(
    groups.map(({ key, total, successRate }) => [key, total, successRate]),
    [
      ['2030-01-02', 4, 0.75],
      ['2030-01-01', 1, undefined],
    ],
  );
});
