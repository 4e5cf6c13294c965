import assert from 'node:assert/strict';
import { test } from 'node:test';
import { travel } from '../../demo/journey.ts';
import { launchBrowser } from '../browser.ts';
import { startHarness } from '../harness.ts';

/** Asks again as soon as the event loop is free: the claim loop, not a wait, decides how long it takes. */
const pause = () => new Promise<void>((done) => setImmediate(done));

test('an agent connects, its person consents and connects a channel, and a real video is published', async () => {
  await using pharlo = await startHarness({ work: true });
  await using opened = await launchBrowser();
  for (const mode of ['legacy', 'auto'] as const) {
    const { key, url, sandboxUrl } = pharlo;
    const end = await travel({
      mcpUrl: `${url}/_mcp`,
      sandboxUrl,
      key,
      browser: opened.browser,
      tell: () => {},
      pause,
      client: { versionNegotiation: { mode } },
      title: `A video by a ${mode} client`,
    });
    assert.equal(end.assignment.status, 'published');
    assert.ok(end.playedSeconds > 0.2);
    assert.ok(end.tools.includes('create_assignment'));
  }
  const videos = await fetch(`${pharlo.sandboxUrl}/youtube/_videos?client_id=pharlo-sandbox.${pharlo.workspaceId}`);
  const { items } = (await videos.json()) as { items: { title: string }[] };
  assert.deepEqual(items.map(({ title }) => title).sort(), ['A video by a auto client', 'A video by a legacy client']);
});
