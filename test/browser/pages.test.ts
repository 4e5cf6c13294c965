import assert from 'node:assert/strict';
import { mkdir } from 'node:fs/promises';
import { join } from 'node:path';
import { env } from 'node:process';
import { after, before, test } from 'node:test';
import axe, { type AxeResults } from 'axe-core';
import type { Browser, BrowserContextOptions, Page } from 'playwright-core';
import { launchBrowser } from '../browser.ts';
import { type Harness, startHarness } from '../harness.ts';
import { type Scene, scenes } from './scenes.ts';

const widths = [360, 1280];
const colorSchemes = ['light', 'dark'] as const;
const height = 800;
/** Grows with every page that is added; a scene that gets lost is noticed. */
const sceneCount = 24;

const stack = new AsyncDisposableStack();
let pharlo: Harness;
let browser: Browser;

before(async () => {
  pharlo = stack.use(await startHarness());
  ({ browser } = stack.use(await launchBrowser()));
});

after(() => stack.disposeAsync());

/** A page in the state of the scene, once it says what it is. */
async function enter(
  { heading, open }: Scene,
  options: BrowserContextOptions,
): Promise<AsyncDisposable & { page: Page }> {
  const context = await browser.newContext(options);
  const page = await context.newPage();
  await open(page, pharlo);
  await page.getByRole('heading', { level: 1, name: heading, exact: true }).waitFor();
  return { page, [Symbol.asyncDispose]: () => context.close() };
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

/** What has the focus: its place among all that can have it, and whether that is seen. */
const focused = `(() => {
  const stops = [...document.querySelectorAll('a[href], button, input:not([type=hidden])')];
  const { outlineStyle, outlineWidth } = getComputedStyle(document.activeElement);
  return { count: stops.length, at: stops.indexOf(document.activeElement), seen: outlineStyle === 'solid' && outlineWidth === '3px' };
})()`;

/** What is wrong with the page in four shapes, and with text twice as large; with how many it was looked at. */
async function look(scene: Scene): Promise<{ complaints: string[]; shapes: number }> {
  // Our policy allows no script; axe is one.
  await using entered = await enter(scene, { bypassCSP: true });
  const { page } = entered;
  await page.evaluate(axe.source);
  const complaints: string[] = [];
  let shapes = 0;
  for (const width of widths) {
    await page.setViewportSize({ width, height });
    for (const colorScheme of colorSchemes) {
      const shape = `${width} ${colorScheme}`;
      await page.emulateMedia({ colorScheme });
      await picture(page, `${scene.name} ${shape}`);
      const found = [...(await violationsOf(page)), ...(await cutOf(page))];
      complaints.push(...found.map((text) => `${shape}: ${text}`));
      shapes += 1;
    }
  }
  await page.addStyleTag({ content: 'html { font-size: 200% }' });
  for (const width of widths) {
    await page.setViewportSize({ width, height });
    await picture(page, `${scene.name} ${width} 200%`);
    complaints.push(...(await cutOf(page)).map((text) => `${width}, text at 200 %: ${text}`));
  }
  return { complaints, shapes };
}

let looks = 0;

for (const scene of scenes) {
  test(`${scene.name}: accessible in four shapes, nothing cut, also with text twice as large`, async () => {
    const { complaints, shapes } = await look(scene);
    assert.deepEqual(complaints, []);
    looks += shapes;
  });

  test(`${scene.name}: without scripts the Tab key goes through all of it in order, and the focus is seen`, async () => {
    await using entered = await enter(scene, { javaScriptEnabled: false, viewport: { width: 360, height } });
    const { page } = entered;
    const { count } = (await page.evaluate(focused)) as { count: number };
    for (let at = 0; at < count; at += 1) {
      await page.keyboard.press('Tab');
      assert.deepEqual(await page.evaluate(focused), { count, at, seen: true });
    }
  });
}

test('every page was looked at in every shape', () => {
  assert.equal(looks, sceneCount * widths.length * colorSchemes.length);
});
