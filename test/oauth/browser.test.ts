import assert from 'node:assert/strict';
import { createServer as createHttpServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import { test } from 'node:test';
import { getRequestListener } from '@hono/node-server';
import { launchBrowser } from '../browser.ts';
import { codeChallenge, createServer } from './server.ts';

/** Listens first, since the issuer has to know its port. */
async function serve() {
  let handle: (request: Request) => Response | Promise<Response> = () => new Response(null, { status: 503 });
  const http = createHttpServer(getRequestListener((request) => handle(request)));
  await new Promise<void>((resolve) => http.listen(0, '127.0.0.1', resolve));
  const { port } = http.address() as AddressInfo;
  return {
    origin: `http://localhost:${port}`,
    handleWith(next: typeof handle) {
      handle = next;
    },
    async [Symbol.asyncDispose]() {
      http.closeAllConnections();
      await new Promise((resolve) => http.close(resolve));
    },
  };
}

test('a real browser: two tabs, wrong key, denial and success without scripts, on a phone', async () => {
  await using http = await serve();
  await using client = await serve();
  await using server = await createServer({ publicUrl: http.origin });
  http.handleWith((request) => server.fetch(request.url, request as RequestInit));
  client.handleWith(() => new Response('back in the app'));
  const { key } = await server.addKey();
  const redirect_uri = `${client.origin}/cb`;
  const { client_id } = await server.register({ redirect_uris: [redirect_uri] });
  const parameters = { client_id, redirect_uri, response_type: 'code', state: 's', scope: 'mcp.write' };
  const query = new URLSearchParams({ ...parameters, code_challenge: codeChallenge, code_challenge_method: 'S256' });

  await using launched = await launchBrowser();
  const viewport = { width: 360, height: 740 };
  const context = await launched.browser.newContext({ javaScriptEnabled: false, viewport });
  const complaints: string[] = [];
  const open = async () => {
    const page = await context.newPage();
    page.on('console', (message) => {
      if (!message.text().includes('favicon')) complaints.push(message.text());
    });
    await page.goto(`${http.origin}/oauth/mcp/authorize?${query}`);
    return page;
  };
  const [first, second] = [await open(), await open()];
  assert.equal(await first.getByRole('checkbox', { checked: true }).count(), 7);
  const width = await first.locator('main').evaluate((element) => element.ownerDocument.documentElement.scrollWidth);
  assert.equal(width, 360, 'nothing is cut off');
  assert.equal(
    await first
      .locator('main')
      .evaluate((element) => element.ownerDocument.defaultView?.getComputedStyle(element).borderRadius),
    '16px',
  );

  await first.getByLabel('Your Pharlo key').fill('wrong');
  await first.getByRole('button', { name: 'Authorize' }).click();
  assert.match((await first.getByRole('alert').textContent()) ?? '', /This key cannot be used/);
  await first.getByRole('checkbox', { name: 'webhooks:read' }).uncheck();
  await first.getByLabel('Your Pharlo key').fill(key);
  await first.getByLabel('Your Pharlo key').press('Enter');
  await first.waitForURL(`${redirect_uri}?*`);
  const answer = new URL(first.url()).searchParams;
  const code = answer.get('code') ?? '';
  assert.deepEqual([answer.get('state'), answer.get('iss')], ['s', http.origin]);
  const tokens = await server.exchange(client_id, code, { redirect_uri });
  assert.ok(!((await tokens.json()) as { scope: string }).scope.includes('webhooks:read'));

  await second.getByRole('button', { name: 'Deny' }).click();
  await second.waitForURL(`${redirect_uri}?*`);
  assert.equal(new URL(second.url()).searchParams.get('error'), 'access_denied');
  assert.deepEqual(
    complaints.filter((text) => /Content Security Policy|Refused/.test(text)),
    [],
  );
});
