import { codeChallenge, codeVerifier, redirectUri } from './world.ts';

/** Where a client stands: the server, who it is, for which resource it asks. */
type Client = { url: string; clientId: string; resource: string };

export async function registered(url: string): Promise<string> {
  const answer = await fetch(`${url}/oauth/mcp/register`, {
    method: 'POST',
    headers: { 'content-type': 'application/json' },
    body: JSON.stringify({ redirect_uris: [redirectUri], client_name: 'Fuzz' }),
  });
  return ((await answer.json()) as { client_id: string }).client_id;
}

/** A consent page and the cookie of the browser it is for. */
export async function consentPage({ url, clientId, resource }: Client): Promise<{ path: string; cookie: string }> {
  const asked = new URLSearchParams({
    client_id: clientId,
    redirect_uri: redirectUri,
    response_type: 'code',
    code_challenge: codeChallenge,
    code_challenge_method: 'S256',
    resource,
  });
  const answer = await fetch(`${url}/oauth/mcp/authorize?${asked}`, { redirect: 'manual' });
  const cookie = answer.headers.get('set-cookie')?.split(';')[0] ?? '';
  return { path: new URL(answer.headers.get('location') ?? '', url).pathname, cookie };
}

export async function code(client: Client, key: string, scopes: readonly string[]): Promise<string> {
  const { path, cookie } = await consentPage(client);
  const body = new URLSearchParams({ key, decision: 'authorize' });
  for (const scope of scopes) body.append('scope', scope);
  const init = { method: 'POST', headers: { cookie }, body, redirect: 'manual' } as const;
  const decided = await fetch(client.url + path, init);
  return new URL(decided.headers.get('location') ?? '').searchParams.get('code') ?? '';
}

export async function tokens(
  client: Client,
  key: string,
  scopes: readonly string[],
): Promise<{ access: string; refresh: string }> {
  const body = new URLSearchParams({
    grant_type: 'authorization_code',
    client_id: client.clientId,
    code: await code(client, key, scopes),
    redirect_uri: redirectUri,
    code_verifier: codeVerifier,
    resource: client.resource,
  });
  const answer = await fetch(`${client.url}/oauth/mcp/token`, { method: 'POST', body });
  const { access_token, refresh_token } = (await answer.json()) as Record<string, string>;
  if (!access_token || !refresh_token) throw new Error(`No tokens: ${answer.status}`);
  return { access: access_token, refresh: refresh_token };
}
