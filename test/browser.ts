import { execFile } from 'node:child_process';
import { existsSync } from 'node:fs';
import { mkdir, mkdtemp, readFile, rename, rm, writeFile } from 'node:fs/promises';
import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { promisify } from 'node:util';
import { type Browser, chromium } from 'playwright-core';

const repository = join(dirname(fileURLToPath(import.meta.url)), '..');
const packageFolder = join(repository, 'node_modules/@sparticuz/chromium');

/** The package writes below TMPDIR and takes whatever it finds there as its own, so it unpacks in a process with an empty one. */
async function unpack(folder: string): Promise<void> {
  const script = "const { default: chromium } = await import('@sparticuz/chromium'); await chromium.executablePath();";
  await promisify(execFile)(process.execPath, ['--input-type=module', '-e', script], {
    cwd: repository,
    env: { ...process.env, TMPDIR: folder, AWS_LAMBDA_JS_RUNTIME: 'nodejs22.x' },
  });
}

/** Unpacks once per package version; the rename is atomic, so files that start at once cannot spoil each other's copy. */
async function chromiumFolder(): Promise<string> {
  const { version } = JSON.parse(await readFile(join(packageFolder, 'package.json'), 'utf8')) as { version: string };
  const cache = join(repository, 'node_modules/.cache/pharlo');
  const folder = join(cache, `chromium-${version}`);
  if (existsSync(folder)) return folder;
  await mkdir(cache, { recursive: true });
  const fresh = await mkdtemp(join(cache, 'unpack-'));
  await unpack(fresh);
  await rename(fresh, folder).catch(async (error: unknown) => {
    await rm(fresh, { recursive: true, force: true });
    if (!existsSync(folder)) throw error;
  });
  return folder;
}

/** The package's own font settings name fixed folders outside the copy. */
function fontSettings(folder: string, scratch: string): string {
  return `<?xml version="1.0"?><!DOCTYPE fontconfig SYSTEM "fonts.dtd"><fontconfig><dir>${join(folder, 'fonts/fonts')}</dir><cachedir>${join(scratch, 'font-cache')}</cachedir></fontconfig>`;
}

/**
 * A headless Chromium of the pinned package, with its own libraries, fonts and scratch folder, so that it runs on a machine
 * that has none of them. Linux x64 only; elsewhere an installed Chrome is used.
 */
export async function launchBrowser(): Promise<AsyncDisposable & { browser: Browser }> {
  if (process.platform !== 'linux' || process.arch !== 'x64') {
    const browser = await chromium.launch({ channel: 'chrome' });
    return { browser, [Symbol.asyncDispose]: () => browser.close() };
  }
  const folder = await chromiumFolder();
  const scratch = await mkdtemp(join(dirname(folder), 'run-'));
  await writeFile(join(scratch, 'fonts.conf'), fontSettings(folder, scratch));
  const browser = await chromium.launch({
    // Signals are for the caller, who has more to clean up than a browser.
    handleSIGINT: false,
    handleSIGTERM: false,
    handleSIGHUP: false,
    executablePath: join(folder, 'chromium'),
    args: ['--disable-background-networking', '--disable-component-update', '--no-pings', '--font-render-hinting=none'],
    env: {
      ...process.env,
      HOME: scratch,
      TMPDIR: scratch,
      FONTCONFIG_FILE: join(scratch, 'fonts.conf'),
      LD_LIBRARY_PATH: join(folder, 'al2023/lib'),
    },
  });
  return {
    browser,
    async [Symbol.asyncDispose]() {
      await browser.close();
      await rm(scratch, { recursive: true, force: true });
    },
  };
}
