import ipaddr from 'ipaddr.js';
import { z } from 'zod';
import { defaultLimits, type Limits, parseLimits } from './domain/limits.ts';
import { allowedHosts } from './net/urls.ts';

export type Role = 'all' | 'web' | 'worker';

/** Credentials and bases of one real platform, as the operator set them. */
export type PlatformSettings = { clientId?: string; clientSecret?: string; authUrl?: string; apiUrl?: string };

export type Config = Readonly<{
  port: number;
  /** Addresses to listen on. */
  hosts: readonly string[];
  /** Issuer and base of every link; an origin without trailing slash. */
  publicUrl: string;
  isLocal: boolean;
  role: Role;
  dataDir: string;
  databaseUrl: string | undefined;
  databaseDirectUrl: string | undefined;
  /** 32 bytes each; undefined = made and kept in the data dir (embedded store only). */
  secretKeys: readonly Uint8Array[] | undefined;
  trustedProxies: readonly string[];
  allowedOrigins: readonly string[];
  allowedPrivateHosts: readonly string[];
  /** Private-use schemes without a dot that clients may be redirected to, besides the well-known ones. */
  redirectSchemes: readonly string[];
  /** What new access tokens look like; those of the other format go on until they end. */
  accessTokenFormat: 'opaque' | 'jwt';
  limits: Limits;
  defaultPlan: string;
  plans: readonly Plan[];
  /** Origin of the sandbox networks, or undefined when they are off. */
  sandboxUrl: string | undefined;
  platform: (slug: string) => PlatformSettings;
}>;

/** `monthlyCredits` in credits; undefined = unlimited. */
export type Plan = { slug: string; name: string; monthlyCredits: number | undefined };

/** One line that names the setting and what is allowed. */
export class ConfigError extends Error {}

const defaultPlans: readonly Plan[] = [
  { slug: 'starter', name: 'Starter', monthlyCredits: 500 },
  { slug: 'growth', name: 'Growth', monthlyCredits: 2000 },
  { slug: 'enterprise', name: 'Enterprise', monthlyCredits: 20_000 },
  { slug: 'unlimited', name: 'Unlimited', monthlyCredits: undefined },
];

const localHosts = new Set(['localhost', '127.0.0.1', '[::1]']);

type Environment = Readonly<Record<string, string | undefined>>;

/** Reads and checks the environment. Throws ConfigError at the first missing or malformed setting. */
export function readConfig(environment: Environment): Config {
  const get = (name: string) => environment[name]?.trim() || undefined;
  const port = readPort(get('PORT'));
  const publicUrl = readOrigin('PHARLO_PUBLIC_URL', get('PHARLO_PUBLIC_URL') ?? `http://localhost:${port}`);
  const isLocal = localHosts.has(new URL(publicUrl).hostname);
  if (!isLocal && !publicUrl.startsWith('https:')) {
    throw new ConfigError('PHARLO_PUBLIC_URL must be https:// unless its host is localhost.');
  }
  const databaseUrl = readDatabaseUrl('DATABASE_URL', get('DATABASE_URL'));
  const role = readChoice('PHARLO_ROLE', get('PHARLO_ROLE'), ['all', 'web', 'worker'] as const, 'all');
  if (role !== 'all' && !databaseUrl) {
    throw new ConfigError(`PHARLO_ROLE=${role} needs DATABASE_URL: the embedded store serves one process.`);
  }
  const secretKeys = readSecretKeys(get('PHARLO_SECRET_KEY'), get('PHARLO_SECRET_KEY_PREVIOUS'));
  if (databaseUrl && !secretKeys) {
    throw new ConfigError('PHARLO_SECRET_KEY is required with DATABASE_URL: 32 random bytes in base64.');
  }
  const plans = readPlans(get('PHARLO_PLANS'));
  for (const slug of mentionedPlatforms(environment)) readPlatform(slug, get);
  return Object.freeze({
    port,
    hosts: readHosts(get('HOST'), isLocal),
    publicUrl,
    isLocal,
    role,
    dataDir: get('PHARLO_DATA_DIR') ?? './data',
    databaseUrl,
    databaseDirectUrl: readDatabaseUrl('DATABASE_DIRECT_URL', get('DATABASE_DIRECT_URL')) ?? databaseUrl,
    secretKeys,
    trustedProxies: readNetworks(get('PHARLO_TRUSTED_PROXIES')),
    allowedOrigins: readList(get('PHARLO_ALLOWED_ORIGINS')).map((text) => readOrigin('PHARLO_ALLOWED_ORIGINS', text)),
    allowedPrivateHosts: readPrivateHosts(get('PHARLO_ALLOWED_PRIVATE_HOSTS')),
    redirectSchemes: readSchemes(get('PHARLO_REDIRECT_SCHEMES')),
    accessTokenFormat: readChoice(
      'PHARLO_ACCESS_TOKEN_FORMAT',
      get('PHARLO_ACCESS_TOKEN_FORMAT'),
      ['opaque', 'jwt'] as const,
      'opaque',
    ),
    limits: readLimits(get('PHARLO_LIMITS')),
    plans,
    defaultPlan: readChoice(
      'PHARLO_DEFAULT_PLAN',
      get('PHARLO_DEFAULT_PLAN'),
      plans.map(({ slug }) => slug),
      isLocal ? 'unlimited' : 'starter',
    ),
    sandboxUrl: readSandboxUrl(get('PHARLO_SANDBOX'), get('PHARLO_SANDBOX_URL'), { port, publicUrl, isLocal }),
    platform: (slug: string) => readPlatform(slug, get),
  });
}

