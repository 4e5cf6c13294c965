import { defaultLimits } from './domain/limits.ts';

export type Setting = { name: string; fallback: string; text: string };

/** Every setting that config.ts reads; the settings page is generated from it and a test compares the two. */
export const settings: readonly Setting[] = [
  { name: 'PORT', fallback: '3000', text: 'Port to listen on.' },
  {
    name: 'HOST',
    fallback: 'loopback while the public URL is localhost, else 0.0.0.0',
    text: 'Address to listen on.',
  },
  {
    name: 'PHARLO_PUBLIC_URL',
    fallback: 'http://localhost:$PORT',
    text: 'Issuer and base of every link: an origin, https unless its host is localhost.',
  },
  { name: 'PHARLO_ROLE', fallback: 'all', text: '`all`, `web` or `worker`; the last two need DATABASE_URL.' },
  { name: 'PHARLO_DATA_DIR', fallback: './data', text: 'Where the embedded store, its key and the sandbox live.' },
  { name: 'DATABASE_URL', fallback: 'the embedded PostgreSQL', text: 'A PostgreSQL of yours (14 or newer) instead.' },
  {
    name: 'DATABASE_DIRECT_URL',
    fallback: 'DATABASE_URL',
    text: 'The same database past a pooler, for migrations and session locks.',
  },
  {
    name: 'PHARLO_SECRET_KEY',
    fallback: 'made and kept in the data folder',
    text: '32 bytes in base64 that seal secrets at rest; required with DATABASE_URL.',
  },
  {
    name: 'PHARLO_SECRET_KEY_PREVIOUS',
    fallback: 'none',
    text: 'The key before, still opened while it is replaced.',
  },
  {
    name: 'PHARLO_TRUSTED_PROXIES',
    fallback: 'none',
    text: 'CIDRs, comma separated, whose X-Forwarded-* headers count.',
  },
  {
    name: 'PHARLO_ALLOWED_ORIGINS',
    fallback: 'none',
    text: 'Origins beside claude.ai and claude.com that may call from a browser.',
  },
  {
    name: 'PHARLO_ALLOWED_PRIVATE_HOSTS',
    fallback: 'none',
    text: '`host[:port]`, comma separated: private hosts that media and callbacks may come from and go to.',
  },
  {
    name: 'PHARLO_REDIRECT_SCHEMES',
    fallback: 'none',
    text: 'Schemes of installed apps, comma separated, that MCP clients may return to, beside `cursor`, `vscode`, `vscode-insiders`, `windsurf` and those with a dot.',
  },
  {
    name: 'PHARLO_ACCESS_TOKEN_FORMAT',
    fallback: 'opaque',
    text: '`opaque`, or `jwt`: access tokens that others can read (RFC 9068), signed with RS256. Both end at once when revoked.',
  },
  {
    name: 'PHARLO_PLANS',
    fallback: 'starter 500, growth 2000, enterprise 20000, unlimited',
    text: 'JSON: `[{"slug","name","monthlyCredits"?}]`; no monthlyCredits = unlimited.',
  },
  {
    name: 'PHARLO_DEFAULT_PLAN',
    fallback: 'unlimited on localhost, else starter',
    text: 'Plan of new workspaces.',
  },
  {
    name: 'PHARLO_LIMITS',
    fallback: Object.entries(defaultLimits)
      .map(([name, limit]) => `${name}=${limit}`)
      .join(', '),
    text: 'Rate limits, comma separated: count per `s`, `m` or `h`, and after a colon how many at once.',
  },
  { name: 'PHARLO_SANDBOX', fallback: 'on', text: '`on` or `off`: the sandbox networks.' },
  {
    name: 'PHARLO_SANDBOX_URL',
    fallback: 'http://127.0.0.1:$PORT on localhost',
    text: 'Origin of the sandbox networks, on another host than the public URL; required with a public URL.',
  },
];

/** Settings that exist once per live platform; `<PLATFORM>` is its slug in capitals. */
export const platformSettings: readonly Setting[] = [
  { name: 'PHARLO_<PLATFORM>_CLIENT_ID', fallback: 'none: sandbox', text: 'Client id of your app at the platform.' },
  { name: 'PHARLO_<PLATFORM>_CLIENT_SECRET', fallback: 'none: sandbox', text: 'Its secret; both or none.' },
  {
    name: 'PHARLO_<PLATFORM>_AUTH_URL',
    fallback: "the platform's own",
    text: 'Replaces the origin of consent and token.',
  },
  { name: 'PHARLO_<PLATFORM>_API_URL', fallback: "the platform's own", text: 'Replaces the origin of API and upload.' },
];
