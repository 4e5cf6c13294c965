import assert from 'node:assert/strict';
import { test } from 'node:test';
import { operations } from '../../src/operations/index.ts';
import { fuzz } from './run.ts';
import { startTarget } from './target.ts';
import { verdictOf } from './verdict.ts';

test('2,000 bad requests: each is answered as it should be, and the books are right at the end', async () => {
  await using target = await startTarget();
  const report = await fuzz(target, { seed: 20_261_122, requests: 2000, warmUp: 1000 });
  assert.deepEqual(verdictOf(report), []);
  for (const { name, rest, mcp } of operations) {
    if (rest) assert.ok(report.histogram.has(`rest ${name}`), `${name} was not called at REST`);
    if (mcp) assert.ok(report.histogram.has(`mcp ${name}`), `${name} was not called as a tool`);
  }
});
