import assert from 'node:assert/strict';
import { mkdir } from 'node:fs/promises';
import { join } from 'node:path';
import { env } from 'node:process';
import { test } from 'node:test';
import axe, { type AxeResults } from 'axe-core';
import type { Page } from 'playwright-core';
import { launchBrowser } from '../browser.ts';
import { startHarness } from '../harness.ts';
import { createScenes, type Scene } from './scenes.ts';

const widths = [360, 1280];
const colorSchemes = ['light', 'dark'] as const;
const height = 800;
/** Grows with every page that is added; a scene that gets lost is noticed. */
const sceneCount = 24;

/** Opens the page in that state and waits until it says what it is. */
async function enter(page: Page, { heading, open }: Scene): Promise<void> {
  await open(page);
  await page.getByRole('heading', { level: 1, name: heading, exact: true }).waitFor();
}

async function violationsOf(page: Page): Promise<string[]> {
  const { violations, passes } = (await page.evaluate('axe.run()')) as AxeResults;
  if (passes.length === 0) throw new Error('axe has checked nothing.');
  return violations.flatMap(({ id, nodes }) => nodes.map(({ html }) => `${id}: ${html}`));
}

/** Elements whose content does not fit into them or into the window, the scrolling of text fields aside. */
async function cutOf(page: Page): Promise<string[]> {
  return (await page.evaluate(`[...document.querySelectorAll('html, body, body *:not(input)')]
    .filter((element) => element.clientWidth > 0 && element.scrollWidth > element.clientWidth)
    .map(({ tagName, className, scrollWidth }) => 'cut: ' + tagName + '.' + className + ' needs ' + scrollWidth)`)) as string[];
}

/** Leaves a picture for the eye when PHARLO_SCREENSHOTS names a folder. */
async function picture(page: Page, shape: string): Promise<void> {
  const folder = env.PHARLO_SCREENSHOTS;
  if (!folder) return;
  await mkdir(folder, { recursive: true });
  await page.screenshot({ path: join(folder, `${shape.replaceAll(' ', '-')}.png`), fullPage: true });
}

test('every page in four shapes: accessible, nothing cut, also with text twice as large', async () => {
  await using pharlo = await startHarness();
  await using chrome = await launchBrowser();
  const found: string[] = [];
  let shapes = 0;
  for (const scene of createScenes(pharlo)) {
    // Our policy allows no script; axe is one.
    await using context = await chrome.browser.newContext({ bypassCSP: true });
    const page = await context.newPage();
    await enter(page, scene);
    await page.evaluate(axe.source);
    for (const width of widths) {
      await page.setViewportSize({ width, height });
      for (const colorScheme of colorSchemes) {
        const shape = `${scene.name} ${width} ${colorScheme}`;
        await page.emulateMedia({ colorScheme });
        await picture(page, shape);
        const complaints = [...(await violationsOf(page)), ...(await cutOf(page))];
        found.push(...complaints.map((text) => `${shape}: ${text}`));
        shapes += 1;
      }
    }
    await page.addStyleTag({ content: 'html { font-size: 200% }' });
    for (const width of widths) {
      await page.setViewportSize({ width, height });
      await picture(page, `${scene.name} ${width} 200%`);
      found.push(...(await cutOf(page)).map((text) => `${scene.name} ${width} 200 %: ${text}`));
    }
  }
  assert.deepEqual(found, []);
  assert.equal(shapes, sceneCount * 4);
});

/** What has the focus: its place among all that can have it, and whether that is seen. */
const focused = `(() => {
  const stops = [...document.querySelectorAll('a[href], button, input:not([type=hidden])')];
  const { outlineStyle, outlineWidth } = getComputedStyle(document.activeElement);
  return { count: stops.length, at: stops.indexOf(document.activeElement), seen: outlineStyle === 'solid' && outlineWidth === '3px' };
})()`;

test('every page without scripts: the Tab key goes through all of it in order, and the focus is seen', async () => {
  await using pharlo = await startHarness();
  await using chrome = await launchBrowser();
  let stops = 0;
  for (const scene of createScenes(pharlo)) {
    await using context = await chrome.browser.newContext({
      javaScriptEnabled: false,
      viewport: { width: 360, height },
    });
    const page = await context.newPage();
    await enter(page, scene);
    const { count } = (await page.evaluate(focused)) as { count: number };
    for (let at = 0; at < count; at += 1) {
      await page.keyboard.press('Tab');
      assert.deepEqual(await page.evaluate(focused), { count, at, seen: true }, `${scene.name}, stop ${at}`);
      stops += 1;
    }
  }
  assert.ok(stops > sceneCount, 'there was something to go through');
});
