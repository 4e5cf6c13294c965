import assert from 'node:assert/strict';
import { test } from 'node:test';
import { connectChannel } from '../channel.ts';
import { type RestAnswer, startHarness } from '../harness.ts';

type Described = { responses: Record<string, { headers?: Record<string, object>; content?: object }> };

/** Headers that an answer has only when there is something to say. */
const occasional = new Set(['Idempotent-Replayed']);

test('answers have the status and headers that the OpenAPI document tells of them', async () => {
  await using pharlo = await startHarness({
    environment: {
      PHARLO_PLANS: JSON.stringify([{ slug: 'small', name: 'Small', monthlyCredits: 4 }]),
      PHARLO_DEFAULT_PLAN: 'small',
      PHARLO_LIMITS: 'api=1/h:12',
    },
  });
  const document = (await (await fetch(`${pharlo.url}/api/doc.json`)).json()) as {
    paths: Record<string, Record<string, Described>>;
    components: { examples: Record<string, object> };
  };
  const connectionId = await connectChannel(pharlo);
  const post = { connectionId, type: 'video', payload: { title: 'Told' }, mediaUrl: `${pharlo.sandboxUrl}/sample.mp4` };
  const nobody = { authorization: 'Bearer ds_live_unknown' };
  const unknown = '019a5b4e-7c1d-7a52-9d0e-3f6b8a2c4d10';

  const assertTold = (method: string, path: string, { status, headers, body }: RestAnswer) => {
    const told = document.paths[path]?.[method.toLowerCase()]?.responses[status];
    const call = `${method} ${path} ${status}`;
    assert.ok(told, call);
    for (const name of Object.keys(told.headers ?? {}).filter((one) => !occasional.has(one))) {
      assert.ok(headers.has(name), `${call} has ${name}`);
    }
    const { error } = body as { error?: { code: string } };
    if (error) assert.ok(document.components.examples[error.code], `${call}: ${error.code}`);
    return status;
  };
  const call = async (method: string, path: string, told: string, body?: unknown, headers?: Record<string, string>) =>
    assertTold(method, told, await pharlo.rest(method, path, body, headers));

  assert.equal(await call('GET', '/platforms', '/platforms'), 200);
  assert.equal(await call('GET', '/platforms', '/platforms', undefined, nobody), 401);
  assert.equal(await call('GET', '/platforms?x=1', '/platforms'), 400);
  assert.equal(await call('POST', '/assignments', '/assignments', { ...post, dryRun: true }), 200);
  assert.equal(await call('POST', '/assignments', '/assignments', post, { 'idempotency-key': 'told' }), 201);
  assert.equal(
    await call('POST', '/assignments', '/assignments', { ...post, externalId: 'x' }, { 'idempotency-key': 'told' }),
    409,
  );
  assert.equal(await call('POST', '/assignments', '/assignments', { ...post, type: 'text' }), 422);
  assert.equal(await call('GET', `/assignments/${unknown}`, '/assignments/{assignmentId}'), 404);
  const narrow = await pharlo.newKey({ scopes: ['platforms:read'] });
  assert.equal(await call('GET', '/stats', '/stats', undefined, { authorization: `Bearer ${narrow}` }), 403);
  assert.equal(await call('POST', '/assignments', '/assignments', { ...post, externalId: 'another' }), 402);
  let status = 0;
  for (let calls = 0; calls < 12 && status !== 429; calls += 1) status = await call('GET', '/platforms', '/platforms');
  assert.equal(status, 429);
});
