import type { Page } from 'playwright-core';
import type { Harness } from '../harness.ts';
import { openRequest, register } from './client.ts';

/** A page of ours in one of its states. */
export type Scene = { name: string; heading: string; open(page: Page, pharlo: Harness): Promise<void> };

const loopback = 'http://127.0.0.1:51234/callback';
const claude = 'https://claude.ai/api/mcp/auth_callback';

/** As long as a name may be, and without a space. */
const longName = 'W'.repeat(100);

const hostileNames = [
  longName,
  `${'شركة'.repeat(12)} 👩‍👩‍👧‍👦${'🚀'.repeat(20)}`,
  '<h1>Pharlo</h1>"><img src=x onerror=alert(1)>',
];

/** Shows the consent page of a new client of that name; `changes` replace parameters of its request. */
const consent =
  (name: string, redirectUri: string, changes: Record<string, string> = {}): Scene['open'] =>
  async (page, pharlo) => {
    await pharlo.app.deps.db.query({ text: 'delete from rate_limits', values: [] });
    const clientId = await register(pharlo, name, redirectUri);
    await page.goto(openRequest(pharlo, clientId, redirectUri, changes).url);
  };

async function authorizeWith(page: Page, key: string): Promise<void> {
  await page.getByLabel('Your Pharlo key').fill(key);
  await page.getByRole('button', { name: 'Authorize' }).click();
  await page.getByRole('alert').waitFor();
}

const at =
  (path: string): Scene['open'] =>
  async (page, { url }) => {
    await page.goto(`${url}${path}`);
  };

/** Shows the page of a new link to connect a channel. */
const connect =
  (more: Record<string, unknown> = {}): Scene['open'] =>
  async (page, pharlo) => {
    const { body } = await pharlo.rest('POST', '/oauth/tickets', { platform: 'youtube', ...more });
    await page.goto(String(body.url));
  };

/** Connects a channel as far as the page that tells how it went. */
const connected =
  (decision: 'Allow' | 'Deny'): Scene['open'] =>
  async (page, pharlo) => {
    await connect()(page, pharlo);
    await page.getByRole('button', { name: 'Continue' }).click();
    await page.getByRole('button', { name: decision }).click();
  };

const asks = (name: string) => `Connect ${name} to Pharlo?`;

/** Every page a person can meet, the sandbox's own aside, each in a state that nothing before it matters to. */
export const scenes: Scene[] = [
  { name: 'home', heading: 'Pharlo is running', open: at('/') },
  { name: 'consent', heading: asks('Claude'), open: consent('Claude', claude) },
  {
    name: 'consent-few-scopes',
    heading: asks('Claude'),
    open: consent('Claude', claude, { scope: 'assignments:read platforms:read' }),
  },
  { name: 'consent-loopback', heading: asks('Claude Code'), open: consent('Claude Code', loopback) },
  {
    name: 'consent-app-scheme',
    heading: asks('Cursor'),
    open: consent('Cursor', 'cursor://anysphere.cursor-mcp/oauth/callback'),
  },
  ...hostileNames.map((name, index) => ({
    name: `consent-hostile-name-${index + 1}`,
    heading: asks(name),
    open: consent(name, loopback),
  })),
  {
    name: 'consent-long-host',
    heading: asks('Claude'),
    open: consent('Claude', `https://${'callback-of-a-very-long-name.'.repeat(7)}example/cb`),
  },
  {
    name: 'wrong-key',
    heading: asks('Claude'),
    async open(page, pharlo) {
      await consent('Claude', claude)(page, pharlo);
      await authorizeWith(page, 'ds_live_wrong');
    },
  },
  {
    name: 'too-many-keys',
    heading: asks('Claude'),
    async open(page, pharlo) {
      await consent('Claude', claude)(page, pharlo);
      await authorizeWith(page, 'ds_live_wrong');
      await exhaust(pharlo);
      await authorizeWith(page, 'ds_live_wrong');
      await page.getByText('Too many attempts').waitFor();
    },
  },
  {
    name: 'nothing-chosen',
    heading: asks('Claude'),
    async open(page, pharlo) {
      await consent('Claude', claude, { scope: 'platforms:read' })(page, pharlo);
      await page.getByRole('checkbox').uncheck();
      await authorizeWith(page, pharlo.key);
      await page.getByText('Nothing is chosen').waitFor();
    },
  },
  {
    name: 'key-too-narrow',
    heading: asks('Claude'),
    async open(page, pharlo) {
      await consent('Claude', claude, { scope: 'assignments:write' })(page, pharlo);
      await authorizeWith(page, await pharlo.newKey({ scopes: ['platforms:read'] }));
      await page.getByText('This key may do none of that').waitFor();
    },
  },
  {
    name: 'expired',
    heading: 'This page has expired',
    async open(page, pharlo) {
      await consent('Claude', claude)(page, pharlo);
      await pharlo.advance(601_000);
      await page.reload();
    },
  },
  {
    name: 'another-browser',
    heading: 'Another browser',
    async open(page, pharlo) {
      await consent('Claude', claude)(page, pharlo);
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
    open: consent('Claude', claude, { response_type: 'token' }),
  },
  {
    name: 'error-of-hostile-name',
    heading: `${longName} cannot be connected`,
    open: consent(longName, claude, { response_type: 'token' }),
  },
  { name: 'connect', heading: 'Connect a YouTube channel', open: connect() },
  {
    name: 'connect-returns',
    heading: 'Connect a YouTube channel',
    open: connect({ redirectUrl: 'https://studio.customer.example/channels' }),
  },
  { name: 'connect-over', heading: 'This link is over', open: at('/api/v1/oauth/youtube/authorize?ticket=x') },
  { name: 'connected', heading: 'Connected', open: connected('Allow') },
  { name: 'connect-denied', heading: 'The channel was not connected', open: connected('Deny') },
];

/** Uses up the tries that every limit has left. */
async function exhaust({ app }: Harness): Promise<void> {
  const text = `update rate_limits set empty_at = empty_at + interval '1 day'`;
  await app.deps.db.query({ text, values: [] });
}
