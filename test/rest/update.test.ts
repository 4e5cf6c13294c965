import assert from 'node:assert/strict';
import { test } from 'node:test';
import { connectChannel } from '../channel.ts';
import { startHarness } from '../harness.ts';
import { assertRefused, footprint } from '../refusals.ts';

const day = 24 * 3600 * 1000;

async function scheduled() {
  const pharlo = await startHarness();
  const connectionId = await connectChannel(pharlo);
  const at = (ms: number) => new Date(pharlo.app.deps.now() + ms).toISOString();
  const video = {
    connectionId,
    type: 'video',
    payload: { title: 'First', description: 'Words', tags: ['a'] },
    mediaUrl: `${pharlo.sandboxUrl}/sample.mp4`,
    scheduledAt: at(day),
  };
  const { status, body } = await pharlo.rest('POST', '/assignments', video);
  assert.equal(status, 201, JSON.stringify(body));
  const path = `/assignments/${body.id}`;
  return {
    pharlo,
    at,
    path,
    video,
    id: String(body.id),
    patch: (change: unknown) => pharlo.rest('PATCH', path, change),
  };
}

test('a patch merges the payload, moves the time and leaves the rest', async () => {
  const { pharlo, at, patch, id } = await scheduled();
  await using _ = pharlo;
  const when = at(2 * day);
  const { status, headers, body } = await patch({ payload: { title: 'Second', tags: null }, scheduledAt: when });
  assert.equal(status, 200, JSON.stringify(body));
  assert.equal(headers.get('x-credits-used'), '2');
  const payload = body.payload as Record<string, unknown>;
  assert.deepEqual([payload.title, payload.description, payload.tags ?? []], ['Second', 'Words', []]);
  assert.deepEqual([body.id, body.status, body.scheduledAt], [id, 'pending', when]);
  const text = 'select due_at from assignments where id = $1';
  const [row] = await pharlo.app.deps.db.query<{ due_at: Date }>({ text, values: [id] });
  assert.equal(row?.due_at.toISOString(), when);
});

test('null publishes now and clears the callback', async () => {
  const { pharlo, patch, id } = await scheduled();
  await using _ = pharlo;
  const set = await patch({ callbackUrl: 'https://example.com/hook' });
  assert.equal(set.body.callbackUrl, 'https://example.com/hook');
  const { body } = await patch({ scheduledAt: null, callbackUrl: null });
  assert.equal('scheduledAt' in body || 'callbackUrl' in body, false);
  const text = 'select due_at <= pharlo_now() as due from assignments where id = $1';
  assert.deepEqual(await pharlo.app.deps.db.query({ text, values: [id] }), [{ due: true }]);
});

test('bad patches are refused by field, change nothing and are free', async (t) => {
  const { pharlo, at, path, patch } = await scheduled();
  await using _ = pharlo;
  const before = await pharlo.rest('GET', path);
  const bad: [string, unknown, string][] = [
    ['nothing to change', {}, 'body'],
    ['an unknown field', { titel: 'x' }, 'titel'],
    ['a field of creation', { type: 'short' }, 'type'],
    ['a payload that would lack its title', { payload: { title: null } }, 'payload.title'],
    ['an unknown payload field', { payload: { colour: 'red' } }, 'payload.colour'],
    ['a payload that is null', { payload: null }, 'payload'],
    ['a time that has passed', { scheduledAt: at(-1000) }, 'scheduledAt'],
    ['a time over a year ahead', { scheduledAt: at(367 * day) }, 'scheduledAt'],
    ['a time without offset', { scheduledAt: '2027-01-01T00:00:00' }, 'scheduledAt'],
    ['a callback in the clear', { callbackUrl: 'http://example.com/' }, 'callbackUrl'],
    ['no file for a video', { mediaUrl: null }, 'mediaUrl'],
    ['an id in the body', { assignmentId: '01900000-0000-7000-8000-000000000000' }, 'assignmentId'],
  ];
  for (const [name, change, field] of bad) {
    await t.test(name, () =>
      assertRefused(pharlo, { status: 400, code: 'validation_failed', field }, () => patch(change)),
    );
  }
  await t.test('a file that cannot be reached', () =>
    assertRefused(pharlo, { status: 400, code: 'media_not_allowed', field: 'mediaUrl' }, () =>
      patch({ mediaUrl: 'http://127.0.0.1:9/x.mp4' }),
    ),
  );
  assert.deepEqual((await pharlo.rest('GET', path)).body, before.body);
});

test('what is no longer pending cannot be changed', async () => {
  const { pharlo, path, patch } = await scheduled();
  await using _ = pharlo;
  assert.equal((await pharlo.rest('DELETE', path)).status, 204);
  await assertRefused(pharlo, { status: 409, code: 'invalid_state' }, () => patch({ payload: { title: 'Late' } }));
});

test('a dry run tells price and payload, and stores nothing', async () => {
  const { pharlo, video } = await scheduled();
  await using _ = pharlo;
  const before = await footprint(pharlo);
  const { status, headers, body } = await pharlo.rest('POST', '/assignments', { ...video, dryRun: true });
  assert.equal(status, 200, JSON.stringify(body));
  assert.equal(headers.get('x-credits-used'), '0');
  assert.deepEqual([body.dryRun, body.credits, body.platform], [true, 3, 'youtube']);
  assert.equal((body.payload as { privacy: string }).privacy, 'private');
  assert.equal((body.warnings as { code: string }[])[0]?.code, 'duplicate_content');
  assert.deepEqual(await footprint(pharlo), before);
  const bad = { ...video, payload: {}, dryRun: true };
  await assertRefused(pharlo, { status: 400, code: 'validation_failed', field: 'payload.title' }, () =>
    pharlo.rest('POST', '/assignments', bad),
  );
});

test('a dry run neither takes an idempotency key nor says what the call would not do', async () => {
  const { pharlo, video } = await scheduled();
  await using _ = pharlo;
  const keyed = { ...video, idempotencyKey: 'k1' };
  const dry = await pharlo.rest('POST', '/assignments', { ...keyed, dryRun: true });
  assert.equal(dry.body.credits, 3);
  const real = await pharlo.rest('POST', '/assignments', keyed);
  assert.equal(real.headers.get('idempotent-replayed'), null);
  const again = await pharlo.rest('POST', '/assignments', { ...keyed, dryRun: true });
  assert.deepEqual([again.body.credits, again.body.assignmentId], [0, real.body.id]);
  const other = { ...keyed, payload: { title: 'Other' }, dryRun: true };
  await assertRefused(pharlo, { status: 409, code: 'idempotency_conflict' }, () =>
    pharlo.rest('POST', '/assignments', other),
  );
});

test('the same content on one channel within a day is taken with a warning', async () => {
  const { pharlo, video, id, path } = await scheduled();
  await using _ = pharlo;
  const post = async (change = {}) => (await pharlo.rest('POST', '/assignments', { ...video, ...change })).body;
  const first = (await pharlo.rest('GET', path)).body;
  assert.equal('warnings' in first, false);
  const twin = await post();
  const [warning] = twin.warnings as { code: string; message: string }[];
  assert.equal(warning?.code, 'duplicate_content');
  assert.ok(warning?.message.includes(id));
  assert.equal('warnings' in (await post({ payload: { title: 'Else' } })), false);
  const renamed = await pharlo.rest('PATCH', `/assignments/${twin.id}`, { payload: { title: 'New' } });
  assert.equal('warnings' in renamed.body, false, 'it is no twin any more');
  await pharlo.advance(25 * 3600 * 1000);
  assert.equal('warnings' in (await post({ scheduledAt: undefined })), false, 'a day has passed');
});
