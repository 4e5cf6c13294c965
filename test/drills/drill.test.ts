import assert from 'node:assert/strict';
import { test } from 'node:test';
import { runShortDrill } from './short.ts';

test('killed under load at random and at each named point: nothing is lost, nothing is doubled', async () => {
  const report = await runShortDrill(1);
  assert.deepEqual(report.violations, []);
  assert.deepEqual(report.kills, {
    'at random': 3,
    'intent committed': 1,
    'bytes sent': 1,
    'answer received': 1,
    'before commit': 1,
  });
  // What could not have gone wrong proves nothing.
  assert.ok(report.statuses.published && report.receptions.repeated > 0);
  assert.ok(report.tried.lateCancels > 0 && report.tried.fencedUploads > 0);
});
