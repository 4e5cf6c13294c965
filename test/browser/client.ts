import { createHash, randomBytes } from 'node:crypto';
import type { Harness } from '../harness.ts';

/** Registers a public client; answers its id. */
export async function register(pharlo: Harness, name: string, redirectUri: string): Promise<string> {
  const response = await fetch(`${pharlo.url}/oauth/mcp/register`, {
    method: 'POST',
    headers: { 'content-type': 'application/json' },
    body: JSON.stringify({ redirect_uris: [redirectUri], client_name: name, token_endpoint_auth_method: 'none' }),
  });
  const { client_id } = (await response.json()) as { client_id?: string };
  if (!client_id) throw new Error(`The registration was answered with ${response.status}.`);
  return client_id;
}

/** An authorization request of a client, and how it turns the answer into a token. */
export type AuthorizationRequest = {
  /** What the browser is sent to. */
  url: string;
  /** Checks state and issuer of the callback and exchanges its code; answers the token endpoint's answer. */
  exchange(callback: string): Promise<{ access_token: string; scope: string }>;
};

/** `changes` replace parameters of the request. */
export function openRequest(
  pharlo: Harness,
  clientId: string,
  redirectUri: string,
  changes: Record<string, string> = {},
): AuthorizationRequest {
  const verifier = randomBytes(32).toString('base64url');
  const state = randomBytes(8).toString('hex');
  const resource = `${pharlo.url}/_mcp`;
  const parameters = new URLSearchParams({
    client_id: clientId,
    redirect_uri: redirectUri,
    response_type: 'code',
    code_challenge: createHash('sha256').update(verifier).digest('base64url'),
    code_challenge_method: 'S256',
    state,
    resource,
    ...changes,
  });
  return {
    url: `${pharlo.url}/oauth/mcp/authorize?${parameters}`,
    async exchange(callback) {
      const answer = new URL(callback).searchParams;
      if (answer.get('state') !== state || answer.get('iss') !== pharlo.url) throw new Error('A foreign answer.');
      const body = new URLSearchParams({
        grant_type: 'authorization_code',
        client_id: clientId,
        code: answer.get('code') ?? '',
        redirect_uri: redirectUri,
        code_verifier: verifier,
        resource,
      });
      const response = await fetch(`${pharlo.url}/oauth/mcp/token`, { method: 'POST', body });
      if (response.status !== 200) throw new Error(`The exchange was answered with ${response.status}.`);
      return (await response.json()) as { access_token: string; scope: string };
    },
  };
}
