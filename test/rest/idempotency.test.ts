import assert from 'node:assert/strict';
import { test } from 'node:test';
import { connectChannel } from '../channel.ts';
import { startHarness } from '../harness.ts';
import { callTool, getToken } from '../mcp-client.ts';
import { assertRefused, footprint } from '../refusals.ts';

const conflict = { status: 409, code: 'idempotency_conflict' };

test('one key makes one assignment and one charge, whatever door it comes through', async (t) => {
  await using pharlo = await startHarness();
  const connectionId = await connectChannel(pharlo);
  const token = await getToken(pharlo);
  const scheduledAt = new Date(pharlo.app.deps.now() + 24 * 3600 * 1000).toISOString();
  const good = {
    connectionId,
    type: 'video',
    payload: { title: 'A title' },
    mediaUrl: `${pharlo.sandboxUrl}/sample.mp4`,
    scheduledAt,
  };
  const create = (body: object, headers?: Record<string, string>) => pharlo.rest('POST', '/assignments', body, headers);

  await t.test('32 at once, half of them through MCP', async () => {
    const before = await footprint(pharlo);
    const input = { ...good, idempotencyKey: 'parallel' };
    const rest = Array.from({ length: 16 }, async () => {
      const { status, headers, body } = await create(input);
      assert.equal(status, 201, JSON.stringify(body));
      const replayed = headers.get('idempotent-replayed') === 'true';
      assert.equal(headers.get('x-credits-used'), replayed ? '0' : '3');
      return { id: body.id, replayed };
    });
    const mcp = Array.from({ length: 16 }, async () => {
      const { isError, structuredContent, _meta } = await callTool(pharlo, token, 'create_assignment', input);
      assert.equal(isError, undefined);
      const replayed = _meta['pharlo.io/replayed'] === true;
      assert.equal(_meta['pharlo.io/credits'].used, replayed ? 0 : 3.6);
      return { id: structuredContent?.id, replayed };
    });
    const answers = await Promise.all([...rest, ...mcp]);
    assert.equal(new Set(answers.map(({ id }) => id)).size, 1);
    assert.equal(answers.filter(({ replayed }) => !replayed).length, 1);
    const after = await footprint(pharlo);
    assert.equal(Number(after.assignments) - Number(before.assignments), 1);
    assert.equal(Number(after.ledger) - Number(before.ledger), 1);
  });

  await t.test('a default that is written out is the same input', async () => {
    const first = await create({ ...good, idempotencyKey: 'defaults' });
    const payload = { privacy: 'private', title: 'A title', tags: [] };
    const again = await create({ ...good, payload, idempotencyKey: 'defaults' });
    assert.equal(again.status, 201);
    assert.equal(again.body.id, first.body.id);
    assert.equal(again.headers.get('idempotent-replayed'), 'true');
  });

  await t.test('a repeat answers the assignment as it is now', async () => {
    const first = await create(good, { 'idempotency-key': 'now' });
    assert.equal(first.body.idempotencyKey, 'now');
    await pharlo.rest('DELETE', `/assignments/${first.body.id}`);
    const again = await create({ ...good, idempotencyKey: 'now' }, { 'idempotency-key': 'now' });
    assert.equal(again.status, 201);
    assert.equal(again.headers.get('idempotent-replayed'), 'true');
    assert.deepEqual([again.body.id, again.body.status], [first.body.id, 'cancelled']);
  });

  await t.test('the same input in other words is a repeat', async () => {
    const first = await create({ ...good, idempotencyKey: 'words' });
    const reordered = Object.fromEntries(Object.entries({ ...good, idempotencyKey: 'words' }).reverse());
    const shifted = new Date(Date.parse(scheduledAt) + 3600 * 1000).toISOString().replace('Z', '+01:00');
    const again = await create({ ...reordered, scheduledAt: shifted });
    assert.equal(again.body.id, first.body.id, JSON.stringify(again.body));
    const asText = { ...good, idempotencyKey: 'words', payload: JSON.stringify(good.payload) };
    const { structuredContent } = await callTool(pharlo, token, 'create_assignment', asText);
    assert.equal(structuredContent?.id, first.body.id);
  });

  const others: [string, object][] = [
    ['another title', { payload: { title: 'Other' } }],
    ['another time', { scheduledAt: new Date(Date.parse(scheduledAt) + 1000).toISOString() }],
    ['no time', { scheduledAt: undefined }],
    ['another file', { mediaUrl: 'https://media.example/other.mp4' }],
    ['another external id', { externalId: 'x' }],
    ['another type', { type: 'short' }],
  ];
  await create({ ...good, idempotencyKey: 'taken' });
  for (const [name, change] of others) {
    await t.test(`${name} is a conflict`, async () => {
      const input = { ...good, idempotencyKey: 'taken', ...change };
      await assertRefused(pharlo, conflict, () => create(input));
      const { _meta } = await callTool(pharlo, token, 'create_assignment', input);
      assert.equal(_meta['pharlo.io/error']?.code, 'idempotency_conflict');
    });
  }

  await t.test('failures occupy no key', async () => {
    const body = { ...good, idempotencyKey: 'failed' };
    await assertRefused(pharlo, { status: 400, code: 'validation_failed', field: 'payload.title' }, () =>
      create({ ...body, payload: { title: '<' } }),
    );
    await assertRefused(pharlo, { status: 400, code: 'media_unreachable', field: 'mediaUrl' }, () =>
      create({ ...body, mediaUrl: 'http://nowhere.invalid/a.mp4' }),
    );
    const taken = await create(body);
    assert.equal(taken.status, 201);
    assert.equal(taken.headers.get('idempotent-replayed'), null);
  });

  await t.test('a header that differs from the body', () =>
    assertRefused(pharlo, { status: 400, code: 'validation_failed', field: 'idempotencyKey' }, () =>
      create({ ...good, idempotencyKey: 'a' }, { 'idempotency-key': 'b' }),
    ),
  );

  for (const bad of ['', 'x'.repeat(201)]) {
    await t.test(`a header of ${bad.length} characters`, () =>
      assertRefused(pharlo, { status: 400, code: 'validation_failed', field: 'idempotencyKey' }, () =>
        create(good, { 'idempotency-key': bad }),
      ),
    );
  }

  await t.test('a repeat is answered after its time has come', async () => {
    const first = await create({ ...good, idempotencyKey: 'late' });
    await pharlo.advance(25 * 3600 * 1000);
    const again = await create({ ...good, idempotencyKey: 'late' });
    assert.equal(again.body.id, first.body.id);
  });
});

test('a repeat is answered when the channel is gone, and other input still is a conflict', async () => {
  await using pharlo = await startHarness();
  const connectionId = await connectChannel(pharlo);
  const video = {
    connectionId,
    type: 'video',
    payload: { title: 'Once' },
    mediaUrl: `${pharlo.sandboxUrl}/sample.mp4`,
    idempotencyKey: 'gone',
  };
  const first = await pharlo.rest('POST', '/assignments', video);
  assert.equal((await pharlo.rest('DELETE', `/connections/${connectionId}`)).status, 204);
  for (const payload of [{ title: 'Once' }, { title: 'Once', privacy: 'private' }]) {
    const again = await pharlo.rest('POST', '/assignments', { ...video, payload });
    assert.deepEqual([again.status, again.body.id, again.body.status], [201, first.body.id, 'cancelled']);
    assert.equal(again.headers.get('idempotent-replayed'), 'true');
  }
  const other = await pharlo.rest('POST', '/assignments', { ...video, payload: { title: 'Twice' } });
  assert.equal(other.status, 409);
});
