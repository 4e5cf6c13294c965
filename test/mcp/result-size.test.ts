import assert from 'node:assert/strict';
import { test } from 'node:test';
import { connectChannel } from '../channel.ts';
import { startHarness } from '../harness.ts';
import { callTool, getToken } from '../mcp-client.ts';
import { startMediaServer } from '../media-server.ts';
import { footprint } from '../refusals.ts';

test('an answer too large for a conversation is refused, free, and told how to ask for less', async () => {
  await using media = await startMediaServer();
  await using pharlo = await startHarness({ environment: { PHARLO_ALLOWED_PRIVATE_HOSTS: media.host } });
  const token = await getToken(pharlo);
  const connectionId = await connectChannel(pharlo);
  const scheduledAt = new Date(pharlo.app.deps.now() + 24 * 3600_000).toISOString();
  const create = (index: number) => {
    const mediaUrl = `${media.url}/video.mp4?${String(index).repeat(3900 / String(index).length)}`;
    const payload = { title: `Number ${index}` };
    return pharlo.rest('POST', '/assignments', { connectionId, type: 'video', payload, mediaUrl, scheduledAt });
  };
  const made = await Promise.all(Array.from({ length: 100 }, (_, index) => create(index)));
  for (const { status, body } of made) assert.equal(status, 201, JSON.stringify(body));
  const list = (input: object) => callTool(pharlo, token, 'list_assignments', input);

  const before = await footprint(pharlo);
  const refused = await list({ limit: 100 });
  assert.equal(refused.isError, true);
  assert.equal(refused.structuredContent, undefined);
  assert.equal(refused._meta['pharlo.io/error']?.code, 'result_too_large');
  assert.deepEqual(refused._meta['pharlo.io/credits'], { used: 0 });
  assert.deepEqual(await footprint(pharlo), before);
  const text = refused.content[0]?.text ?? '';
  assert.ok(text.length < 500, text);
  assert.match(text, /at most 20000\. Call again with limit \d+ .*, or narrowed by .*status/);

  const limit = Number(/limit (\d+)/.exec(text)?.[1]);
  const answer = await list({ limit });
  assert.equal(answer.isError, undefined, JSON.stringify(answer).slice(0, 300));
  const size = JSON.stringify(answer.structuredContent).length + (answer.content[0]?.text.length ?? 0);
  assert.ok(size <= 80_000 && size > 60_000, `${size} characters with limit ${limit}`);
  const rest = await pharlo.rest('GET', '/assignments?limit=100');
  assert.equal((rest.body.items as unknown[]).length, 100);
});
