import { createHash, randomBytes } from 'node:crypto';
import { request } from 'node:http';
import { type Harness, startHarness } from '../harness.ts';

export const issuer = 'https://pharlo.io';

export type Answer = { status: number; headers: Headers; text: string; json: Record<string, unknown> };

/** Pharlo as the documentation writes of it: under its public address, behind a proxy that ends TLS. */
export function startPublic(environment: Record<string, string> = {}): Promise<Harness> {
  return startHarness({ environment: { PHARLO_PUBLIC_URL: issuer, PHARLO_SANDBOX: 'off', ...environment } });
}

/** Sends a request for a public URL to the process, with the Host header a proxy passes on. Redirects are not followed. */
export async function send(
  pharlo: Harness,
  url: string,
  init: { method?: string; headers?: Record<string, string>; body?: string } = {},
): Promise<Answer> {
  const { pathname, search, host } = new URL(url);
  const { promise, resolve, reject } = Promise.withResolvers<Answer>();
  const outgoing = request(
    {
      host: '127.0.0.1',
      port: pharlo.app.deps.config.port,
      path: pathname + search,
      method: init.method ?? 'GET',
      headers: { host, ...init.headers },
    },
    async (incoming) => {
      const chunks: Buffer[] = [];
      for await (const chunk of incoming) chunks.push(chunk as Buffer);
      const text = Buffer.concat(chunks).toString();
      const headers = new Headers();
      for (const [name, values = []] of Object.entries(incoming.headersDistinct)) {
        for (const value of values) headers.append(name, value);
      }
      const isJson = headers.get('content-type')?.startsWith('application/json');
      resolve({ status: incoming.statusCode ?? 0, headers, text, json: isJson ? JSON.parse(text) : {} });
    },
  );
  outgoing.once('error', reject);
  outgoing.end(init.body);
  return promise;
}

/** Runs a printed curl command: -X, -H and -d as curl and a POSIX shell read them. */
export function curl(pharlo: Harness, command: string): Promise<Answer> {
  const [name, ...words] = shellWords(command);
  if (name !== 'curl') throw new Error('This is no curl command.');
  const headers: Record<string, string> = {};
  const data: string[] = [];
  let method: string | undefined;
  let url = '';
  while (words.length > 0) {
    const word = words.shift() ?? '';
    if (word === '-X') method = words.shift();
    else if (word === '-d') data.push(words.shift() ?? '');
    else if (word === '-H') {
      const [field = '', ...value] = (words.shift() ?? '').split(':');
      headers[field.toLowerCase()] = value.join(':').trim();
    } else url = word;
  }
  const body = data.length > 0 ? data.join('&') : undefined;
  return send(pharlo, url, { method: method ?? (body ? 'POST' : 'GET'), headers, ...(body && { body }) });
}

/** Splits a command line: quotes are taken away, a backslash at the end of a line joins it with the next one. */
function shellWords(command: string): string[] {
  const words = command.trim().matchAll(/(?:'[^']*'|"(?:\\[\s\S]|[^"\\])*"|\\[\s\S]|[^\s'"\\])+/g);
  return [...words]
    .map(([word]) =>
      word.replace(/'([^']*)'|"((?:\\[\s\S]|[^"\\])*)"|\\([\s\S])/g, (_, single, double, escaped) => {
        if (single !== undefined) return single;
        if (double !== undefined) return double.replaceAll('\\\n', '');
        return escaped === '\n' ? '' : escaped;
      }),
    )
    .filter((word) => word !== '');
}

export const redirectUri = 'https://my-agent.example.com/oauth/callback';

/** A verifier and its challenge, made as the documentation says. */
export function makePkce(): { codeVerifier: string; codeChallenge: string } {
  const codeVerifier = randomBytes(32).toString('base64url');
  const codeChallenge = createHash('sha256').update(codeVerifier).digest('base64url');
  return { codeVerifier, codeChallenge };
}

export async function register(pharlo: Harness, more: object = {}): Promise<string> {
  const { json } = await send(pharlo, `${issuer}/oauth/mcp/register`, {
    method: 'POST',
    headers: { 'content-type': 'application/json' },
    body: JSON.stringify({
      client_name: 'My AI Agent',
      redirect_uris: [redirectUri],
      grant_types: ['authorization_code', 'refresh_token'],
      token_endpoint_auth_method: 'none',
      ...more,
    }),
  });
  return String(json.client_id);
}

