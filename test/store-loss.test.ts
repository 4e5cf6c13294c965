import assert from 'node:assert/strict';
import { test } from 'node:test';
import { startHarness } from './harness.ts';

test('a connection lost in the middle of a transaction fails that transaction and nothing else', async () => {
  await using pharlo = await startHarness();
  const { db } = pharlo.app.deps;
  const broken = db.transaction(async (tx) => {
    const [own] = await tx.query<{ pid: number }>({ text: 'select pg_backend_pid() as pid', values: [] });
    await db.query({ text: 'select pg_terminate_backend($1)', values: [own?.pid] });
    await tx.query({ text: 'select 1', values: [] });
  });
  await assert.rejects(broken);
  assert.equal((await pharlo.rest('GET', '/connections')).status, 200);
});

test('effects of a transaction run after its commit and never after a roll-back', async () => {
  await using pharlo = await startHarness();
  const { db } = pharlo.app.deps;
  const heard: string[] = [];
  await db.transaction(async (tx) => tx.afterCommit(() => heard.push('committed')));
  const failed = db.transaction(async (tx) => {
    tx.afterCommit(() => heard.push('rolled back'));
    await tx.query({ text: 'select 1 / 0', values: [] });
  });
  await assert.rejects(failed);
  assert.deepEqual(heard, ['committed']);
});
