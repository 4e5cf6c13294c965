import type { ClientOptions } from '@modelcontextprotocol/client';
import type { Browser } from 'playwright-core';
import { connectAgent } from './agent.ts';
import { connectChannel, consentWithKey, watchVideo } from './person.ts';

export type Journey = {
  mcpUrl: string;
  sandboxUrl: string;
  /** The ds_live_ key the person pastes. */
  key: string;
  browser: Browser;
  /** Hears of each step. */
  tell: (step: string) => void;
  /** Resolves when it is time to ask again. */
  pause: () => Promise<void>;
  client?: ClientOptions;
  title: string;
};

export type JourneyEnd = {
  assignment: Record<string, unknown>;
  platformUrl: string;
  playedSeconds: number;
  tools: string[];
};

/** The main road: an agent connects, its person consents and connects a channel, and a real video is published. */
export async function travel({
  browser,
  key,
  mcpUrl,
  sandboxUrl,
  tell,
  pause,
  client,
  title,
}: Journey): Promise<JourneyEnd> {
  tell(`Connecting the agent to ${mcpUrl}: it registers and sends its person to the consent page`);
  await using agent = await connectAgent(mcpUrl, (url) => consentWithKey(browser, url, key), client);
  const { tools } = await agent.client.listTools();
  tell(`Connected with a key pasted on the consent page; ${tools.length} tools are offered`);

  const { items: platforms } = await agent.call('list_platforms', {});
  tell(
    `Platforms: ${(platforms as { slug: string; status: string }[]).map((p) => `${p.slug} (${p.status})`).join(', ')}`,
  );

  const ticket = await agent.call('get_oauth_connect_url', { platform: 'youtube' });
  tell('Connecting a channel: the person opens the link, continues and allows');
  await connectChannel(browser, String(ticket.url));
  const { status, connectionIds } = await agent.call('check_oauth_status', { ticketId: ticket.ticketId });
  const [connectionId] = connectionIds as string[];
  tell(`Channel connected (${status}): ${connectionId}`);

  const created = await agent.call('create_assignment', {
    connectionId,
    type: 'video',
    payload: { title, privacy: 'public' },
    mediaUrl: `${sandboxUrl}/sample.mp4`,
    idempotencyKey: title,
  });
  tell(`Assignment ${created.id} accepted: ${created.status}`);

  let assignment = created;
  while (!['published', 'failed', 'cancelled'].includes(String(assignment.status))) {
    await pause();
    const now = await agent.call('get_assignment', { assignmentId: created.id });
    if (now.status !== assignment.status) tell(`  … ${now.status}`);
    assignment = now;
  }
  if (assignment.status !== 'published') throw new Error(`The assignment ended ${JSON.stringify(assignment.errors)}`);
  const platformUrl = String(assignment.platformUrl);
  const playedSeconds = await watchVideo(browser, platformUrl);
  tell(`The video plays in a browser (${playedSeconds.toFixed(1)} s seen): ${platformUrl}`);
  return { assignment, platformUrl, playedSeconds, tools: tools.map(({ name }) => name) };
}