function readLimits(text: string | undefined): Limits {
  const limits = parseLimits(text ?? '');
  if (limits) return limits;
  const names = Object.keys(defaultLimits).join(', ');
  throw new ConfigError(
    `PHARLO_LIMITS must be name=count/unit[:burst] pairs, comma separated, e.g. api=50/s:200; names: ${names}.`,
  );
}

function readPort(text: string | undefined): number {
  const port = Number(text ?? 3000);
  if (!Number.isInteger(port) || port < 1 || port > 65_535)
    throw new ConfigError('PORT must be a number from 1 to 65535.');
  return port;
}

function readHosts(text: string | undefined, isLocal: boolean): string[] {
  if (text) return [text];
  return isLocal ? ['127.0.0.1', '::1'] : ['0.0.0.0'];
}

function readOrigin(name: string, text: string): string {
  const url = URL.canParse(text) ? new URL(text) : undefined;
  if (!url || !/^https?:$/.test(url.protocol) || url.origin !== text.replace(/\/$/, '')) {
    throw new ConfigError(`${name} must be an origin such as https://pharlo.example, without path.`);
  }
  return url.origin;
}

function readBase(name: string, text: string | undefined): string | undefined {
  if (text === undefined) return undefined;
  const url = URL.canParse(text) ? new URL(text) : undefined;
  if (!url || !/^https?:$/.test(url.protocol) || url.username || url.search || url.hash) {
    throw new ConfigError(`${name} must be an http(s) base URL without credentials, query or fragment.`);
  }
  return text.replace(/\/+$/, '');
}

function readChoice<T extends string>(name: string, text: string | undefined, choices: readonly T[], fallback: T): T {
  if (text === undefined) return fallback;
  const choice = choices.find((candidate) => candidate === text);
  if (!choice) throw new ConfigError(`${name} must be one of ${choices.join(', ')}.`);
  return choice;
}

function readList(text: string | undefined): string[] {
  return (text ?? '')
    .split(',')
    .map((part) => part.trim())
    .filter(Boolean);
}

function readNetworks(text: string | undefined): string[] {
  const networks = readList(text);
  if (networks.every((network) => ipaddr.isValidCIDR(network))) return networks;
  throw new ConfigError('PHARLO_TRUSTED_PROXIES must be CIDRs such as 10.0.0.0/8, separated by commas.');
}

function readPrivateHosts(text: string | undefined): string[] {
  const hosts = readList(text);
  try {
    allowedHosts(hosts);
    return hosts;
  } catch {
    throw new ConfigError('PHARLO_ALLOWED_PRIVATE_HOSTS must be host or host:port, separated by commas.');
  }
}

/** Schemes that a browser acts on itself: a redirect there would run a script or open a file. */
const browserSchemes = new Set(
  'about blob chrome data file filesystem ftp http https javascript mailto tel vbscript view-source ws wss'.split(' '),
);

function readSchemes(text: string | undefined): string[] {
  const schemes = readList(text);
  if (!schemes.every((scheme) => /^[a-z][a-z0-9+-]*$/.test(scheme) && !browserSchemes.has(scheme))) {
    throw new ConfigError('PHARLO_REDIRECT_SCHEMES must be schemes of apps such as myapp, separated by commas.');
  }
  return schemes;
}

