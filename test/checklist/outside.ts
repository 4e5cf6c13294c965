import assert from 'node:assert/strict';
import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import type { World } from '../../src/app.ts';
import { scopes } from '../../src/domain/access.ts';
import { type Harness, startHarness } from '../harness.ts';
import { type Answer, callMcp, issuer, makePkce, send } from '../seeds/wire.ts';

export type { Harness } from '../harness.ts';
export { type Answer, callMcp, issuer, outcome, send } from '../seeds/wire.ts';

export const redirectUri = 'https://a.example/cb';
export const resource = `${issuer}/_mcp`;
export const { codeVerifier, codeChallenge } = makePkce();

/** An origin the operator allows beside Claude's. */
export const inspector = 'https://inspector.example';

/** Parameters, headers or form fields; one that is undefined is left out. */
export type Fields = Record<string, string | undefined>;

/** Pharlo under its public address, behind a proxy that says where requests come from. */
export function startPharlo(options: { environment?: Record<string, string>; world?: Partial<World> } = {}) {
  const environment = {
    PHARLO_PUBLIC_URL: issuer,
    PHARLO_SANDBOX: 'off',
    PHARLO_TRUSTED_PROXIES: '127.0.0.0/8',
    PHARLO_ALLOWED_ORIGINS: inspector,
    ...options.environment,
  };
  return startHarness({ ...options, environment });
}

let networks = 0;

/** The header of a network nobody has asked from before. */
export function fromElsewhere(): { 'x-forwarded-for': string } {
  networks += 1;
  return { 'x-forwarded-for': `198.${18 + (networks >> 16)}.${(networks >> 8) & 255}.${networks & 255}` };
}

function present(fields: Fields): [string, string][] {
  return Object.entries(fields).filter((pair): pair is [string, string] => pair[1] !== undefined);
}

export function get(pharlo: Harness, path: string, headers: Record<string, string> = {}): Promise<Answer> {
  return send(pharlo, issuer + path, { headers });
}

export function register(pharlo: Harness, body: unknown, headers: Record<string, string> = {}): Promise<Answer> {
  return send(pharlo, `${issuer}/oauth/mcp/register`, {
    method: 'POST',
    headers: { 'content-type': 'application/json', ...headers },
    body: typeof body === 'string' ? body : JSON.stringify(body),
  });
}

let clients = 0;

/** The id of a new public client; its name is its own, or the answer would be a client that is there. */
export async function newClient(pharlo: Harness, more: object = {}): Promise<string> {
  clients += 1;
  const body = { redirect_uris: [redirectUri], client_name: `Checked App ${clients}` };
  const { json } = await register(pharlo, { ...body, ...more });
  return String(json.client_id);
}

/** A good authorization request with these changes, as a path. */
export function authorizePath(clientId: string, changes: Fields = {}): string {
  const all: Fields = {
    client_id: clientId,
    redirect_uri: redirectUri,
    response_type: 'code',
    code_challenge: codeChallenge,
    code_challenge_method: 'S256',
    state: 's',
    ...changes,
  };
  return `/oauth/mcp/authorize?${new URLSearchParams(present(all))}`;
}

export function authorize(pharlo: Harness, clientId: string, changes: Fields = {}, headers = {}): Promise<Answer> {
  return get(pharlo, authorizePath(clientId, changes), headers);
}

/** A consent page and the browser it was opened in. */
export type Page = { path: string; cookie: string };

/** As far as the consent page. */
export async function begin(pharlo: Harness, clientId: string, changes: Fields = {}): Promise<Page> {
  const { headers } = await authorize(pharlo, clientId, changes);
  return { path: headers.get('location') ?? '', cookie: headers.get('set-cookie')?.split(';')[0] ?? '' };
}

export function show(pharlo: Harness, { path, cookie }: Page): Promise<Answer> {
  return get(pharlo, path, { cookie });
}

export function post(
  pharlo: Harness,
  path: string,
  form: Fields | [string, string][],
  headers: Record<string, string> = {},
): Promise<Answer> {
  return send(pharlo, issuer + path, {
    method: 'POST',
    headers: { 'content-type': 'application/x-www-form-urlencoded', ...headers },
    body: new URLSearchParams(Array.isArray(form) ? form : present(form)).toString(),
  });
}

