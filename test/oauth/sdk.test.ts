import assert from 'node:assert/strict';
import { test } from 'node:test';
import { auth as authV2 } from '@modelcontextprotocol/client';
import { auth as authV1 } from '@modelcontextprotocol/sdk/client/auth.js';
import { createServer, issuer, redirectUri, type Server } from './server.ts';

const documentUrl = 'https://client.example/client.json';

const document = { client_id: documentUrl, client_name: 'Host', redirect_uris: [redirectUri] };

type Tokens = { access_token: string; token_type: string; refresh_token?: string };
type Information = { client_id: string };

/** A host's memory of one server, as both SDK generations ask for it. */
function createHost(server: Server, key: string, clientMetadataUrl?: string) {
  const kept: { tokens?: Tokens; client?: Information; verifier?: string; code?: string; discovery?: object } = {};
  const provider = {
    ...(clientMetadataUrl && { clientMetadataUrl }),
    redirectUrl: redirectUri,
    clientMetadata: { redirect_uris: [redirectUri], client_name: 'Host', token_endpoint_auth_method: 'none' },
    clientInformation: () => kept.client,
    saveClientInformation: (client: Information) => {
      kept.client = client;
    },
    tokens: () => kept.tokens,
    saveTokens: (tokens: Tokens) => {
      kept.tokens = tokens;
    },
    saveCodeVerifier: (verifier: string) => {
      kept.verifier = verifier;
    },
    codeVerifier: () => kept.verifier ?? '',
    invalidateCredentials: (what: string) => {
      if (what !== 'verifier') delete kept.tokens;
      if (what === 'all' || what === 'client') delete kept.client;
    },
    async redirectToAuthorization(url: URL) {
      const begun = await server.fetch(url.href);
      const cookie = begun.headers.get('set-cookie')?.split(';')[0] ?? '';
      const decided = await server.allow({ page: begun.headers.get('location') ?? '', cookie }, key);
      kept.code = new URL(decided.headers.get('location') ?? '').searchParams.get('code') ?? '';
    },
  };
  return { kept, provider };
}

const generations = { 'SDK v1': authV1, 'SDK v2': authV2 } as unknown as Record<
  string,
  (provider: object, options: object) => Promise<'AUTHORIZED' | 'REDIRECT'>
>;

for (const [name, auth] of Object.entries(generations)) {
  for (const by of ['registration', 'document'] as const) {
    test(`${name}, a client by ${by}: consent, parallel refreshes, and a new start when the grant has ended`, async () => {
      await using server = await createServer({
        internet: {
          [documentUrl]: () => ({
            status: 200,
            headers: new Headers({ 'content-type': 'application/json' }),
            body: new TextEncoder().encode(JSON.stringify(document)),
          }),
        },
      });
      const { key } = await server.addKey();
      const { kept, provider } = createHost(server, key, by === 'document' ? documentUrl : undefined);
      const fetchFn = (url: string | URL, init?: RequestInit) => server.fetch(String(url), init);
      const options = { serverUrl: `${issuer}/_mcp`, fetchFn };
      const connect = async () => {
        assert.equal(await auth(provider, options), 'REDIRECT');
        const answer = { authorizationCode: kept.code, iss: issuer };
        assert.equal(await auth(provider, { ...options, ...answer }), 'AUTHORIZED');
      };
      await connect();
      assert.equal(kept.client?.client_id === documentUrl, by === 'document');
      const first = kept.tokens?.access_token;

      await server.advance(3601);
      const answers = await Promise.all(Array.from({ length: 5 }, () => auth(provider, options)));
      assert.deepEqual([...new Set(answers)], ['AUTHORIZED']);
      assert.notEqual(kept.tokens?.access_token, first);
      assert.equal(await auth(provider, options), 'AUTHORIZED', 'and the pair they got goes on');

      await server.query('update oauth_grants set revoked_at = pharlo_now()');
      await connect();
      assert.equal((await server.query('select count(*) as n from oauth_grants'))[0]?.n, 2);
    });
  }
}
