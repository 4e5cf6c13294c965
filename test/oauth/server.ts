import { createHash, randomBytes } from 'node:crypto';
import { Hono } from 'hono';
import { readConfig } from '../../src/config.ts';
import { type Scope, scopes } from '../../src/domain/access.ts';
import { hashSecret, newApiKey, newId } from '../../src/domain/ids.ts';
import type { HttpEnv } from '../../src/http.ts';
import { createLog } from '../../src/log.ts';
import { type OutgoingDocument, OutgoingError } from '../../src/net/outgoing.ts';
import type { OAuthDeps } from '../../src/oauth/context.ts';
import { oauthRoutes } from '../../src/oauth/index.ts';
import { insertKey } from '../../src/store/api-keys.ts';
import { openDb } from '../../src/store/db.ts';
import { createVault } from '../../src/vault.ts';
import { createTestDatabase } from '../database.ts';

export const issuer = 'https://pharlo.test';
export const redirectUri = 'https://app.example/cb';
export const verifier = 'v'.repeat(43);
export const codeChallenge = createHash('sha256').update(verifier).digest('base64url');

export type Row = Record<string, unknown>;
export type Json = { [key: string]: unknown };

/** The documents of the internet by URL; any other URL cannot be reached. */
export type Internet = Record<string, () => Promise<OutgoingDocument> | OutgoingDocument>;

type Options = { publicUrl?: string; format?: 'opaque' | 'jwt'; internet?: Internet; outgoing?: OAuthDeps['outgoing'] };

