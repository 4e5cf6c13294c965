import assert from 'node:assert/strict';
import { test } from 'node:test';
import { callers, startPair, tally } from './pair.ts';

test('a key’s limit holds over two replicas: as many pass as the burst has, the rest are told when to come back', async () => {
  await using pair = await startPair({ PHARLO_LIMITS: 'api=1/h:40' });
  const authorization = `Bearer ${pair.pharlo.key}`;
  const answers = await pair.race((replica) => pair.send(replica, '/api/v1/platforms', { headers: { authorization } }));
  assert.deepEqual(tally(answers), { 200: 40, 429: callers - 40 });
  const left = answers.filter(({ status }) => status === 200).map(({ headers }) => headers.get('ratelimit-remaining'));
  assert.equal(new Set(left).size, 40, 'no use was given twice');
  for (const { status, headers } of answers) {
    if (status === 429) assert.ok(Number(headers.get('retry-after')) > 0);
  }
});