/** Sends the page's form as its browser does. */
export function decide(
  pharlo: Harness,
  { path, cookie }: Page,
  decision: 'authorize' | 'deny',
  key: string,
  headers: Record<string, string> = {},
): Promise<Answer> {
  const boxes = scopes.map((scope): [string, string] => ['scope', scope]);
  return post(pharlo, path, [['key', key], ['decision', decision], ...boxes], { cookie, ...headers });
}

/** Where a redirect leads; fails when the answer is none. */
export function target(answer: Answer): URL {
  assert.equal(answer.status, 302, answer.text);
  return new URL(answer.headers.get('location') ?? '', issuer);
}

/** A page that says no and sends the browser nowhere. */
export function assertPage(answer: Answer, status: number, message = 'a page'): void {
  assert.deepEqual([answer.status, answer.headers.get('location')], [status, null], message);
  assert.match(answer.headers.get('content-type') ?? '', /^text\/html/, message);
}

/** What a person reads on a page. */
export function wordsOf({ text }: Answer): string {
  const body = text.replace(/<style>[\s\S]*?<\/style>/, '').replace(/<[^>]+>/g, ' ');
  return body.replace(/\s+/g, ' ');
}

export async function getCode(pharlo: Harness, clientId: string, changes: Fields = {}, key = pharlo.key) {
  const decided = await decide(pharlo, await begin(pharlo, clientId, changes), 'authorize', key);
  return target(decided).searchParams.get('code') ?? '';
}

export const token = (pharlo: Harness, form: Fields | [string, string][], headers: Record<string, string> = {}) =>
  post(pharlo, '/oauth/mcp/token', form, headers);

export function exchange(pharlo: Harness, clientId: string, code: string, changes: Fields = {}): Promise<Answer> {
  const bound = { client_id: clientId, redirect_uri: redirectUri, code_verifier: codeVerifier };
  return token(pharlo, { grant_type: 'authorization_code', code, ...bound, ...changes });
}

export function refresh(pharlo: Harness, clientId: string, refreshToken: string, changes: Fields = {}) {
  const form = { grant_type: 'refresh_token', client_id: clientId, refresh_token: refreshToken };
  return token(pharlo, { ...form, ...changes });
}

export const revoke = (pharlo: Harness, clientId: string, secret: string) =>
  post(pharlo, '/oauth/mcp/revoke', { client_id: clientId, token: secret });

export const introspect = (pharlo: Harness, clientId: string | undefined, secret: string) =>
  post(pharlo, '/oauth/mcp/introspect', { client_id: clientId, token: secret });

export type Tokens = { access_token: string; refresh_token: string; scope: string };

/** The tokens of an answer that has to hold some. */
export function tokensOf(answer: Answer): Tokens {
  assert.equal(answer.status, 200, answer.text);
  return answer.json as Tokens;
}

/** The whole way to tokens, of a client that names the resource. */
export async function getTokens(pharlo: Harness, clientId: string, changes: Fields = {}, key = pharlo.key) {
  const code = await getCode(pharlo, clientId, { resource, ...changes }, key);
  return tokensOf(await exchange(pharlo, clientId, code));
}

/** Status of a call to /_mcp with this token: 200 while it lives, 401 afterwards. */
export async function mcpStatus(pharlo: Harness, accessToken: string): Promise<number> {
  return (await callMcp(pharlo, `Bearer ${accessToken}`)).status;
}

export type Row = Record<string, unknown>;

export function query(pharlo: Harness, text: string, values: unknown[] = []): Promise<Row[]> {
  return pharlo.app.deps.db.query<Row>({ text, values });
}

/** A server on loopback that counts who comes; nobody should. */
export async function startCanary() {
  let connections = 0;
  const server = createServer((_request, response) => response.end('{}'));
  server.on('connection', () => {
    connections += 1;
  });
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  return {
    url: `http://127.0.0.1:${(server.address() as AddressInfo).port}`,
    connections: () => connections,
    async [Symbol.asyncDispose]() {
      server.closeAllConnections();
      await new Promise((resolve) => server.close(resolve));
    },
  };
}
