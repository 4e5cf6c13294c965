import assert from 'node:assert/strict';
import { test } from 'node:test';
import { parseLimits } from '../src/domain/limits.ts';
import { startHarness } from './harness.ts';
import { callTool, getToken, rpc, toolCall } from './mcp-client.ts';
import { errorOf } from './refusals.ts';

const slow = { environment: { PHARLO_LIMITS: 'api=1/m:10' } };
/** Limit, remaining uses and, to the minute, the reset: real time passes beside the clock of the test. */
const numbers = (headers: Headers) => {
  const [limit, remaining, reset] = ['limit', 'remaining', 'reset'].map((name) =>
    Number(headers.get(`ratelimit-${name}`)),
  );
  return [limit, remaining, Math.ceil((reset ?? 0) / 60) * 60];
};
const minuteOf = (text: string | null) => Math.ceil(Number(text) / 60);

test('a key that is too fast is told so, when to come back, and pays nothing; others go on', async () => {
  await using pharlo = await startHarness(slow);
  const read = (key = pharlo.key) => pharlo.rest('GET', '/platforms', undefined, { authorization: `Bearer ${key}` });
  const first = await read();
  assert.deepEqual(numbers(first.headers), [10, 9, 60]);
  assert.equal(first.headers.get('ratelimit-policy'), '10;w=600');
  const rest = await Promise.all(Array.from({ length: 20 }, () => read()));
  assert.equal(rest.filter(({ status }) => status === 200).length, 9);
  const refused = rest.filter(({ status }) => status === 429);
  assert.equal(refused.length, 11);
  for (const { headers, body } of refused) {
    assert.equal(errorOf({ body }).code, 'rate_limited');
    assert.deepEqual(numbers(headers), [10, 0, 600]);
    assert.equal(minuteOf(headers.get('retry-after')), 1);
  }
  assert.equal((await read(await pharlo.newKey())).status, 200);
  await pharlo.advance(60_000);
  assert.equal((await read()).status, 200);
  assert.equal((await read()).status, 429);
});

test('refused calls are counted too, and strangers are no callers', async () => {
  await using pharlo = await startHarness(slow);
  const bad = await pharlo.rest('POST', '/assignments', { type: 'video' });
  assert.deepEqual([bad.status, ...numbers(bad.headers)], [400, 10, 9, 60]);
  const stranger = await pharlo.rest('GET', '/platforms', undefined, { authorization: 'Bearer ds_live_x' });
  assert.deepEqual([stranger.status, stranger.headers.get('ratelimit-limit')], [401, null]);
});

test('at the MCP door each message counts, and each grant for itself', async () => {
  await using pharlo = await startHarness(slow);
  const token = await getToken(pharlo);
  const list = (ids: number[]) => ids.map(() => toolCall('list_platforms', {}));
  const array = (ids: number[]) => rpc(pharlo, token, list(ids), { 'mcp-protocol-version': '2025-03-26' });
  const six = await array([1, 2, 3, 4, 5, 6]);
  assert.deepEqual([six.status, ...numbers(six.headers)], [200, 10, 4, 360]);
  const five = await array([1, 2, 3, 4, 5]);
  assert.equal(five.status, 429, 'all or none');
  assert.equal(minuteOf(five.headers.get('retry-after')), 1);
  assert.match(String(five.headers.get('content-type')), /json/);
  const four = await array([1, 2, 3, 4]);
  assert.equal(four.status, 200);
  const other = await getToken(pharlo);
  assert.equal((await callTool(pharlo, other, 'list_platforms', {})).isError, undefined);
  assert.equal((await pharlo.rest('GET', '/platforms')).status, 200, 'the key itself');
});

test('the setting names what it changes', () => {
  const limits = parseLimits('api=5/m, registration=2/h:3');
  assert.deepEqual(limits?.api, { everySeconds: 12, burst: 5 });
  assert.deepEqual(limits?.registration, { everySeconds: 1800, burst: 3 });
  assert.deepEqual(limits?.token, { everySeconds: 0.1, burst: 200 });
  for (const text of ['api', 'api=fast', 'api=0/s', 'api=1/d', 'api=1/s:0', 'colour=1/s', 'api=1/s;token=1/s']) {
    assert.equal(parseLimits(text), undefined, text);
  }
});
