import type { Page } from 'playwright-core';
import type { Harness } from '../harness.ts';
import { openRequest, register } from './client.ts';

/** A page of ours in one of its states. */
export type Scene = { name: string; heading: string | RegExp; open(page: Page): Promise<void> };

const loopback = 'http://127.0.0.1:51234/callback';
const claude = 'https://claude.ai/api/mcp/auth_callback';

/** As long as a name may be: without a space, from right to left, with emoji. */
export const hostileNames = [
  'W'.repeat(100),
  `${'شركة'.repeat(12)} 👩‍👩‍👧‍👦${'🚀'.repeat(20)}`,
  '<h1>Pharlo</h1>"><img src=x onerror=alert(1)>',
];

/** Every page a person can meet, the sandbox's own aside. Nothing is left over for the next from one that was opened. */
export function createScenes(pharlo: Harness): Scene[] {
  const consent = async (page: Page, redirectUri: string, name: string, changes: Record<string, string> = {}) => {
    await pharlo.app.deps.db.query({ text: 'delete from rate_limits', values: [] });
    await page.goto(openRequest(pharlo, await register(pharlo, name, redirectUri), redirectUri, changes).url);
  };
  const answered = async (page: Page, key: string, times = 1) => {
    await consent(page, claude, 'Claude');
    for (let time = 0; time < times; time += 1) {
      if (time > 0) await exhaust(pharlo);
      await page.getByLabel('Your Pharlo key').fill(key);
      await page.getByRole('button', { name: 'Authorize' }).click();
      await page.getByRole('alert').waitFor();
    }
  };
  const ticket = async (more: Record<string, unknown> = {}) =>
    String((await pharlo.rest('POST', '/oauth/tickets', { platform: 'youtube', ...more })).body.url);
  const connected = async (page: Page, button: string) => {
    await page.goto(await ticket());
    await page.getByRole('button', { name: 'Continue' }).click();
    await page.getByRole('button', { name: button }).click();
  };
  const at = (path: string) => async (page: Page) => {
    await page.goto(`${pharlo.url}${path}`);
  };
  return [
    { name: 'home', heading: 'Pharlo is running', open: at('/') },
    {
      name: 'consent',
      heading: 'Connect Claude to Pharlo?',
      open: (page) => consent(page, claude, 'Claude', { scope: 'mcp.write' }),
    },
    {
      name: 'consent-few-scopes',
      heading: 'Connect Claude to Pharlo?',
      open: (page) => consent(page, claude, 'Claude', { scope: 'assignments:read platforms:read' }),
    },
    {
      name: 'consent-loopback',
      heading: 'Connect Claude Code to Pharlo?',
      open: (page) => consent(page, loopback, 'Claude Code'),
    },
    {
      name: 'consent-app-scheme',
      heading: 'Connect Cursor to Pharlo?',
      open: (page) => consent(page, 'cursor://anysphere.cursor-mcp/oauth/callback', 'Cursor'),
    },
    ...hostileNames.map((name, index) => ({
      name: `consent-hostile-name-${index + 1}`,
      heading: `Connect ${name} to Pharlo?`,
      open: (page: Page) => consent(page, loopback, name),
    })),
    {
      name: 'consent-long-host',
      heading: 'Connect Claude to Pharlo?',
      open: (page) => consent(page, `https://${'callback-of-a-very-long-name.'.repeat(7)}example/cb`, 'Claude'),
    },
    { name: 'wrong-key', heading: 'Connect Claude to Pharlo?', open: (page) => answered(page, 'ds_live_wrong') },
    { name: 'too-many-keys', heading: 'Connect Claude to Pharlo?', open: (page) => answered(page, 'ds_live_wrong', 2) },
    {
      name: 'nothing-chosen',
      heading: 'Connect Claude to Pharlo?',
      async open(page) {
        await consent(page, claude, 'Claude', { scope: 'platforms:read' });
        await page.getByRole('checkbox').uncheck();
        await page.getByLabel('Your Pharlo key').fill(pharlo.key);
        await page.getByRole('button', { name: 'Authorize' }).click();
      },
    },
    {
      name: 'key-too-narrow',
      heading: 'Connect Claude to Pharlo?',
      async open(page) {
        await consent(page, claude, 'Claude', { scope: 'assignments:write' });
        await page.getByLabel('Your Pharlo key').fill(await pharlo.newKey({ scopes: ['platforms:read'] }));
        await page.getByRole('button', { name: 'Authorize' }).click();
      },
    },
    {
      name: 'expired',
      heading: 'This page has expired',
      async open(page) {
        await consent(page, claude, 'Claude');
        await pharlo.advance(601_000);
        await page.reload();
      },
    },
    {
      name: 'another-browser',
      heading: 'Another browser',
      async open(page) {
        await consent(page, claude, 'Claude');
        await page.context().clearCookies();
        await page.reload();
      },
    },
    { name: 'link-incomplete', heading: 'This link is not complete', open: at('/oauth/mcp/consent/abc') },
    {
      name: 'unknown-client',
      heading: 'This link does not work',
      open: at(`/oauth/mcp/authorize?client_id=mcp_client_gone&redirect_uri=${encodeURIComponent(claude)}`),
    },
    {
      name: 'error-before-consent',
      heading: 'Claude cannot be connected',
      open: (page) => consent(page, claude, 'Claude', { response_type: 'token' }),
    },
    {
      name: 'error-of-hostile-name',
      heading: `${hostileNames[0]} cannot be connected`,
      open: (page) => consent(page, claude, String(hostileNames[0]), { response_type: 'token' }),
    },
    {
      name: 'connect',
      heading: 'Connect a YouTube channel',
      async open(page) {
        await page.goto(await ticket());
      },
    },
    {
      name: 'connect-returns',
      heading: 'Connect a YouTube channel',
      async open(page) {
        await page.goto(await ticket({ redirectUrl: 'https://studio.customer.example/channels' }));
      },
    },
    { name: 'connect-over', heading: 'This link is over', open: at('/api/v1/oauth/youtube/authorize?ticket=x') },
    { name: 'connected', heading: 'Connected', open: (page) => connected(page, 'Allow') },
    { name: 'connect-denied', heading: 'The channel was not connected', open: (page) => connected(page, 'Deny') },
  ];
}

/** Uses up the tries that every limit has left. */
async function exhaust({ app }: Harness): Promise<void> {
  const text = `update rate_limits set empty_at = empty_at + interval '1 day'`;
  await app.deps.db.query({ text, values: [] });
}
