import assert from 'node:assert/strict';
import { test } from 'node:test';
import { badInputs } from '../bad-input.ts';
import { connectChannel } from '../channel.ts';
import { startHarness } from '../harness.ts';
import { assertRefused, footprint } from '../refusals.ts';

test('bad assignments are refused by field, stored nowhere and free', async (t) => {
  await using pharlo = await startHarness();
  const connectionId = await connectChannel(pharlo);
  const good = {
    connectionId,
    type: 'video',
    payload: { title: 'A title' },
    mediaUrl: `${pharlo.sandboxUrl}/sample.mp4`,
  };
  for (const { name, change, status = 400, code = 'validation_failed', field } of badInputs(pharlo.app.deps.now())) {
    await t.test(name, async () => {
      // An own member of that name, which a literal could not have.
      const body = Object.defineProperties({ ...good }, Object.getOwnPropertyDescriptors(change));
      await assertRefused(pharlo, { status, code, field }, () => pharlo.rest('POST', '/assignments', body));
    });
  }

  await t.test('the good one they differ from is taken, and costs', async () => {
    const before = await footprint(pharlo);
    const { status, headers } = await pharlo.rest('POST', '/assignments', good);
    assert.equal(status, 201);
    assert.equal(headers.get('x-credits-used'), '3');
    const after = await footprint(pharlo);
    assert.equal(Number(after.assignments) - Number(before.assignments), 1);
    assert.equal(Number(after.ledger) - Number(before.ledger), 1);
  });

  await t.test('the edges of what is allowed are taken', async () => {
    const now = pharlo.app.deps.now();
    const at = new Date(now + 365 * 24 * 3600 * 1000).toISOString().replace('Z', '+00:00');
    const edge = { ...good, payload: { title: '😀'.repeat(100), description: 'é'.repeat(2500) }, scheduledAt: at };
    const { status, body } = await pharlo.rest('POST', '/assignments', edge);
    assert.equal(status, 201, JSON.stringify(body));
    assert.equal(body.scheduledAt, at.replace('+00:00', 'Z'));
  });

  await t.test('a prototype smuggled into the payload reaches nothing', async () => {
    const text = JSON.stringify(good).replace('"title"', '"__proto__":{"privacy":"public"},"title"');
    const { body } = await pharlo.rest('POST', '/assignments', text);
    assert.equal((body.payload as { privacy: string }).privacy, 'private');
    assert.equal(({} as { privacy?: string }).privacy, undefined);
  });

  await t.test('a switched-off channel, and one that must be connected again, are conflicts', async () => {
    const set = (assignment: string) =>
      pharlo.app.deps.db.query({ text: `update connections set ${assignment} where id = $1`, values: [connectionId] });
    const post = () => pharlo.rest('POST', '/assignments', good);
    await set('is_active = false');
    await assertRefused(pharlo, { status: 409, code: 'connection_inactive' }, post);
    await set('is_active = true, token_revoked_at = now()');
    await assertRefused(pharlo, { status: 409, code: 'reconnect_required' }, post);
  });
});
