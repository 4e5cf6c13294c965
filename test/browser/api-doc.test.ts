import assert from 'node:assert/strict';
import { mkdir } from 'node:fs/promises';
import { join } from 'node:path';
import { env } from 'node:process';
import { test } from 'node:test';
import axe, { type AxeResults } from 'axe-core';
import type { Page } from 'playwright-core';
import { operations } from '../../src/operations/index.ts';
import { launchBrowser } from '../browser.ts';
import { connectChannel } from '../channel.ts';
import { startHarness } from '../harness.ts';

const calls = operations.filter(({ rest }) => rest);
const openAll = "document.querySelectorAll('details').forEach((one) => { one.open = true; })";

/** Elements whose content does not fit into them, text fields aside. */
const cut = `[...document.querySelectorAll('html, body, body *:not(input, textarea, select)')]
  .filter((element) => element.clientWidth > 0 && element.scrollWidth > element.clientWidth)
  .map(({ tagName, className, scrollWidth }) => tagName + '.' + className + ' needs ' + scrollWidth)`;

async function picture(page: Page, name: string): Promise<void> {
  const folder = env.PHARLO_SCREENSHOTS;
  if (!folder) return;
  await mkdir(folder, { recursive: true });
  await page.screenshot({ path: join(folder, `api-doc-${name}.png`), fullPage: true });
}

/** What the browser says against the page, and every address it asked. */
function watch(page: Page): { complaints: string[]; origins: Set<string> } {
  const seen = { complaints: [] as string[], origins: new Set<string>() };
  page.on('console', (message) => seen.complaints.push(message.text()));
  page.on('pageerror', (error) => seen.complaints.push(error.message));
  page.on('request', (request) => seen.origins.add(new URL(request.url()).origin));
  return seen;
}

test('the reference is accessible and nothing is cut, closed and open, narrow and wide, light and dark', async () => {
  await using pharlo = await startHarness();
  await using chrome = await launchBrowser();
  // Our policy allows no foreign script; axe is one.
  await using context = await chrome.browser.newContext({ bypassCSP: true });
  const page = await context.newPage();
  await page.goto(`${pharlo.url}/api/doc`);
  assert.equal(await page.locator('.call').count(), calls.length);
  await page.evaluate(axe.source);
  const found: string[] = [];
  const look = async (state: string, width: number, colorScheme: 'light' | 'dark') => {
    await page.setViewportSize({ width, height: 800 });
    await page.emulateMedia({ colorScheme });
    const shape = `${state} ${width} ${colorScheme}`;
    await picture(page, shape.replaceAll(' ', '-'));
    const { violations, passes } = (await page.evaluate("axe.run({ resultTypes: ['violations'] })")) as AxeResults;
    assert.ok(passes.length > 0, 'axe has checked something');
    found.push(...violations.flatMap(({ id, nodes }) => nodes.map(({ html }) => `${shape} ${id}: ${html}`)));
    found.push(...((await page.evaluate(cut)) as string[]).map((text) => `${shape}: ${text}`));
  };
  await look('closed', 360, 'light');
  await look('closed', 1280, 'dark');
  await page.evaluate(openAll);
  await look('open', 360, 'dark');
  await look('open', 1280, 'light');
  await page.addStyleTag({ content: 'html { font-size: 200% }' });
  await page.setViewportSize({ width: 360, height: 800 });
  found.push(...((await page.evaluate(cut)) as string[]).map((text) => `200 %: ${text}`));
  assert.deepEqual(found, []);
});

test('a call is found and tried with the keyboard alone, under the page’s own policy', async () => {
  await using pharlo = await startHarness();
  await using chrome = await launchBrowser();
  await using context = await chrome.browser.newContext({ viewport: { width: 360, height: 800 } });
  const page = await context.newPage();
  const seen = watch(page);
  const response = await page.goto(`${pharlo.url}/api/doc`);
  const policy = response?.headers()['content-security-policy'] ?? '';
  assert.match(policy, /^default-src 'none'; script-src 'self'; style-src 'self'/);
  assert.doesNotMatch(policy, /unsafe|https?:|\*/);

  await page.getByLabel('Find a call').focus();
  await page.keyboard.type('get platforms');
  await page.getByText('2 calls', { exact: true }).waitFor();
  await page.keyboard.press('Tab');
  await page.keyboard.press('Enter');
  const form = page.getByRole('form', { name: 'Try List platforms' });
  await form.waitFor();
  const send = form.getByRole('button', { name: 'Send' });
  await send.focus();
  await page.keyboard.press('Enter');
  await form.getByText('Give your key first.').waitFor();
  assert.equal(await page.evaluate('document.activeElement.id'), 'key');

  await page.keyboard.type(pharlo.key);
  await send.focus();
  await page.keyboard.press('Enter');
  await form.getByText('200 OK').waitFor();
  await form.getByText('x-credits-used: 0').waitFor();
  await form.getByText('"slug": "youtube"').waitFor();
  await picture(page, 'tried');
  assert.deepEqual(seen, { complaints: [], origins: new Set([pharlo.url]) });
});

test('a dry run is sent as it is filled in; what cannot be sent is said at its field', async () => {
  await using pharlo = await startHarness();
  await using chrome = await launchBrowser();
  const connectionId = await connectChannel(pharlo);
  await using context = await chrome.browser.newContext();
  const page = await context.newPage();
  await page.goto(`${pharlo.url}/api/doc#create_assignment`);
  const form = page.getByRole('form', { name: 'Try Create assignment' });
  const body = form.getByLabel('Body');
  const given = JSON.parse(await body.inputValue());
  assert.equal(given.dryRun, true, 'trying it publishes nothing');

  await page.getByLabel('Your key').fill(pharlo.key);
  await body.fill('{');
  await form.getByRole('button', { name: 'Send' }).click();
  await form.getByText('The body is not JSON.').waitFor();
  assert.equal(await body.getAttribute('aria-invalid'), 'true');

  await body.fill(JSON.stringify({ ...given, connectionId: 'x' }));
  await form.getByRole('button', { name: 'Send' }).click();
  await form.getByText('400 Bad Request').waitFor();
  await form.getByText('must be a UUID').waitFor();

  const mediaUrl = `${pharlo.sandboxUrl}/sample.mp4`;
  await body.fill(JSON.stringify({ ...given, connectionId, mediaUrl }));
  await form.getByRole('button', { name: 'Send' }).click();
  await form.getByText('200 OK').waitFor();
  await form.getByRole('status').getByText('"dryRun": true').waitFor();
  const { total } = (await pharlo.rest('GET', '/assignments')).body;
  assert.equal(total, 0);

  await page.goto(`${pharlo.url}/api/doc#get_assignment`);
  await page.getByLabel('Your key').fill(pharlo.key);
  const other = page.getByRole('form', { name: 'Try Get assignment' });
  await other.getByLabel('assignmentId').fill('../platforms');
  await other.getByRole('button', { name: 'Send' }).click();
  await other.getByText('400 Bad Request').waitFor();
});

test('without scripts everything can be read, and no form pretends to work', async () => {
  await using pharlo = await startHarness();
  await using chrome = await launchBrowser();
  await using context = await chrome.browser.newContext({ javaScriptEnabled: false });
  const page = await context.newPage();
  await page.goto(`${pharlo.url}/api/doc`);
  await page.locator('#list_platforms > summary').click();
  await page.locator('#list_platforms').getByText('"slug": "youtube"').waitFor();
  assert.equal(await page.getByRole('button').count(), 0);
  assert.equal(await page.getByRole('textbox').count(), 0);
});
