import { createHash, randomBytes } from 'node:crypto';
import type { Harness } from './harness.ts';

const redirectUri = 'http://127.0.0.1:4999/callback';

/** The whole way of a client to an access token, over HTTP. Without `resource` the token also opens the REST API. */
export async function getToken(
  pharlo: Harness,
  options: { key?: string; scope?: string; resource?: string | null } = {},
): Promise<string> {
  const { url } = pharlo;
  const resource = options.resource === undefined ? `${url}/_mcp` : options.resource;
  const registered = await fetch(`${url}/oauth/mcp/register`, {
    method: 'POST',
    headers: { 'content-type': 'application/json' },
    body: JSON.stringify({ redirect_uris: [redirectUri], client_name: 'Test', token_endpoint_auth_method: 'none' }),
  });
  const { client_id } = (await registered.json()) as { client_id: string };
  const verifier = randomBytes(32).toString('base64url');
  const query = new URLSearchParams({
    client_id,
    redirect_uri: redirectUri,
    response_type: 'code',
    code_challenge: createHash('sha256').update(verifier).digest('base64url'),
    code_challenge_method: 'S256',
    ...(options.scope && { scope: options.scope }),
    ...(resource && { resource }),
  });
  const begun = await fetch(`${url}/oauth/mcp/authorize?${query}`, { redirect: 'manual' });
  const page = new URL(begun.headers.get('location') ?? '', url);
  const cookie = begun.headers.get('set-cookie')?.split(';')[0] ?? '';
  const html = await (await fetch(page, { headers: { cookie } })).text();
  const scopes = [...html.matchAll(/name="scope" value="([^"]+)"/g)].map(([, scope]) => scope ?? '');
  const form = new URLSearchParams({ key: options.key ?? pharlo.key, decision: 'authorize' });
  for (const scope of scopes) form.append('scope', scope);
  const decided = await fetch(page, { method: 'POST', headers: { cookie }, body: form, redirect: 'manual' });
  const code = new URL(decided.headers.get('location') ?? '').searchParams.get('code') ?? '';
  const exchanged = await fetch(`${url}/oauth/mcp/token`, {
    method: 'POST',
    body: new URLSearchParams({
      grant_type: 'authorization_code',
      client_id,
      code,
      redirect_uri: redirectUri,
      code_verifier: verifier,
      ...(resource && { resource }),
    }),
  });
  const { access_token } = (await exchanged.json()) as { access_token?: string };
  if (!access_token) throw new Error(`No token: ${exchanged.status}`);
  return access_token;
}

export type RpcAnswer = { status: number; headers: Headers; text: string; body: Record<string, unknown> };

/** One POST to /_mcp as a client of 2025-06-18 sends it; `body` may be text. */
export async function rpc(
  pharlo: Harness,
  token: string | undefined,
  body: unknown,
  headers: Record<string, string> = {},
): Promise<RpcAnswer> {
  const response = await fetch(`${pharlo.url}/_mcp`, {
    method: 'POST',
    headers: {
      'content-type': 'application/json',
      accept: 'application/json, text/event-stream',
      'mcp-protocol-version': '2025-06-18',
      ...(token !== undefined && { authorization: `Bearer ${token}` }),
      ...headers,
    },
    body: typeof body === 'string' ? body : JSON.stringify(body),
  });
  const text = await response.text();
  return { status: response.status, headers: response.headers, text, body: text ? JSON.parse(text) : {} };
}

let lastId = 0;

export function toolCall(name: string, input: unknown): Record<string, unknown> {
  lastId += 1;
  return { jsonrpc: '2.0', id: lastId, method: 'tools/call', params: { name, arguments: input } };
}

export type ToolResult = {
  isError?: boolean;
  content: { type: string; text: string }[];
  structuredContent?: Record<string, unknown>;
  _meta: {
    'pharlo.io/credits': { used: number; balance?: number };
    'pharlo.io/error'?: { code: string; message: string; details?: Record<string, string[]>; required?: number };
    'pharlo.io/replayed'?: boolean;
  };
};

/** Calls a tool; throws unless it answers a tool result. */
export async function callTool(pharlo: Harness, token: string, name: string, input: unknown): Promise<ToolResult> {
  const { status, text, body } = await rpc(pharlo, token, toolCall(name, input));
  if (status !== 200 || !body.result) throw new Error(`${name} answered ${status}: ${text}`);
  return body.result as ToolResult;
}
