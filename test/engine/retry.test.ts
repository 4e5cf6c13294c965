import assert from 'node:assert/strict';
import { test } from 'node:test';
import { isLastPiece, isSessionStart } from './platform.ts';
import { ended, startRig, waitsFor } from './rig.ts';

type Rig = Awaited<ReturnType<typeof startRig>>;

const retry = async (rig: Rig, id: string) => rig.pharlo.rest('POST', `/assignments/${id}/retry`);
const isProbe = ({ name, range }: { name: string; range: string | null }) =>
  name.startsWith('PUT ') && (range ?? '').startsWith('bytes */');
const refused = () => Response.json({ error: { code: 403, errors: [{ reason: 'forbidden' }] } }, { status: 403 });

test('a failed job is tried again under its id, paid again, and published once', async () => {
  await using rig = await startRig();
  rig.platform.around = async (call, next) => (isSessionStart(call) ? refused() : next());
  const { id } = await rig.create();
  assert.equal((await rig.until(id, ended)).status, 'failed');
  assert.equal(await rig.cost(id), 0);
  rig.platform.around = undefined;

  const { status, body } = await retry(rig, id);
  assert.equal(status, 200);
  assert.deepEqual([body.id, body.status, body.errors], [id, 'pending', []]);
  const done = await rig.until(id, ended);
  assert.equal(done.status, 'published');
  assert.equal(await rig.cost(id), 300);
  assert.equal((await rig.videos()).length, 1);
  const way = done.timeline.map((event) => event.status);
  assert.deepEqual(way.slice(0, 4), ['pending', 'uploading', 'failed', 'pending']);
  assert.equal((await retry(rig, id)).status, 409, 'published is final');
});

test('only what failed is retried, by one of many at once', async () => {
  await using rig = await startRig({ work: false });
  const { id } = await rig.create();
  assert.equal((await retry(rig, id)).status, 409);
  const engine = await rig.work();
  rig.platform.around = async (call, next) => (isSessionStart(call) ? refused() : next());
  await rig.until(id, ended);
  await engine.stop();
  const answers = await Promise.all(Array.from({ length: 64 }, () => retry(rig, id)));
  assert.equal(answers.filter(({ status }) => status === 200).length, 1);
  assert.equal(answers.filter(({ status, body }) => status === 409 && code(body) === 'invalid_state').length, 63);
  assert.equal(await rig.cost(id), 300);
  await rig.pharlo.rest('DELETE', `/assignments/${id}`);
  assert.equal((await retry(rig, id)).status, 409, 'cancelled is final');
});

test('a retry on a channel that is switched off changes nothing and is free', async () => {
  await using rig = await startRig();
  rig.platform.around = async (call, next) => (isSessionStart(call) ? refused() : next());
  const { id } = await rig.create();
  await rig.until(id, ended);
  await rig.pharlo.rest('PATCH', `/connections/${rig.connectionId}`, { isActive: false });
  const { status, body } = await retry(rig, id);
  assert.deepEqual([status, code(body)], [409, 'connection_inactive']);
  assert.deepEqual([(await rig.get(id)).status, await rig.cost(id)], ['failed', 0]);
});

/** A job whose last piece was taken or not, and of which nothing could be learned. */
async function unknownOutcome(rig: Rig, taken: boolean): Promise<string> {
  rig.platform.around = async (call, next) => {
    if (isProbe(call)) return new Response(null, { status: 404 });
    if (!isLastPiece(call)) return next();
    if (taken) await next();
    return call.hangUp();
  };
  const { id } = await rig.create();
  await rig.until(id, waitsFor('checking_outcome'));
  rig.platform.around = async (call, next) => {
    if (call.name.startsWith('GET ')) return Response.json({ items: [] });
    return isProbe(call) ? new Response(null, { status: 404 }) : next();
  };
  await rig.advance(26_000);
  const { status, errors } = await rig.until(id, ended);
  assert.deepEqual([status, errors[0]?.code], ['failed', 'outcome_unknown']);
  rig.platform.around = undefined;
  return id;
}

test('a retry of an unknown outcome finds the post, makes no other, and is paid for once, by the first charge', async () => {
  await using rig = await startRig();
  const id = await unknownOutcome(rig, true);
  assert.equal(await rig.cost(id), 300);
  assert.equal((await retry(rig, id)).status, 200);
  assert.equal((await rig.until(id, ended)).status, 'published');
  assert.equal((await rig.videos()).length, 1);
  assert.equal(await rig.cost(id), 300);
  const { db } = rig.pharlo.app.deps;
  const text = `select operation from ledger where assignment_id = $1 and state = 'settled' and refunds is null`;
  assert.deepEqual(await db.query({ text, values: [id] }), [{ operation: 'create_assignment' }]);
});

test('a retry of an unknown outcome that proves to be none makes the post, and is paid for once', async () => {
  await using rig = await startRig();
  const id = await unknownOutcome(rig, false);
  assert.equal((await retry(rig, id)).status, 200);
  await rig.until(id, ({ waiting, status }) => status === 'published' || waiting !== undefined || status !== 'pending');
  await rig.advance(60_000);
  assert.equal((await rig.until(id, ended)).status, 'published');
  assert.equal((await rig.videos()).length, 1);
  assert.equal(await rig.cost(id), 300);
});

test('while the outcome of an earlier attempt is unknown, a retried job can be neither cancelled nor changed', async () => {
  await using rig = await startRig({ work: false });
  const engine = await rig.work();
  const id = await unknownOutcome(rig, true);
  await engine.stop();
  assert.equal((await retry(rig, id)).status, 200);
  assert.equal((await rig.pharlo.rest('DELETE', `/assignments/${id}`)).status, 409);
  const { status } = await rig.pharlo.rest('PATCH', `/assignments/${id}`, { payload: { title: 'Other' } });
  assert.equal(status, 409);
});

const code = (body: Record<string, unknown>) => (body.error as { code: string } | undefined)?.code;
