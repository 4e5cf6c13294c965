import assert from 'node:assert/strict';
import { test } from 'node:test';
import { ConfigError, readConfig } from '../src/config.ts';
import { parseLimits } from '../src/domain/limits.ts';

const key = (fill: number) => Buffer.alloc(32, fill).toString('base64');
const external = { DATABASE_URL: 'postgres://db.example/pharlo', PHARLO_SECRET_KEY: key(1) };
const published = { PHARLO_PUBLIC_URL: 'https://pharlo.example', PHARLO_SANDBOX: 'off' };

test('without settings everything runs on localhost with an embedded store', () => {
  const { platform, plans, ...config } = readConfig({});
  assert.deepEqual(config, {
    port: 3000,
    hosts: ['127.0.0.1', '::1'],
    publicUrl: 'http://localhost:3000',
    isLocal: true,
    role: 'all',
    dataDir: './data',
    databaseUrl: undefined,
    databaseDirectUrl: undefined,
    secretKeys: undefined,
    trustedProxies: [],
    allowedOrigins: [],
    allowedPrivateHosts: [],
    redirectSchemes: [],
    accessTokenFormat: 'opaque',
    limits: parseLimits(''),
    defaultPlan: 'unlimited',
    sandboxUrl: 'http://127.0.0.1:3000',
  });
  assert.deepEqual(
    plans.map(({ slug, monthlyCredits }) => [slug, monthlyCredits]),
    [
      ['starter', 500],
      ['growth', 2000],
      ['enterprise', 20_000],
      ['unlimited', undefined],
    ],
  );
  assert.deepEqual(platform('youtube'), {});
});

test('the port is part of the default addresses', () => {
  const { publicUrl, sandboxUrl } = readConfig({ PORT: '8080' });
  assert.deepEqual(
    { publicUrl, sandboxUrl },
    { publicUrl: 'http://localhost:8080', sandboxUrl: 'http://127.0.0.1:8080' },
  );
});

test('an empty setting is an unset one, and spaces around a value do not count', () => {
  assert.equal(readConfig({ PORT: '' }).port, 3000);
  assert.equal(readConfig({ PORT: ' 4000 ' }).port, 4000);
});

test('a public URL changes the listening address, the plan and needs a sandbox origin of its own', () => {
  const config = readConfig(published);
  assert.deepEqual(config.hosts, ['0.0.0.0']);
  assert.equal(config.isLocal, false);
  assert.equal(config.defaultPlan, 'starter');
  assert.equal(config.sandboxUrl, undefined);
  const both = { ...published, PHARLO_SANDBOX: 'on', PHARLO_SANDBOX_URL: 'https://sandbox.example' };
  assert.equal(readConfig(both).sandboxUrl, 'https://sandbox.example');
});

test('the sandbox of another loopback name stays on another host', () => {
  const config = readConfig({ PHARLO_PUBLIC_URL: 'http://127.0.0.1:3000' });
  assert.equal(config.sandboxUrl, 'http://localhost:3000');
});

test('given settings are taken over', () => {
  const config = readConfig({
    ...external,
    HOST: '10.0.0.5',
    PHARLO_PUBLIC_URL: 'https://pharlo.example/',
    PHARLO_SANDBOX_URL: 'https://sandbox.example',
    PHARLO_ROLE: 'worker',
    PHARLO_DATA_DIR: '/var/lib/pharlo',
    DATABASE_DIRECT_URL: 'postgres://direct.example/pharlo',
    PHARLO_SECRET_KEY_PREVIOUS: key(2),
    PHARLO_TRUSTED_PROXIES: '10.0.0.0/8, ::1/128',
    PHARLO_ALLOWED_ORIGINS: 'https://one.example,https://two.example:8443',
    PHARLO_ALLOWED_PRIVATE_HOSTS: 'media.internal:9000',
    PHARLO_PLANS: '[{"slug":"free","name":"Free","monthlyCredits":0.5},{"slug":"all","name":"All"}]',
    PHARLO_DEFAULT_PLAN: 'all',
  });
  assert.deepEqual(config.hosts, ['10.0.0.5']);
  assert.equal(config.publicUrl, 'https://pharlo.example');
  assert.equal(config.role, 'worker');
  assert.equal(config.dataDir, '/var/lib/pharlo');
  assert.equal(config.databaseUrl, external.DATABASE_URL);
  assert.equal(config.databaseDirectUrl, 'postgres://direct.example/pharlo');
  assert.deepEqual(
    config.secretKeys?.map((bytes) => bytes[0]),
    [1, 2],
  );
  assert.deepEqual(config.trustedProxies, ['10.0.0.0/8', '::1/128']);
  assert.deepEqual(config.allowedOrigins, ['https://one.example', 'https://two.example:8443']);
  assert.deepEqual(config.allowedPrivateHosts, ['media.internal:9000']);
  assert.deepEqual(config.plans, [
    { slug: 'free', name: 'Free', monthlyCredits: 0.5 },
    { slug: 'all', name: 'All', monthlyCredits: undefined },
  ]);
  assert.equal(config.defaultPlan, 'all');
});

