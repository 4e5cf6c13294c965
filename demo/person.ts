import type { Browser, Page } from 'playwright-core';

/** What a person does in the browser along the main road. */

/** Looks at the consent page, pastes the key and agrees. */
export async function consentWithKey(browser: Browser, url: string, key: string): Promise<void> {
  await using tab = await openTab(browser, url);
  await tab.page.getByLabel(/key/i).fill(key);
  await tab.page.getByRole('button', { name: 'Authorize' }).click();
  await tab.page.getByText('You can go back to the agent.').waitFor();
}

/** Follows a connect link: our page, the platform's consent, back again. */
export async function connectChannel(browser: Browser, url: string): Promise<void> {
  await using tab = await openTab(browser, url);
  await tab.page.getByRole('button', { name: 'Continue' }).click();
  await tab.page.getByRole('button', { name: 'Allow' }).click();
  await tab.page.getByRole('heading', { name: 'Connected' }).waitFor();
}

/** Opens the post and plays its video; answers how far it played, in seconds. */
export async function watchVideo(browser: Browser, url: string): Promise<number> {
  await using tab = await openTab(browser, url);
  const video = tab.page.locator('video');
  await video.waitFor();
  return await video.evaluate(async (element: unknown) => {
    const player = element as { muted: boolean; currentTime: number; play(): Promise<void>; addEventListener: Listen };
    player.muted = true;
    const moved = new Promise<void>((done) => {
      player.addEventListener('timeupdate', () => player.currentTime > 0.2 && done());
    });
    await player.play();
    await moved;
    return player.currentTime;
  });
}

type Listen = (name: string, listener: () => void) => void;

async function openTab(browser: Browser, url: string): Promise<AsyncDisposable & { page: Page }> {
  const page = await browser.newPage();
  await page.goto(url);
  return { page, [Symbol.asyncDispose]: () => page.close() };
}