export async function createServer(options: Options = {}) {
  const publicUrl = options.publicUrl ?? issuer;
  const database = await createTestDatabase();
  const db = openDb({ url: database.url });
  const lines: string[] = [];
  let offset = 0;
  const now = () => Date.now() + offset;
  const deps: OAuthDeps = {
    config: readConfig({
      PHARLO_PUBLIC_URL: publicUrl,
      PHARLO_SANDBOX: 'off',
      PHARLO_ACCESS_TOKEN_FORMAT: options.format,
      PHARLO_REDIRECT_SCHEMES: 'appscheme',
      PHARLO_ALLOWED_ORIGINS: 'https://inspector.example',
    }),
    db,
    now,
    random: (bytes) => randomBytes(bytes),
    vault: createVault([randomBytes(32)], randomBytes),
    outgoing: options.outgoing ?? {
      async document(url) {
        const answer = options.internet?.[url];
        if (!answer) throw new OutgoingError('unreachable');
        return answer();
      },
    },
    log: createLog((line) => lines.push(line), now),
  };
  const app = new Hono<HttpEnv>()
    .use(async (c, next) => {
      c.set('network', c.req.header('x-test-network') ?? '192.0.2.1');
      await next();
    })
    .route('/', oauthRoutes(deps));
  const query = (text: string, values: unknown[] = []) => db.query<Row>({ text, values });
  const workspaceId = newId(now(), randomBytes);
  await query(`insert into plans (slug, name) values ('free', 'Free')`);
  await query(
    `insert into workspaces (id, slug, name, plan, cycle_started_at, cycle_resets_at)
     values ($1, 'w', 'W', 'free', pharlo_now(), pharlo_now())`,
    [workspaceId],
  );
  const server = {
    deps,
    query,
    lines,
    workspaceId,
    fetch: async (url: string, init?: RequestInit) => app.request(new URL(url, publicUrl), init),
    async advance(seconds: number) {
      offset += seconds * 1000;
      await database.setClockOffset(offset);
    },
    async addKey(more: { scopes?: readonly Scope[]; expiresAt?: Date; organizationId?: string } = {}) {
      const key = newApiKey(randomBytes);
      const id = newId(now(), randomBytes);
      const hint = key.slice(-4);
      await insertKey(db, { id, workspaceId, name: 'k', hint, keyHash: hashSecret(key), scopes, ...more });
      return { id, key };
    },
    async register(more: Json = {}) {
      const response = await server.registerRaw({ redirect_uris: [redirectUri], client_name: 'Tester', ...more });
      return (await response.json()) as Json & { client_id: string };
    },
    registerRaw: (body: unknown, headers: Record<string, string> = {}) =>
      server.fetch('/oauth/mcp/register', {
        method: 'POST',
        headers: { 'content-type': 'application/json', ...headers },
        body: typeof body === 'string' ? body : JSON.stringify(body),
      }),
    authorize: (clientId: string, changes: Record<string, string | undefined> = {}, headers = {}) => {
      const all: Record<string, string | undefined> = {
        client_id: clientId,
        redirect_uri: redirectUri,
        response_type: 'code',
        code_challenge: codeChallenge,
        code_challenge_method: 'S256',
        state: 's',
        ...changes,
      };
      const pairs = Object.entries(all).filter((pair): pair is [string, string] => pair[1] !== undefined);
      return server.fetch(`/oauth/mcp/authorize?${new URLSearchParams(pairs)}`, { headers });
    },
    /** As far as the consent page. */
    async begin(clientId: string, changes: Record<string, string | undefined> = {}) {
      const response = await server.authorize(clientId, changes);
      const page = response.headers.get('location') ?? '';
      return { page, cookie: (response.headers.get('set-cookie') ?? '').split(';')[0] ?? '' };
    },
    decide(at: { page: string; cookie: string }, form: [string, string][], headers: Record<string, string> = {}) {
      return server.fetch(at.page, {
        method: 'POST',
        headers: { 'content-type': 'application/x-www-form-urlencoded', cookie: at.cookie, ...headers },
        body: new URLSearchParams(form).toString(),
      });
    },
    allow(at: { page: string; cookie: string }, key: string, ticked: readonly string[] = scopes) {
      const boxes = ticked.map((scope): [string, string] => ['scope', scope]);
      return server.decide(at, [['key', key], ['decision', 'authorize'], ...boxes]);
    },
    /** The whole way to a code. */
    async getCode(clientId: string, key: string, changes: Record<string, string | undefined> = {}) {
      const answer = await server.allow(await server.begin(clientId, changes), key);
      return new URL(answer.headers.get('location') ?? '').searchParams.get('code') ?? '';
    },
    post: (path: string, form: Record<string, string> | [string, string][], headers: Record<string, string> = {}) =>
      server.fetch(path, {
        method: 'POST',
        headers: { 'content-type': 'application/x-www-form-urlencoded', ...headers },
        body: new URLSearchParams(form).toString(),
      }),
    token: (form: Record<string, string> | [string, string][], headers: Record<string, string> = {}) =>
      server.post('/oauth/mcp/token', form, headers),
    revoke: (clientId: string, token: string, more: Record<string, string> = {}) =>
      server.post('/oauth/mcp/revoke', { client_id: clientId, token, ...more }),
    introspect: (clientId: string, token: string, more: Record<string, string> = {}) =>
      server.post('/oauth/mcp/introspect', { client_id: clientId, token, ...more }),
    exchange: (clientId: string, code: string, changes: Record<string, string> = {}) =>
      server.token({
        grant_type: 'authorization_code',
        client_id: clientId,
        code,
        redirect_uri: redirectUri,
        code_verifier: verifier,
        ...changes,
      }),
    refresh: (clientId: string, token: string, changes: Record<string, string> = {}) =>
      server.token({ grant_type: 'refresh_token', client_id: clientId, refresh_token: token, ...changes }),
    /** The whole way to tokens. */
    async getTokens(clientId: string, key: string, changes: Record<string, string | undefined> = {}) {
      const response = await server.exchange(clientId, await server.getCode(clientId, key, changes));
      return (await response.json()) as { access_token: string; refresh_token: string; scope: string };
    },
    async [Symbol.asyncDispose]() {
      await db[Symbol.asyncDispose]();
      await database[Symbol.asyncDispose]();
    },
  };
  return server;
}

export type Server = Awaited<ReturnType<typeof createServer>>;

/** Status and error code of a JSON answer, for short assertions. */
export async function outcome(response: Response): Promise<[number, unknown]> {
  const body = (await response.json()) as Json;
  return [response.status, body.error ?? 'ok'];
}