test('the database is reached directly unless a pooler is told', () => {
  assert.equal(readConfig(external).databaseDirectUrl, external.DATABASE_URL);
});

test('a platform has its own settings', () => {
  const config = readConfig({
    PHARLO_YOUTUBE_CLIENT_ID: 'id',
    PHARLO_YOUTUBE_CLIENT_SECRET: 'secret',
    PHARLO_YOUTUBE_AUTH_URL: 'http://127.0.0.1:9000/youtube/',
    PHARLO_YOUTUBE_API_URL: 'https://api.example',
  });
  assert.deepEqual(config.platform('youtube'), {
    clientId: 'id',
    clientSecret: 'secret',
    authUrl: 'http://127.0.0.1:9000/youtube',
    apiUrl: 'https://api.example',
  });
  assert.deepEqual(config.platform('bluesky'), {});
});

type Refused = { why: string; names: string; environment: Record<string, string> };

const refused: Refused[] = [
  { why: 'no number', names: 'PORT', environment: { PORT: 'http' } },
  { why: 'no port', names: 'PORT', environment: { PORT: '0' } },
  { why: 'too high', names: 'PORT', environment: { PORT: '65536' } },
  { why: 'a fraction', names: 'PORT', environment: { PORT: '80.5' } },
  { why: 'no URL', names: 'PHARLO_PUBLIC_URL', environment: { PHARLO_PUBLIC_URL: 'pharlo.example' } },
  { why: 'a path', names: 'PHARLO_PUBLIC_URL', environment: { PHARLO_PUBLIC_URL: 'https://pharlo.example/app' } },
  { why: 'not http', names: 'PHARLO_PUBLIC_URL', environment: { PHARLO_PUBLIC_URL: 'ftp://pharlo.example' } },
  {
    why: 'not https',
    names: 'PHARLO_PUBLIC_URL',
    environment: { ...published, PHARLO_PUBLIC_URL: 'http://pharlo.example' },
  },
  { why: 'a script', names: 'PHARLO_REDIRECT_SCHEMES', environment: { PHARLO_REDIRECT_SCHEMES: 'a,javascript' } },
  { why: 'a URL', names: 'PHARLO_REDIRECT_SCHEMES', environment: { PHARLO_REDIRECT_SCHEMES: 'myapp://' } },
  { why: 'a limit nobody knows', names: 'PHARLO_LIMITS', environment: { PHARLO_LIMITS: 'speed=1/s' } },
  { why: 'a limit without unit', names: 'PHARLO_LIMITS', environment: { PHARLO_LIMITS: 'api=50' } },
  { why: 'no format', names: 'PHARLO_ACCESS_TOKEN_FORMAT', environment: { PHARLO_ACCESS_TOKEN_FORMAT: 'JWT' } },
  { why: 'no role', names: 'PHARLO_ROLE', environment: { PHARLO_ROLE: 'both' } },
  { why: 'a split role on the embedded store', names: 'PHARLO_ROLE', environment: { PHARLO_ROLE: 'worker' } },
  { why: 'a split role on the embedded store', names: 'PHARLO_ROLE', environment: { PHARLO_ROLE: 'web' } },
  {
    why: 'missing beside a database',
    names: 'PHARLO_SECRET_KEY',
    environment: { DATABASE_URL: external.DATABASE_URL },
  },
  { why: 'too short', names: 'PHARLO_SECRET_KEY', environment: { PHARLO_SECRET_KEY: 'c2hvcnQ=' } },
  {
    why: 'too short',
    names: 'PHARLO_SECRET_KEY_PREVIOUS',
    environment: { PHARLO_SECRET_KEY: key(1), PHARLO_SECRET_KEY_PREVIOUS: 'c2hvcnQ=' },
  },
  {
    why: 'without a current one',
    names: 'PHARLO_SECRET_KEY_PREVIOUS',
    environment: { PHARLO_SECRET_KEY_PREVIOUS: key(2) },
  },
  { why: 'not base64', names: 'PHARLO_SECRET_KEY', environment: { PHARLO_SECRET_KEY: `${key(1).slice(0, -2)}!=` } },
  { why: 'no URL', names: 'DATABASE_URL', environment: { ...external, DATABASE_URL: 'localhost' } },
  { why: 'another database', names: 'DATABASE_URL', environment: { ...external, DATABASE_URL: 'mysql://s3cret@db/a' } },
  { why: 'no URL', names: 'DATABASE_DIRECT_URL', environment: { ...external, DATABASE_DIRECT_URL: 'direct' } },
  { why: 'no CIDR', names: 'PHARLO_TRUSTED_PROXIES', environment: { PHARLO_TRUSTED_PROXIES: '10.0.0.0/8,10.0.0.1' } },
  {
    why: 'a URL',
    names: 'PHARLO_ALLOWED_PRIVATE_HOSTS',
    environment: { PHARLO_ALLOWED_PRIVATE_HOSTS: 'http://media.internal/' },
  },
  { why: 'no origin', names: 'PHARLO_ALLOWED_ORIGINS', environment: { PHARLO_ALLOWED_ORIGINS: 'claude.ai' } },
  { why: 'no JSON', names: 'PHARLO_PLANS', environment: { PHARLO_PLANS: 'starter' } },
  { why: 'an unknown member', names: 'PHARLO_PLANS', environment: { PHARLO_PLANS: '[{"slug":"a","name":"A","x":1}]' } },
  { why: 'an unknown plan', names: 'PHARLO_DEFAULT_PLAN', environment: { PHARLO_DEFAULT_PLAN: 'gold' } },
  { why: 'neither on nor off', names: 'PHARLO_SANDBOX', environment: { PHARLO_SANDBOX: 'yes' } },
  {
    why: 'missing beside a public URL',
    names: 'PHARLO_SANDBOX_URL',
    environment: { PHARLO_PUBLIC_URL: 'https://pharlo.example' },
  },
  {
    why: 'on the same host',
    names: 'PHARLO_SANDBOX_URL',
    environment: { PHARLO_SANDBOX_URL: 'http://localhost:4000' },
  },
  {
    why: 'on the same host, written differently',
    names: 'PHARLO_SANDBOX_URL',
    environment: { PHARLO_PUBLIC_URL: 'https://pharlo.example', PHARLO_SANDBOX_URL: 'https://pharlo.example:8443' },
  },
];

