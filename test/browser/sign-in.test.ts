import assert from 'node:assert/strict';
import { once } from 'node:events';
import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import { type TestContext, test } from 'node:test';
import type { BrowserContext, CDPSession, Page } from 'playwright-core';
import { launchBrowser } from '../browser.ts';
import { type Harness, startHarness } from '../harness.ts';
import { callTool } from '../mcp-client.ts';
import { type AuthorizationRequest, openRequest, register } from './client.ts';

/** A kind of client as a person meets it. */
type Kind = {
  name: string;
  clientId(pharlo: Harness, t: TestContext, redirectUri: string): Promise<string>;
  redirectUri: string | 'loopback';
  /** What the page tells of where the access goes. */
  sentTo: RegExp;
  warned: boolean;
};

const documentUrl = 'https://agent.example/oauth/client.json';

const registered =
  (name: string): Kind['clientId'] =>
  (pharlo, _t, redirectUri) =>
    register(pharlo, name, redirectUri);

/** The client's document is what the internet has at that address. */
const documented: Kind['clientId'] = async (pharlo, t, redirectUri) => {
  const document = { client_id: documentUrl, client_name: 'Agent', redirect_uris: [redirectUri] };
  t.mock.method(pharlo.app.deps.outgoing, 'document', async (url: string) => {
    assert.equal(url, documentUrl);
    const headers = new Headers({ 'content-type': 'application/json' });
    return { status: 200, headers, body: new TextEncoder().encode(JSON.stringify(document)) };
  });
  return documentUrl;
};

const kinds: Kind[] = [
  {
    name: 'Claude',
    clientId: registered('Claude'),
    redirectUri: 'https://claude.ai/api/mcp/auth_callback',
    sentTo: /^claude\.ai$/,
    warned: false,
  },
  {
    name: 'Claude Code',
    clientId: registered('Claude Code'),
    redirectUri: 'loopback',
    sentTo: /^this computer \(127\.0\.0\.1:\d+\)$/,
    warned: true,
  },
  {
    name: 'Cursor',
    clientId: registered('Cursor'),
    redirectUri: 'cursor://anysphere.cursor-mcp/oauth/callback',
    sentTo: /^this computer \(cursor:\)$/,
    warned: true,
  },
  {
    name: 'Agent',
    clientId: documented,
    redirectUri: 'https://agent.example/callback',
    sentTo: /^agent\.example$/,
    warned: false,
  },
];

/** A client's callback on a port that the system chose. */
async function listenForCallback(): Promise<AsyncDisposable & { url: string; requests: string[] }> {
  const requests: string[] = [];
  const server = createServer((request, response) => {
    requests.push(request.url ?? '');
    response.end('back');
  });
  await once(server.listen(0, '127.0.0.1'), 'listening');
  const url = `http://127.0.0.1:${(server.address() as AddressInfo).port}/callback`;
  return {
    url,
    requests,
    async [Symbol.asyncDispose]() {
      server.closeAllConnections();
      server.close();
      await once(server, 'close');
    },
  };
}

/** Goes on with the Tab key to the element that `css` names. */
async function tabTo(page: Page, css: string): Promise<void> {
  const arrived = `document.activeElement.matches(${JSON.stringify(css)})`;
  for (let presses = 0; presses < 20; presses += 1) {
    await page.keyboard.press('Tab');
    if (await page.evaluate(arrived)) return;
  }
  throw new Error(`The Tab key does not lead to ${css}.`);
}

type Tab = { page: Page; wire: CDPSession };

/**
 * A tab for which every https site is a page that says so: nothing leaves the machine. Playwright's own routes do not see
 * what a redirect leads to.
 */
async function openTab(context: BrowserContext): Promise<Tab> {
  const page = await context.newPage();
  const wire = await context.newCDPSession(page);
  await wire.send('Network.enable');
  await wire.send('Fetch.enable', { patterns: [{ urlPattern: 'https://*' }] });
  const body = Buffer.from('back in the app').toString('base64');
  wire.on('Fetch.requestPaused', ({ requestId }) =>
    wire.send('Fetch.fulfillRequest', { requestId, responseCode: 200, body }),
  );
  return { page, wire };
}

/** Decides with the keys alone; answers where the browser is sent. An address of an app leaves the browser, and the page stays. */
async function decide(tab: Tab, { key }: Harness, decision: 'authorize' | 'deny'): Promise<string> {
  const { page, wire } = tab;
  if (decision === 'authorize') {
    await tabTo(page, '#key');
    await page.keyboard.type(key);
  } else {
    await tabTo(page, '[value=deny]');
  }
  const { promise, resolve } = Promise.withResolvers<string>();
  wire.on('Network.responseReceivedExtraInfo', ({ statusCode, headers }) => {
    const location = headers.Location ?? headers.location;
    if (statusCode === 302 && location) resolve(location);
  });
  await page.keyboard.press('Enter');
  const location = await promise;
  if (location.startsWith('http')) await page.waitForURL(location);
  return location;
}

for (const kind of kinds) {
  test(`${kind.name}: a person denies, then allows, with the keyboard and without scripts; the token opens a tool`, async (t) => {
    await using pharlo = await startHarness();
    await using callback = await listenForCallback();
    await using chrome = await launchBrowser();
    const loopback = kind.redirectUri === 'loopback';
    const redirectUri = loopback ? callback.url : kind.redirectUri;
    // Registered without the port, which is chosen at each start (RFC 8252 §7.3).
    const clientId = await kind.clientId(pharlo, t, redirectUri.replace(/(127\.0\.0\.1):\d+/, '$1'));
    const viewport = { width: 360, height: 740 };
    const context = await chrome.browser.newContext({ javaScriptEnabled: false, viewport });
    const tab = await openTab(context);
    const { page } = tab;
    const complaints: string[] = [];
    page.on('console', (message) => complaints.push(message.text()));
    const open = async (): Promise<AuthorizationRequest> => {
      const request = openRequest(pharlo, clientId, redirectUri);
      await page.goto(request.url);
      await page.getByRole('heading', { level: 1, name: `Connect ${kind.name} to Pharlo?`, exact: true }).waitFor();
      return request;
    };

    await open();
    const sentTo = page.locator('dt', { hasText: 'Access is sent to' }).locator('xpath=following-sibling::dd');
    assert.match((await sentTo.textContent()) ?? '', kind.sentTo);
    assert.equal(await page.getByText('Did you just start this yourself?').isVisible(), kind.warned);
    assert.equal(await page.getByText('any program on this computer can claim this name').count(), kind.warned ? 1 : 0);
    const publisher = page.getByText('Published by');
    assert.equal(await publisher.count(), clientId === documentUrl ? 1 : 0);
    const denied = new URL(await decide(tab, pharlo, 'deny')).searchParams;
    assert.equal(denied.get('error'), 'access_denied');
    assert.equal(denied.get('code'), null);

    const request = await open();
    const answer = await decide(tab, pharlo, 'authorize');
    assert.ok(answer.startsWith(`${redirectUri}?`));
    const { access_token, scope } = await request.exchange(answer);
    assert.equal(scope.split(' ').length, 7);
    const { structuredContent } = await callTool(pharlo, access_token, 'list_platforms', {});
    assert.ok(structuredContent?.items);
    assert.equal(callback.requests.length > 0, loopback, 'the loopback client was really called');
    const refused = complaints.filter((text) => /Content Security Policy|Refused/.test(text));
    assert.deepEqual(refused, [], 'the policy lets the form lead back to the client');
  });
}