function readDatabaseUrl(name: string, text: string | undefined): string | undefined {
  if (text === undefined || (URL.canParse(text) && /^postgres(ql)?:$/.test(new URL(text).protocol))) return text;
  throw new ConfigError(`${name} must be a URL such as postgres://user:password@host:5432/pharlo.`);
}

function readSecretKeys(current: string | undefined, previous: string | undefined): Uint8Array[] | undefined {
  const decode = (name: string, text: string) => {
    const bytes = Buffer.from(text, 'base64');
    const exact = bytes.toString('base64').replace(/=+$/, '') === text.replace(/=+$/, '');
    if (bytes.length !== 32 || !exact) throw new ConfigError(`${name} must be 32 bytes in base64.`);
    return bytes;
  };
  if (!current) {
    if (previous) throw new ConfigError('PHARLO_SECRET_KEY_PREVIOUS needs PHARLO_SECRET_KEY.');
    return undefined;
  }
  const keys = [decode('PHARLO_SECRET_KEY', current)];
  if (previous) keys.push(decode('PHARLO_SECRET_KEY_PREVIOUS', previous));
  return keys;
}

const planSettings = z.array(
  z.strictObject({
    slug: z.string().regex(/^[a-z0-9-]{1,40}$/),
    name: z.string().min(1).max(80),
    monthlyCredits: z.number().min(0).max(1e12).optional(),
  }),
);

function readPlans(text: string | undefined): readonly Plan[] {
  if (text === undefined) return defaultPlans;
  try {
    const plans = planSettings.parse(JSON.parse(text));
    return plans.map((plan) => ({ ...plan, monthlyCredits: plan.monthlyCredits }));
  } catch {
    throw new ConfigError(
      'PHARLO_PLANS must be JSON: [{"slug","name","monthlyCredits"?}], no monthlyCredits = unlimited.',
    );
  }
}

function readSandboxUrl(
  mode: string | undefined,
  url: string | undefined,
  site: { port: number; publicUrl: string; isLocal: boolean },
): string | undefined {
  if (readChoice('PHARLO_SANDBOX', mode, ['on', 'off'] as const, 'on') === 'off') return undefined;
  if (url === undefined && !site.isLocal) {
    throw new ConfigError(
      'PHARLO_SANDBOX_URL is required with a public URL (another host), or set PHARLO_SANDBOX=off.',
    );
  }
  const otherHost = new URL(site.publicUrl).hostname === 'localhost' ? '127.0.0.1' : 'localhost';
  const origin = readOrigin('PHARLO_SANDBOX_URL', url ?? `http://${otherHost}:${site.port}`);
  if (new URL(origin).hostname === new URL(site.publicUrl).hostname) {
    throw new ConfigError('PHARLO_SANDBOX_URL must be on another host than PHARLO_PUBLIC_URL.');
  }
  return origin;
}

const platformSetting = /^PHARLO_([A-Z0-9]+)_(?:CLIENT_ID|CLIENT_SECRET|AUTH_URL|API_URL)$/;

/** Slugs of the platforms the environment names, so that a wrong setting stops the start and not a later request. */
function mentionedPlatforms(environment: Environment): string[] {
  return Object.keys(environment).flatMap((name) => platformSetting.exec(name)?.[1]?.toLowerCase() ?? []);
}

function readPlatform(slug: string, get: (name: string) => string | undefined): PlatformSettings {
  const prefix = `PHARLO_${slug.toUpperCase()}_`;
  const clientId = get(`${prefix}CLIENT_ID`);
  const clientSecret = get(`${prefix}CLIENT_SECRET`);
  const authUrl = readBase(`${prefix}AUTH_URL`, get(`${prefix}AUTH_URL`));
  const apiUrl = readBase(`${prefix}API_URL`, get(`${prefix}API_URL`));
  if ((clientId === undefined) !== (clientSecret === undefined)) {
    throw new ConfigError(`${prefix}CLIENT_ID and ${prefix}CLIENT_SECRET must be set together.`);
  }
  return {
    ...(clientId !== undefined && { clientId }),
    ...(clientSecret !== undefined && { clientSecret }),
    ...(authUrl !== undefined && { authUrl }),
    ...(apiUrl !== undefined && { apiUrl }),
  };
}
