import { createServer, type Server } from 'node:http';
import type { AddressInfo } from 'node:net';
import {
  Client,
  type ClientOptions,
  type OAuthClientProvider,
  type OAuthDiscoveryState,
  type StoredOAuthClientInformation,
  type StoredOAuthTokens,
  StreamableHTTPClientTransport,
  UnauthorizedError,
} from '@modelcontextprotocol/client';

/** Opens a URL where a person is, as a desktop agent opens the browser. */
export type OpenForPerson = (url: string) => Promise<void>;

type Kept = {
  client?: StoredOAuthClientInformation;
  tokens?: StoredOAuthTokens;
  verifier?: string;
  discovery?: OAuthDiscoveryState;
};

export type Agent = AsyncDisposable & {
  client: Client;
  tokens: () => StoredOAuthTokens | undefined;
  /** Calls a tool and answers its structured result; a tool error is thrown with its text. */
  call(name: string, input: Record<string, unknown>): Promise<Record<string, unknown>>;
};

/**
 * An agent as agents are: the official MCP client with a callback on loopback. It meets a 401, registers itself, sends
 * the person to the consent page and comes back with tokens.
 */
export async function connectAgent(mcpUrl: string, open: OpenForPerson, options: ClientOptions = {}): Promise<Agent> {
  const callback = await listenForCode();
  const kept: Kept = {};
  const provider: OAuthClientProvider = {
    redirectUrl: callback.url,
    clientMetadata: {
      client_name: 'Demo agent',
      redirect_uris: [callback.url],
      grant_types: ['authorization_code', 'refresh_token'],
      response_types: ['code'],
      token_endpoint_auth_method: 'none',
    },
    clientInformation: () => kept.client,
    saveClientInformation: (information) => {
      kept.client = information;
    },
    tokens: () => kept.tokens,
    saveTokens: (tokens) => {
      kept.tokens = tokens;
    },
    redirectToAuthorization: (url) => open(url.href),
    saveCodeVerifier: (verifier) => {
      kept.verifier = verifier;
    },
    codeVerifier: () => kept.verifier ?? '',
    saveDiscoveryState: (state) => {
      kept.discovery = state;
    },
    discoveryState: () => kept.discovery,
  };
  const newClient = () => new Client({ name: 'demo-agent', version: '1.0.0' }, options);
  const url = new URL(mcpUrl);
  const transport = new StreamableHTTPClientTransport(url, { authProvider: provider });
  const first = newClient();
  let client = first;
  const close = async () => {
    await client.close();
    callback.server.close();
  };
  try {
    await first.connect(transport);
  } catch (error) {
    // The server must not outlive a failed connect.
    if (!(error instanceof UnauthorizedError)) {
      await close();
      throw error;
    }
    await transport.finishAuth(await callback.answer);
    client = newClient();
    await client.connect(new StreamableHTTPClientTransport(url, { authProvider: provider }));
  }
  return {
    client,
    tokens: () => kept.tokens,
    async call(name, input) {
      const result = await client.callTool({ name, arguments: input });
      const [first] = Array.isArray(result.content) ? result.content : [];
      if (result.isError) throw new Error(first?.type === 'text' ? first.text : `${name} failed`);
      return result.structuredContent as Record<string, unknown>;
    },
    [Symbol.asyncDispose]: close,
  };
}

async function listenForCode(): Promise<{ url: string; answer: Promise<URLSearchParams>; server: Server }> {
  const { promise, resolve } = Promise.withResolvers<URLSearchParams>();
  const server = createServer((request, response) => {
    const url = new URL(request.url ?? '/', 'http://127.0.0.1');
    if (url.pathname === '/callback') resolve(url.searchParams);
    response.setHeader('content-type', 'text/plain').end('You can go back to the agent.');
  });
  await new Promise<void>((done) => server.listen(0, '127.0.0.1', done));
  const { port } = server.address() as AddressInfo;
  return { url: `http://127.0.0.1:${port}/callback`, answer: promise, server };
}