/** The authorization URL; a parameter changed to undefined is left out. */
export function authorizeUrl(parameters: Record<string, string | undefined>): string {
  const all = {
    response_type: 'code',
    redirect_uri: redirectUri,
    scope: 'assignments:read assignments:write connections:read stats:read',
    code_challenge_method: 'S256',
    state: 'RANDOM_CSRF_TOKEN',
    ...parameters,
  };
  const given = Object.entries(all).filter((pair): pair is [string, string] => pair[1] !== undefined);
  return `${issuer}/oauth/mcp/authorize?${new URLSearchParams(given)}`;
}

export type Decision = { key?: string; deny?: boolean; untick?: string };

/** Opens the authorization URL as a browser does and decides on the consent page; answers where the browser is sent. */
export async function consent(pharlo: Harness, url: string, decision: Decision = {}): Promise<URL> {
  const begun = await send(pharlo, url);
  const location = begun.headers.get('location');
  if (begun.status !== 302 || !location) throw new Error(`No redirect but status ${begun.status}.`);
  const page = new URL(location, issuer).href;
  const cookie = begun.headers.get('set-cookie')?.split(';')[0] ?? '';
  const shown = await send(pharlo, page, { headers: { cookie } });
  const form = new URLSearchParams({
    key: decision.key ?? pharlo.key,
    decision: decision.deny ? 'deny' : 'authorize',
  });
  for (const [, scope = ''] of shown.text.matchAll(/name="scope" value="([^"]+)" checked/g)) {
    if (scope !== decision.untick) form.append('scope', scope);
  }
  const decided = await send(pharlo, page, {
    method: 'POST',
    headers: { cookie, origin: issuer, 'content-type': 'application/x-www-form-urlencoded' },
    body: form.toString(),
  });
  const target = decided.headers.get('location');
  if (decided.status !== 302 || !target) throw new Error(`No redirect but status ${decided.status}: ${decided.text}`);
  return new URL(target);
}

export function postForm(pharlo: Harness, path: string, form: Record<string, string>): Promise<Answer> {
  return send(pharlo, issuer + path, {
    method: 'POST',
    headers: { 'content-type': 'application/x-www-form-urlencoded' },
    body: new URLSearchParams(form).toString(),
  });
}

/** A code for a new verifier, and all that its exchange takes. */
export async function getCode(
  pharlo: Harness,
  clientId: string,
  changes: Record<string, string | undefined> = {},
  decision: Decision = {},
): Promise<Record<string, string>> {
  const { codeVerifier, codeChallenge } = makePkce();
  const url = authorizeUrl({ client_id: clientId, code_challenge: codeChallenge, ...changes });
  const code = (await consent(pharlo, url, decision)).searchParams.get('code') ?? '';
  return {
    grant_type: 'authorization_code',
    client_id: clientId,
    code,
    redirect_uri: changes.redirect_uri ?? redirectUri,
    code_verifier: codeVerifier,
  };
}

export type Tokens = { access_token: string; refresh_token: string; expires_in: number; scope: string };

export async function getTokens(
  pharlo: Harness,
  clientId: string,
  changes: Record<string, string | undefined> = {},
  decision: Decision = {},
): Promise<Tokens> {
  const { status, json, text } = await exchange(pharlo, await getCode(pharlo, clientId, changes, decision));
  if (status !== 200) throw new Error(`No tokens: ${text}`);
  return json as Tokens;
}

export function exchange(pharlo: Harness, form: Record<string, string>): Promise<Answer> {
  return postForm(pharlo, '/oauth/mcp/token', form);
}

export function refresh(pharlo: Harness, clientId: string, token: string): Promise<Answer> {
  return exchange(pharlo, { grant_type: 'refresh_token', client_id: clientId, refresh_token: token });
}

/** One message to /_mcp with this Authorization header. */
export function callMcp(
  pharlo: Harness,
  authorization: string | undefined,
  method = 'tools/list',
  params: object = {},
  headers: Record<string, string> = {},
): Promise<Answer> {
  return send(pharlo, `${issuer}/_mcp`, {
    method: 'POST',
    headers: {
      'content-type': 'application/json',
      accept: 'application/json, text/event-stream',
      'mcp-protocol-version': '2025-06-18',
      ...(authorization !== undefined && { authorization }),
      ...headers,
    },
    body: JSON.stringify({ jsonrpc: '2.0', id: 1, method, params }),
  });
}

/** Status and error value, for short assertions. */
export function outcome({ status, json }: Answer): [number, unknown] {
  return [status, json.error ?? 'ok'];
}
