import { createHash, randomBytes } from 'node:crypto';
import type { App } from '../../src/app.ts';
import type { Pair } from './pair.ts';

const redirectUri = 'https://app.example/cb';

/** A registered client; a name of its own, for an identical registration is answered with the same client. */
export async function register({ send }: Pair, replica: App): Promise<string> {
  const response = await send(replica, '/oauth/mcp/register', {
    method: 'POST',
    headers: { 'content-type': 'application/json' },
    body: JSON.stringify({ client_name: randomBytes(8).toString('hex'), redirect_uris: [redirectUri] }),
  });
  return ((await response.json()) as { client_id: string }).client_id;
}

export type Consent = {
  /** Sends the form with this key to one replica. */
  decide(replica: App, key: string, peer?: string): Promise<Response>;
  /** The rest of the token request. */
  verifier: string;
};

/** As far as the consent page, which `replica` makes. */
export async function begin({ send }: Pair, replica: App, clientId: string, resource?: string): Promise<Consent> {
  const verifier = randomBytes(32).toString('base64url');
  const query = new URLSearchParams({
    client_id: clientId,
    redirect_uri: redirectUri,
    response_type: 'code',
    code_challenge: createHash('sha256').update(verifier).digest('base64url'),
    code_challenge_method: 'S256',
    scope: 'mcp.write',
    ...(resource && { resource }),
  });
  const begun = await send(replica, `/oauth/mcp/authorize?${query}`);
  const page = begun.headers.get('location') ?? '';
  const cookie = begun.headers.get('set-cookie')?.split(';')[0] ?? '';
  const shown = await (await send(replica, page, { headers: { cookie } })).text();
  const scopes = [...shown.matchAll(/name="scope" value="([^"]+)"/g)].map(([, scope = '']) => ['scope', scope]);
  return {
    verifier,
    decide: (at, key, peer) => {
      const body = new URLSearchParams([['key', key], ['decision', 'authorize'], ...scopes]);
      return send(at, page, { method: 'POST', headers: { cookie }, body }, peer);
    },
  };
}

/** The form of a code exchange; the consent page is made by the first replica and answered by the second. */
export async function getCode(pair: Pair, clientId: string, resource?: string): Promise<Record<string, string>> {
  const [first, second] = pair.replicas;
  const consent = await begin(pair, first, clientId, resource);
  const decided = await consent.decide(second, pair.pharlo.key);
  return {
    grant_type: 'authorization_code',
    client_id: clientId,
    code: new URL(decided.headers.get('location') ?? '').searchParams.get('code') ?? '',
    redirect_uri: redirectUri,
    code_verifier: consent.verifier,
    ...(resource && { resource }),
  };
}

export type Answer = { status: number; body: Record<string, unknown> };

/** A token request. */
export async function token({ send }: Pair, replica: App, form: Record<string, string>): Promise<Answer> {
  const response = await send(replica, '/oauth/mcp/token', { method: 'POST', body: new URLSearchParams(form) });
  return { status: response.status, body: (await response.json()) as Record<string, unknown> };
}

/** A REST call with a key or token. */
export function callRest({ send }: Pair, replica: App, bearer: string, path: string, init: RequestInit = {}) {
  return send(replica, `/api/v1${path}`, { ...init, headers: { ...init.headers, authorization: `Bearer ${bearer}` } });
}

/** A call of /_mcp with a token. */
export function callMcp({ send }: Pair, replica: App, bearer: string): Promise<Response> {
  return send(replica, '/_mcp', {
    method: 'POST',
    headers: {
      'content-type': 'application/json',
      accept: 'application/json, text/event-stream',
      'mcp-protocol-version': '2025-06-18',
      authorization: `Bearer ${bearer}`,
    },
    body: JSON.stringify({ jsonrpc: '2.0', id: 1, method: 'tools/list', params: {} }),
  });
}
