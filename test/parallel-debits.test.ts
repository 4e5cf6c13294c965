import assert from 'node:assert/strict';
import { test } from 'node:test';
import type { Caller } from '../src/domain/caller.ts';
import { hashSecret } from '../src/domain/ids.ts';
import { findKeyByHash } from '../src/store/api-keys.ts';
import type { Queryable } from '../src/store/db.ts';
import { debit } from '../src/store/ledger.ts';
import { startHarness } from './harness.ts';

test('debits beside transactions whose rows refer to the workspace never wait in a circle', async () => {
  const plans = JSON.stringify([{ slug: 'large', name: 'Large', monthlyCredits: 100_000 }]);
  await using pharlo = await startHarness({ environment: { PHARLO_PLANS: plans, PHARLO_DEFAULT_PLAN: 'large' } });
  const { db } = pharlo.app.deps;
  const key = await findKeyByHash(db, hashSecret(pharlo.key));
  assert.ok(key);
  const caller: Caller = { via: 'rest', workspaceId: pharlo.workspaceId, keyId: key.id, scopes: new Set() };
  const pay = (on: Queryable) => debit(on, { caller, operation: 'test', amount: 100 });
  // What a foreign key check takes.
  const refer = (on: Queryable) =>
    on.query({ text: 'select 1 from workspaces where id = $1 for key share', values: [pharlo.workspaceId] });
  const kinds = [
    () => pay(db),
    () => db.transaction(refer),
    () =>
      db.transaction(async (tx) => {
        await refer(tx);
        return pay(tx);
      }),
  ];
  const calls = 1200;
  let next = 0;
  const worker = async () => {
    for (let turn = next++; turn < calls; turn = next++) await kinds[turn % kinds.length]?.();
  };
  await Promise.all(Array.from({ length: 12 }, worker));
  const [row] = await db.query<{ spent: number }>({
    text: 'select -sum(amount)::float8 as spent from ledger',
    values: [],
  });
  assert.equal(row?.spent, (calls / kinds.length) * 2 * 100);
});