for (const { why, names, environment } of refused) {
  test(`${names} is refused: ${why} (${JSON.stringify(Object.keys(environment))})`, () => {
    assertRefused(() => readConfig(environment), names);
  });
}

test('platform settings are refused by name', () => {
  const read = (environment: Record<string, string>) => () => readConfig(environment);
  assertRefused(read({ PHARLO_YOUTUBE_CLIENT_ID: 'id' }), 'PHARLO_YOUTUBE_CLIENT_ID');
  assertRefused(read({ PHARLO_YOUTUBE_CLIENT_SECRET: 'x' }), 'PHARLO_YOUTUBE_CLIENT_SECRET');
  assertRefused(read({ PHARLO_YOUTUBE_AUTH_URL: 'accounts' }), 'PHARLO_YOUTUBE_AUTH_URL');
  assertRefused(read({ PHARLO_YOUTUBE_API_URL: 'https://user:s3cret@api.example' }), 'PHARLO_YOUTUBE_API_URL');
});

/** One line that names the setting and repeats no secret. */
function assertRefused(read: () => unknown, name: string): void {
  assert.throws(read, (error) => {
    assert.ok(error instanceof ConfigError);
    assert.match(error.message, new RegExp(`\\b${name}\\b`));
    assert.doesNotMatch(error.message, /\n|c2hvcnQ|s3cret/);
    return true;
  });
}
