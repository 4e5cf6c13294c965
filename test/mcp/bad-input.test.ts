import assert from 'node:assert/strict';
import { test } from 'node:test';
import { badInputs } from '../bad-input.ts';
import { connectChannel } from '../channel.ts';
import { startHarness } from '../harness.ts';
import { callTool, getToken, type ToolResult } from '../mcp-client.ts';
import { assertNoLeak, footprint } from '../refusals.ts';

test('tools refuse what REST refuses, with the same error, free and without a trace', async (t) => {
  await using pharlo = await startHarness();
  const connectionId = await connectChannel(pharlo);
  const token = await getToken(pharlo);
  const good = {
    connectionId,
    type: 'video',
    payload: { title: 'A title' },
    mediaUrl: `${pharlo.sandboxUrl}/sample.mp4`,
  };
  const refused = (result: ToolResult, code: string, field?: string) => {
    assert.equal(result.isError, true, JSON.stringify(result));
    assert.ok(!('structuredContent' in result));
    const error = result._meta['pharlo.io/error'];
    assert.equal(error?.code, code, JSON.stringify(error));
    assert.deepEqual(result._meta['pharlo.io/credits'], { used: 0 });
    const text = result.content[0]?.text ?? '';
    assert.ok(text.startsWith(`${code}: `), text);
    if (field !== undefined) {
      assert.ok(Object.hasOwn(error?.details ?? {}, field), `${field} is not named in ${JSON.stringify(error)}`);
      assert.ok(text.includes(field), `${field} is not named in the text`);
    }
    assertNoLeak(JSON.stringify(result));
  };
  const create = (input: unknown) => callTool(pharlo, token, 'create_assignment', input);

  // The SDK drops a member named __proto__ before anything of ours sees it.
  const inputs = badInputs(pharlo.app.deps.now()).filter(({ field }) => field !== '__proto__');
  for (const { name, change, code = 'validation_failed', field } of inputs) {
    await t.test(name, async () => {
      const before = await footprint(pharlo);
      const input = Object.defineProperties({ ...good }, Object.getOwnPropertyDescriptors(change));
      refused(await create(input), code, field);
      assert.deepEqual(await footprint(pharlo), before);
    });
  }

  await t.test('a payload as JSON text is read; text that is no object is refused', async () => {
    const before = await footprint(pharlo);
    for (const payload of ['{"title":', '[]', 'null', '"title"', 'title', '{"title":"a\\u0000b"}']) {
      refused(await create({ ...good, payload }), 'validation_failed', 'payload');
    }
    refused(await create({ ...good, payload: '{"title":"<"}' }), 'validation_failed', 'payload.title');
    assert.deepEqual(await footprint(pharlo), before);
    const { structuredContent } = await create({ ...good, payload: '{"title":"From text"}' });
    assert.deepEqual(
      Object.entries(structuredContent?.payload ?? {}).find(([name]) => name === 'title'),
      ['title', 'From text'],
    );
  });

  const unknown = '01900000-0000-7000-8000-000000000000';
  const others: [string, unknown, string, string?][] = [
    ['get_assignment', {}, 'validation_failed', 'assignmentId'],
    ['get_assignment', { assignmentId: unknown }, 'not_found'],
    ['get_assignment', { assignmentId: unknown, id: unknown }, 'validation_failed', 'id'],
    ['cancel_assignment', { assignmentId: unknown }, 'not_found'],
    ['get_connection', { connectionId: unknown }, 'not_found'],
    ['check_oauth_status', { ticketId: unknown }, 'not_found'],
    ['list_assignments', { page: 1, cursor: 'x' }, 'validation_failed', 'cursor'],
    ['list_assignments', { limit: '5' }, 'validation_failed', 'limit'],
    ['list_connections', { includeInactive: 'true' }, 'validation_failed', 'includeInactive'],
    ['list_connections', { platform: '\0' }, 'validation_failed', 'platform'],
    ['get_oauth_connect_url', { platform: 'tiktok' }, 'platform_planned'],
    ['get_oauth_connect_url', { platform: 'myspace' }, 'validation_failed', 'platform'],
    ['get_platform_capabilities', { platform: 'myspace' }, 'not_found'],
  ];
  for (const [tool, input, code, field] of others) {
    await t.test(`${tool} ${JSON.stringify(input)}`, async () => {
      const before = await footprint(pharlo);
      refused(await callTool(pharlo, token, tool, input), code, field);
      assert.deepEqual(await footprint(pharlo), before);
    });
  }
});
