import assert from 'node:assert/strict';
import { test } from 'node:test';
import { connectChannel } from '../channel.ts';
import { ended, connectChannel as reconnect, startRig } from '../engine/rig.ts';
import { startHarness } from '../harness.ts';
import { assertRefused } from '../refusals.ts';

test('a channel is renamed, switched off and on, and given an id of its owner’s own', async () => {
  await using pharlo = await startHarness();
  const id = await connectChannel(pharlo);
  const patch = (change: unknown) => pharlo.rest('PATCH', `/connections/${id}`, change);
  const { status, headers, body } = await patch({ name: 'Our brand', isActive: false, externalId: 'crm-7' });
  assert.equal(status, 200, JSON.stringify(body));
  assert.equal(headers.get('x-credits-used'), '2');
  assert.deepEqual([body.name, body.isActive, body.externalId], ['Our brand', false, 'crm-7']);
  assert.equal((await pharlo.rest('GET', '/connections')).body.total, 0, 'inactive ones are hidden');
  assert.equal((await pharlo.rest('GET', '/connections?includeInactive=true&externalId=crm-7')).body.total, 1);
  const back = await patch({ isActive: true, externalId: null });
  assert.equal('externalId' in back.body, false);
  assert.deepEqual((await pharlo.rest('GET', `/connections/${id}`)).body, back.body);
});

test('bad changes are refused by field and are free', async (t) => {
  await using pharlo = await startHarness();
  const id = await connectChannel(pharlo);
  const bad: [string, unknown, string][] = [
    ['nothing', {}, 'body'],
    ['an unknown field', { handle: '@x' }, 'handle'],
    ['an empty name', { name: '' }, 'name'],
    ['no name', { name: null }, 'name'],
    ['a name too long', { name: 'x'.repeat(201) }, 'name'],
    ['a flag in text', { isActive: 'yes' }, 'isActive'],
    ['an id with NUL', { externalId: 'a\0' }, 'externalId'],
  ];
  for (const [name, change, field] of bad) {
    await t.test(name, () =>
      assertRefused(pharlo, { status: 400, code: 'validation_failed', field }, () =>
        pharlo.rest('PATCH', `/connections/${id}`, change),
      ),
    );
  }
});

test('posts of a channel that is off are held back and go out when it is on again', async () => {
  await using rig = await startRig();
  const patch = (isActive: boolean) => rig.pharlo.rest('PATCH', `/connections/${rig.connectionId}`, { isActive });
  const scheduledAt = new Date(rig.pharlo.app.deps.now() + 60_000).toISOString();
  const { id } = await rig.create({ scheduledAt });
  await patch(false);
  await rig.advance(61_000);
  await rig.until(id, ({ waiting }) => waiting?.reason === 'connection_inactive');
  assert.deepEqual(await rig.videos(), []);
  await patch(true);
  assert.equal((await rig.until(id, ended)).status, 'published');
});

test('a deleted channel loses grant, tokens and open jobs; connecting it again brings back its id', async () => {
  await using rig = await startRig({ work: false });
  const { pharlo, connectionId } = rig;
  await pharlo.rest('PATCH', `/connections/${connectionId}`, { name: 'Mine' });
  const { id } = await rig.create({ scheduledAt: new Date(pharlo.app.deps.now() + 60_000).toISOString() });
  const { status } = await pharlo.rest('DELETE', `/connections/${connectionId}`);
  assert.equal(status, 204);
  assert.ok(rig.platform.calls.some((call) => call.startsWith('POST ') && call.includes('/revoke')));
  const cancelled = await rig.get(id);
  assert.deepEqual([cancelled.status, cancelled.timeline.at(-1)?.detail], ['cancelled', 'connection_deleted']);
  assert.equal(await rig.cost(id), 0);
  assert.equal((await pharlo.rest('GET', `/connections/${connectionId}`)).status, 404);
  assert.equal((await pharlo.rest('GET', '/connections?includeInactive=true')).body.total, 0);
  assert.equal((await pharlo.rest('DELETE', `/connections/${connectionId}`)).status, 404);
  const text = 'select tokens is null as erased from connections where id = $1';
  assert.deepEqual(await pharlo.app.deps.db.query({ text, values: [connectionId] }), [{ erased: true }]);

  assert.equal(await reconnect(pharlo), connectionId);
  const again = (await pharlo.rest('GET', `/connections/${connectionId}`)).body;
  assert.deepEqual([again.name, again.isActive, again.tokenStatus], ['Mine', true, 'valid']);
});

test('a channel can be deleted though its platform cannot be reached', async () => {
  await using rig = await startRig({ work: false });
  rig.platform.around = async (call) => call.hangUp();
  assert.equal((await rig.pharlo.rest('DELETE', `/connections/${rig.connectionId}`)).status, 204);
  assert.equal((await rig.pharlo.rest('GET', `/connections/${rig.connectionId}`)).status, 404);
});

test('one account connected twice at the same instant is one connection', async () => {
  await using rig = await startRig({ work: false });
  const ids = await Promise.all(Array.from({ length: 4 }, () => reconnect(rig.pharlo)));
  assert.deepEqual(new Set(ids).size, 1);
});
