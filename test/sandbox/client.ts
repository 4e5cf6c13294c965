import assert from 'node:assert/strict';
import { createHash, randomBytes, randomUUID } from 'node:crypto';
import { mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { TestContext } from 'node:test';
import { createSandbox } from '../../src/sandbox/index.ts';

export const origin = 'http://127.0.0.1:3000';
export const redirectUri = 'http://localhost:3000/api/v1/oauth/youtube/callback';
export const scopePrefix = 'https://www.googleapis.com/auth/';
export const bothScopes = `${scopePrefix}youtube.upload ${scopePrefix}youtube.readonly`;
export const sample = readFileSync(new URL('../../src/sandbox/assets/sample.mp4', import.meta.url));
export const unit = 256 * 1024;

export type Json = Record<string, unknown>;

/** Walks into JSON by keys and indexes; undefined when something on the way is missing. */
export function at(value: unknown, ...path: (string | number)[]): unknown {
  return path.reduce<unknown>((inner, key) => (inner as Json | undefined)?.[key], value);
}

export function start(t: TestContext, dataDir = mkdtempSync(join(tmpdir(), 'pharlo-sandbox-'))) {
  const clock = { now: Date.UTC(2030, 0, 1) };
  const open = () =>
    createSandbox({ origin, dataDir, now: () => clock.now, random: (bytes) => new Uint8Array(randomBytes(bytes)) });
  let sandbox = open();
  t.after(() => {
    sandbox.dispose();
    rmSync(dataDir, { recursive: true, force: true });
  });
  const clientId = `pharlo-sandbox.${randomUUID()}`;
  return {
    clock,
    clientId,
    call: async (path: string, init?: RequestInit & { duplex?: 'half' }) =>
      sandbox.fetch(new Request(new URL(path, origin), init)),
    restart() {
      sandbox.dispose();
      sandbox = open();
    },
  };
}
export type Network = ReturnType<typeof start>;

export const verifier = 'v'.repeat(43);
export const challenge = createHash('sha256').update(verifier).digest('base64url');

export async function openConsent(network: Network, extra: Record<string, string> = {}) {
  const query = new URLSearchParams({
    response_type: 'code',
    client_id: network.clientId,
    redirect_uri: redirectUri,
    scope: bothScopes,
    state: 'a&b',
    access_type: 'offline',
    code_challenge: challenge,
    code_challenge_method: 'S256',
    ...extra,
  });
  const response = await network.call(`/youtube/o/oauth2/v2/auth?${query}`);
  const page = await response.text();
  const field = (name: string) => new RegExp(`name="${name}" value="([^"]+)"`).exec(page)?.[1] ?? '';
  return { response, page, request: field('request'), channel: field('channel') };
}

export async function decide(network: Network, form: [string, string][]) {
  const response = await network.call('/youtube/o/oauth2/v2/auth', { method: 'POST', body: new URLSearchParams(form) });
  return { response, answer: new URL(response.headers.get('Location') ?? 'x:').searchParams };
}

export async function consent(network: Network, options: { scopes?: string; extra?: Record<string, string> } = {}) {
  const { request, channel } = await openConsent(network, options.extra);
  const scopes = (options.scopes ?? bothScopes).split(' ').map((scope): [string, string] => ['scope', scope]);
  const { answer } = await decide(network, [
    ['request', request],
    ['channel', channel],
    ['decision', 'allow'],
    ...scopes,
  ]);
  return answer.get('code') ?? '';
}

export async function token(network: Network, form: Record<string, string>) {
  const credentials = { client_id: network.clientId, client_secret: 'sandbox' };
  const body = new URLSearchParams({ ...credentials, ...form });
  const response = await network.call('/youtube/token', { method: 'POST', body });
  return { status: response.status, body: (await response.json()) as Json };
}

export function exchange(network: Network, code: string, extra: Record<string, string> = {}) {
  const form = { grant_type: 'authorization_code', code, redirect_uri: redirectUri, code_verifier: verifier, ...extra };
  return token(network, form);
}

export async function connect(network: Network, options: { scopes?: string; extra?: Record<string, string> } = {}) {
  const { body } = await exchange(network, await consent(network, options));
  return { access: String(body.access_token), refresh: body.refresh_token as string | undefined, body };
}

export function authorization(access: string) {
  return { Authorization: `Bearer ${access}` };
}

export async function get(network: Network, path: string, access: string) {
  const response = await network.call(path, { headers: authorization(access) });
  return { status: response.status, headers: response.headers, body: (await response.json()) as Json };
}

export const plainMetadata = {
  snippet: { title: 'First light' },
  status: { privacyStatus: 'private' },
};

export function begin(
  network: Network,
  access: string,
  metadata: unknown = plainMetadata,
  headers: Record<string, string> = {},
) {
  return network.call('/youtube/upload/youtube/v3/videos?uploadType=resumable&part=snippet,status', {
    method: 'POST',
    headers: {
      ...authorization(access),
      'Content-Type': 'application/json; charset=UTF-8',
      Slug: 'a%20b.mp4',
      ...headers,
    },
    body: JSON.stringify(metadata),
  });
}

export async function session(network: Network, access: string, headers: Record<string, string> = {}) {
  return (await begin(network, access, plainMetadata, headers)).headers.get('Location') ?? '';
}

export async function put(network: Network, location: string, range: string | undefined, body?: RequestInit['body']) {
  const headers = {
    ...(range !== undefined && { 'Content-Range': range }),
    ...(body === undefined && { 'Content-Length': '0' }),
  };
  const response = await network.call(location, {
    method: 'PUT',
    headers,
    ...(body !== undefined && { body, duplex: 'half' as const }),
  });
  const text = await response.text();
  return {
    status: response.status,
    range: response.headers.get('Range'),
    body: text === '' ? undefined : (JSON.parse(text) as Json),
  };
}

export async function publish(network: Network, access: string, bytes: Uint8Array<ArrayBuffer> = sample) {
  const location = await session(network, access);
  const done = await put(
    network,
    location,
    bytes.length === 0 ? 'bytes */0' : `bytes 0-${bytes.length - 1}/${bytes.length}`,
    bytes.length === 0 ? undefined : bytes,
  );
  assert.equal(done.status, 200);
  return String(done.body?.id);
}

export async function published(network: Network, clientId = network.clientId) {
  const { items } = (await (await network.call(`/youtube/_videos?client_id=${clientId}`)).json()) as { items: Json[] };
  return items;
}
