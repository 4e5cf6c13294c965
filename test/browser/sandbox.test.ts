import assert from 'node:assert/strict';
import { randomBytes, randomUUID } from 'node:crypto';
import { once } from 'node:events';
import { mkdtemp, rm } from 'node:fs/promises';
import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { test } from 'node:test';
import { getRequestListener } from '@hono/node-server';
import { createSandbox, SAMPLE_PATH } from '../../src/sandbox/index.ts';
import { launchBrowser } from '../browser.ts';

const scopes = ['youtube.upload', 'youtube.readonly'].map((name) => `https://www.googleapis.com/auth/${name}`);

/** The sandbox on one loopback port and a client that only notes the address it is called back on, on another. */
async function startServers() {
  const folder = await mkdtemp(join(tmpdir(), 'pharlo-sandbox-'));
  const clock = { now: Date.UTC(2030, 0, 1) };
  let fetch: (request: Request) => Response | Promise<Response> = () => new Response(null, { status: 503 });
  const servers = [
    createServer(getRequestListener((request) => fetch(request))),
    createServer((_request, response) => response.end('back at the client')),
  ];
  const [origin = '', client = ''] = await Promise.all(
    servers.map(async (server) => {
      await once(server.listen(0, '127.0.0.1'), 'listening');
      return `http://127.0.0.1:${(server.address() as AddressInfo).port}`;
    }),
  );
  const random = (bytes: number) => new Uint8Array(randomBytes(bytes));
  const sandbox = createSandbox({ origin, dataDir: folder, now: () => clock.now, random, processingMs: 1000 });
  fetch = sandbox.fetch;
  return {
    origin,
    client,
    clock,
    async [Symbol.asyncDispose]() {
      for (const server of servers) {
        server.close();
        server.closeAllConnections();
      }
      sandbox.dispose();
      await rm(folder, { recursive: true, force: true });
    },
  };
}

async function uploadSample(origin: string, accessToken: string): Promise<string> {
  const begun = await fetch(`${origin}/youtube/upload/youtube/v3/videos?uploadType=resumable&part=snippet,status`, {
    method: 'POST',
    headers: { Authorization: `Bearer ${accessToken}`, 'Content-Type': 'application/json' },
    body: JSON.stringify({
      snippet: {
        title: 'A morning at the harbour, seen from the very end of the pier',
        description: 'Line one\nLine two & more',
        tags: ['sea', 'morning light'],
      },
      status: { privacyStatus: 'unlisted' },
    }),
  });
  const sample = await (await fetch(`${origin}${SAMPLE_PATH}`)).bytes();
  const done = await fetch(begun.headers.get('Location') ?? '', { method: 'PUT', body: sample });
  assert.equal(done.status, 200);
  return ((await done.json()) as { id: string }).id;
}

test('a person consents without JavaScript, and the published video plays', async () => {
  await using servers = await startServers();
  await using chrome = await launchBrowser();
  const { origin, client, clock } = servers;
  const clientId = `pharlo-sandbox.${randomUUID()}`;
  const redirectUri = `${client}/callback`;
  const query = new URLSearchParams({
    response_type: 'code',
    client_id: clientId,
    redirect_uri: redirectUri,
    scope: scopes.join(' '),
    state: 'here',
    access_type: 'offline',
  });
  const consentUrl = `${origin}/youtube/o/oauth2/v2/auth?${query}`;

  const plain = await chrome.browser.newContext({ javaScriptEnabled: false, viewport: { width: 360, height: 740 } });
  const consent = await plain.newPage();
  await consent.goto(consentUrl);
  const root = consent.locator('html');
  assert.ok(Number(await root.evaluate((html) => html.scrollWidth)) <= 360, 'fits 360 px');
  await consent.getByLabel('Second Sandbox Channel').check();
  await consent.getByLabel('See this channel').uncheck();
  await consent.getByLabel('See this channel').check();
  await consent.getByRole('button', { name: 'Allow' }).click();
  await consent.waitForURL(`${redirectUri}?**`);
  const answer = new URL(consent.url()).searchParams;
  assert.equal(answer.get('state'), 'here');

  const token = await fetch(`${origin}/youtube/token`, {
    method: 'POST',
    body: new URLSearchParams({
      grant_type: 'authorization_code',
      code: answer.get('code') ?? '',
      client_id: clientId,
      client_secret: 'sandbox',
      redirect_uri: redirectUri,
    }),
  });
  const { access_token: accessToken } = (await token.json()) as { access_token: string };
  const id = await uploadSample(origin, accessToken);

  const page = await chrome.browser.newPage();
  const complaints: string[] = [];
  page.on('console', (message) => message.type() === 'error' && complaints.push(message.text()));
  await page.goto(`${origin}/youtube/watch?v=${id}`);
  await page.getByText('Processing', { exact: true }).waitFor();
  clock.now += 1000;
  await page.locator('video').waitFor();
  const played = await page.locator('video').evaluate(async (element) => {
    const video = element as unknown as {
      muted: boolean;
      play(): Promise<void>;
      currentTime: number;
      videoWidth: number;
      addEventListener(type: string, listener: () => void): void;
    };
    video.muted = true;
    await video.play();
    await new Promise<void>((resolve) => {
      video.addEventListener('timeupdate', () => video.currentTime > 0 && resolve());
    });
    return { time: video.currentTime, width: video.videoWidth };
  });
  assert.ok(played.time > 0);
  assert.equal(played.width, 640);
  await page.getByRole('link', { name: 'Second Sandbox Channel' }).click();
  await page.getByText('1 video').waitFor();
  assert.deepEqual(complaints, [], 'the policy blocks nothing the pages need');
});
