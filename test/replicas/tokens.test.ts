import assert from 'node:assert/strict';
import { after, before, test } from 'node:test';
import { callMcp, callRest, getCode, register, token } from './client.ts';
import { callers, type Pair, rounds, startPair, tally } from './pair.ts';

let pair: Pair;
before(async () => {
  pair = await startPair();
});
after(() => pair[Symbol.asyncDispose]());

const each = Array.from({ length: rounds }, (_, index) => index + 1);

/** Tokens of a client of its own, so that refusals of one round do not count against the next. */
async function getTokens(resource?: string) {
  const clientId = await register(pair, pair.replicas[1]);
  const { body } = await token(pair, pair.replicas[0], await getCode(pair, clientId, resource));
  return { clientId, access: String(body.access_token), refresh: String(body.refresh_token) };
}

const refreshOf = (clientId: string, refresh: string) => ({
  grant_type: 'refresh_token',
  client_id: clientId,
  refresh_token: refresh,
});

test('exactly one of 64 parallel exchanges of a code succeeds, and the repetition ends what it gave', async () => {
  for (const round of each) {
    const form = await getCode(pair, await register(pair, pair.replicas[0]));
    const answers = await pair.race((replica) => token(pair, replica, form));
    assert.deepEqual(tally(answers), { 200: 1, 400: callers - 1 }, `round ${round}`);
    const won = answers.find(({ status }) => status === 200);
    const lost = answers.filter((answer) => answer !== won);
    assert.ok(lost.every(({ body }) => body.error === 'invalid_grant'));
    for (const replica of pair.replicas) {
      assert.equal((await callRest(pair, replica, String(won?.body.access_token), '/assignments')).status, 401);
    }
  }
});

test('exactly one of 64 parallel refreshes of a plain client succeeds, and its grant lives on', async () => {
  for (const round of each) {
    const { clientId, refresh } = await getTokens();
    const answers = await pair.race((replica) => token(pair, replica, refreshOf(clientId, refresh)));
    assert.deepEqual(tally(answers), { 200: 1, 401: callers - 1 }, `round ${round}`);
    const won = answers.find(({ status }) => status === 200);
    assert.ok(answers.every((answer) => answer === won || answer.body.error === 'invalid_token'));
    for (const replica of pair.replicas) {
      assert.equal((await callRest(pair, replica, String(won?.body.access_token), '/assignments')).status, 200);
    }
    const next = await token(pair, pair.replicas[1], refreshOf(clientId, String(won?.body.refresh_token)));
    assert.equal(next.status, 200);
  }
});

test('64 parallel refreshes of an MCP client all succeed with one pair', async () => {
  for (const round of each) {
    const { clientId, refresh } = await getTokens(`${pair.pharlo.url}/_mcp`);
    const answers = await pair.race((replica) => token(pair, replica, refreshOf(clientId, refresh)));
    assert.deepEqual(tally(answers), { 200: callers }, `round ${round}`);
    const pairs = new Set(answers.map(({ body }) => `${body.access_token} ${body.refresh_token}`));
    assert.equal(pairs.size, 1);
    const [answer] = answers;
    for (const replica of pair.replicas) {
      assert.equal((await callMcp(pair, replica, String(answer?.body.access_token))).status, 200);
    }
    const next = await token(pair, pair.replicas[0], refreshOf(clientId, String(answer?.body.refresh_token)));
    assert.equal(next.status, 200);
  }
});

test('a token revoked on one replica is refused by the other at the next request', async () => {
  const [first, second] = pair.replicas;
  const { clientId, access, refresh } = await getTokens();
  assert.equal((await callMcp(pair, second, access)).status, 200);
  const body = new URLSearchParams({ client_id: clientId, token: refresh });
  assert.equal((await pair.send(first, '/oauth/mcp/revoke', { method: 'POST', body })).status, 200);
  assert.equal((await callMcp(pair, second, access)).status, 401);
  assert.equal((await token(pair, second, refreshOf(clientId, refresh))).status, 401);
});
