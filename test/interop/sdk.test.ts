import assert from 'node:assert/strict';
import { test } from 'node:test';
import * as v2 from '@modelcontextprotocol/client';
import type { OAuthClientProvider } from '@modelcontextprotocol/sdk/client/auth.js';
import * as v1 from '@modelcontextprotocol/sdk/client/index.js';
import * as v1Http from '@modelcontextprotocol/sdk/client/streamableHttp.js';
import type { Transport } from '@modelcontextprotocol/sdk/shared/transport.js';
import { startHarness } from '../harness.ts';
import { allow, auditOf, revokeGrants } from './person.ts';

const redirectUri = 'http://127.0.0.1:4321/callback';
const name = { name: 'interop', version: '1.0.0' };

/** One attempt of a client to reach the server. */
type Attempt = {
  connect(): Promise<void>;
  finishAuth(callback: URL): Promise<void>;
  /** The revision that was agreed on. */
  revision(): string | undefined;
  tools(): Promise<unknown[]>;
  platforms(): Promise<unknown>;
  close(): Promise<void>;
};

const platforms = { name: 'list_platforms', arguments: {} };

function attemptV1(url: URL, authProvider: OAuthClientProvider): Attempt {
  const client = new v1.Client(name);
  const transport = new v1Http.StreamableHTTPClientTransport(url, { authProvider });
  return {
    connect: () => client.connect(transport as Transport),
    finishAuth: (callback) => transport.finishAuth(callback.searchParams.get('code') ?? ''),
    revision: () => transport.protocolVersion,
    tools: async () => (await client.listTools()).tools,
    platforms: async () => (await client.callTool(platforms)).structuredContent,
    close: () => client.close(),
  };
}

function attemptV2(url: URL, authProvider: OAuthClientProvider, mode: 'legacy' | 'auto'): Attempt {
  const client = new v2.Client(name, { versionNegotiation: { mode } });
  const transport = new v2.StreamableHTTPClientTransport(url, { authProvider: authProvider as v2.OAuthClientProvider });
  return {
    connect: () => client.connect(transport),
    finishAuth: (callback) => transport.finishAuth(callback.searchParams),
    revision: () => client.getNegotiatedProtocolVersion(),
    tools: async () => (await client.listTools()).tools,
    platforms: async () => (await client.callTool(platforms)).structuredContent,
    close: () => client.close(),
  };
}

/** What a host keeps for its client; `links` are the pages it opened for its person. */
function createHost(): { provider: OAuthClientProvider; links: URL[] } {
  const kept: { tokens?: object; client?: object; verifier?: string; discovery?: object } = {};
  const links: URL[] = [];
  const provider = {
    redirectUrl: redirectUri,
    clientMetadata: { redirect_uris: [redirectUri], client_name: 'Host', token_endpoint_auth_method: 'none' },
    clientInformation: () => kept.client,
    saveClientInformation: (client: object) => {
      kept.client = client;
    },
    tokens: () => kept.tokens,
    saveTokens: (tokens: object) => {
      kept.tokens = tokens;
    },
    saveCodeVerifier: (verifier: string) => {
      kept.verifier = verifier;
    },
    codeVerifier: () => kept.verifier ?? '',
    saveDiscoveryState: (state: object) => {
      kept.discovery = state;
    },
    discoveryState: () => kept.discovery,
    invalidateCredentials: () => {
      delete kept.tokens;
    },
    redirectToAuthorization: (url: URL) => {
      links.push(url);
    },
  };
  return { provider: provider as unknown as OAuthClientProvider, links };
}

const clients: Record<string, (url: URL, provider: OAuthClientProvider) => Attempt> = {
  'SDK v1, 2025-11-25': attemptV1,
  'SDK v2, 2025-11-25': (url, provider) => attemptV2(url, provider, 'legacy'),
  'SDK v2, 2026-07-28': (url, provider) => attemptV2(url, provider, 'auto'),
};

for (const [label, attempt] of Object.entries(clients)) {
  test(`${label} goes from a challenge to a call, refreshes by itself, and asks again after a revocation`, async () => {
    await using pharlo = await startHarness();
    const { provider, links } = createHost();
    const newAttempt = () => attempt(new URL(`${pharlo.url}/_mcp`), provider);
    const refused = newAttempt();
    await assert.rejects(refused.connect(), { message: /Unauthorized/ });
    await refused.finishAuth(new URL(await allow(pharlo, links[0] ?? '')));
    await using stack = new AsyncDisposableStack();
    const client = stack.adopt(newAttempt(), ({ close }) => close());
    await client.connect();
    assert.equal(client.revision(), label.split(', ')[1]);
    assert.ok((await client.tools()).length > 0);
    assert.ok(await client.platforms());

    await pharlo.advance(3_601_000);
    assert.ok(await client.platforms(), 'the same session goes on');
    assert.equal(links.length, 1, 'without its person');
    assert.deepEqual((await auditOf(pharlo)).slice(-2), ['oauth.exchange ok', 'oauth.refresh ok']);

    await revokeGrants(pharlo);
    await assert.rejects(client.platforms(), { message: /Unauthorized/ });
    assert.equal(links.length, 2, 'it asks its person again');
    await client.finishAuth(new URL(await allow(pharlo, links[1] ?? '')));
    assert.ok(await client.platforms());
  });
}
