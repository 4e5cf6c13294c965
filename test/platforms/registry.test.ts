import assert from 'node:assert/strict';
import { test } from 'node:test';
import type { PlatformSettings } from '../../src/config.ts';
import type { PlatformFetch } from '../../src/platforms/contract.ts';
import { createPlatforms } from '../../src/platforms/index.ts';
import { youtube } from '../../src/platforms/youtube/index.ts';

const workspaceId = '0190aaaa-0000-7000-8000-000000000001';
const sandboxUrl = 'http://127.0.0.1:3000';
const credentials = { clientId: 'id', clientSecret: 'secret' };
const sandboxFetch: PlatformFetch = async () => new Response('sandbox');

function registry(settings: PlatformSettings, sandbox = true) {
  const asked: string[][] = [];
  const platforms = createPlatforms({
    ...(sandbox && { sandboxUrl, sandboxFetch }),
    settings: () => settings,
    realFetch: (_connector, operatorBases) => {
      asked.push(operatorBases);
      return async () => new Response('real');
    },
  });
  return { platforms, asked };
}

test('without credentials YouTube runs on the sandbox network, scoped to the workspace', () => {
  const { platforms } = registry({});
  assert.equal(platforms.status('youtube'), 'live');
  assert.equal(platforms.usesSandbox(youtube), true);
  const base = `${sandboxUrl}/youtube`;
  assert.deepEqual(platforms.networkFor(youtube, { workspaceId, sandbox: true }), {
    sandbox: true,
    clientId: `pharlo-sandbox.${workspaceId}`,
    clientSecret: 'sandbox',
    bases: { consent: base, token: base, api: base, upload: base },
    fetch: sandboxFetch,
  });
  assert.equal(platforms.networkFor(youtube, { workspaceId, sandbox: false }), undefined);
});

test('with credentials new connections are real, and old ones keep the sandbox', () => {
  const { platforms } = registry(credentials);
  assert.equal(platforms.usesSandbox(youtube), false);
  const real = platforms.networkFor(youtube, { workspaceId, sandbox: false });
  assert.deepEqual(real && { ...real, fetch: undefined }, {
    sandbox: false,
    ...credentials,
    bases: youtube.bases,
    fetch: undefined,
  });
  assert.equal(platforms.networkFor(youtube, { workspaceId, sandbox: true })?.sandbox, true);
});

test("the operator's bases replace consent and token, API and upload", () => {
  const own = { authUrl: 'https://auth.example', apiUrl: 'https://api.example/google' };
  const { platforms, asked } = registry({ ...credentials, ...own });
  const network = platforms.networkFor(youtube, { workspaceId, sandbox: false });
  const { authUrl, apiUrl } = own;
  assert.deepEqual(network?.bases, { consent: authUrl, token: authUrl, api: apiUrl, upload: apiUrl });
  assert.equal(platforms.networkFor(youtube, { workspaceId, sandbox: false })?.fetch, network?.fetch);
  assert.deepEqual(asked, [[authUrl, apiUrl]]);
});

test('with neither credentials nor sandbox a platform is unconfigured', () => {
  const { platforms } = registry({}, false);
  assert.equal(platforms.status('youtube'), 'unconfigured');
  assert.equal(platforms.usesSandbox(youtube), false);
  assert.equal(platforms.networkFor(youtube, { workspaceId, sandbox: true }), undefined);
});

test('slugs are unique; planned platforms are listed and have no connector', () => {
  const { platforms } = registry({});
  const slugs = [...platforms.connectors, ...platforms.planned].map(({ slug }) => slug);
  assert.equal(new Set(slugs).size, slugs.length);
  assert.equal(platforms.find('youtube'), youtube);
  for (const { slug } of platforms.planned) {
    assert.equal(platforms.status(slug), 'planned');
    assert.equal(platforms.find(slug), undefined);
  }
  assert.equal(platforms.status('myspace'), undefined);
});
