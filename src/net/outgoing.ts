import { lookup as systemLookup } from 'node:dns';
import type { LookupFunction } from 'node:net';
import { Agent } from 'undici';
import { createConnector, type Reach, type Target } from './connector.ts';
import { OutgoingError } from './errors.ts';
import { exchange, type RequestBody, release } from './exchange.ts';
import { acrossOrigins, withoutCredentials } from './headers.ts';
import { allowedHosts, inspectUrl, outgoingUrl } from './urls.ts';

export { OutgoingError, type OutgoingErrorCode } from './errors.ts';
export { checkPublicUrl } from './urls.ts';

/** All in ms. `headersMs` counts from the end of the request, `bodyIdleMs` between two chunks that are wanted. */
export type OutgoingLimits = { connectMs: number; headersMs: number; bodyIdleMs: number };

export type OutgoingOptions = {
  /** `host` or `host:port` entries that media and callbacks may reach although they are private. */
  allowedPrivateHosts: readonly string[];
  lookup?: LookupFunction;
  limits?: Partial<OutgoingLimits>;
};

export type PlatformFetch = (
  url: string,
  init?: { method?: string; headers?: Record<string, string>; body?: RequestBody; signal?: AbortSignal },
) => Promise<Response>;

export type OutgoingDocument = { status: number; headers: Headers; body: Uint8Array };

export type Outgoing = AsyncDisposable & {
  /** GET or HEAD of media a user named: http or https, at most 5 redirects, each checked; never carries credentials. */
  media(
    url: string,
    init?: { method?: 'GET' | 'HEAD'; headers?: Record<string, string>; signal?: AbortSignal },
  ): Promise<Response>;
  /** POST to a user's URL: https, or http to allowed private hosts. A redirect is returned as it is. */
  callback(
    url: string,
    init: { headers: Record<string, string>; body: string; signal?: AbortSignal },
  ): Promise<Response>;
  /**
   * A fetch for one real platform: https to exactly these hosts (`host` or `host:port`) at public addresses, and the
   * origins of the operator's own base URLs, which may be http and private. Redirects are returned as they are.
   */
  platform(options: { hosts: readonly string[]; operatorBases?: readonly string[] }): PlatformFetch;
  /** A fetch that reaches this exact origin, loopback or not, and nothing else. Redirects are returned as they are. */
  sandbox(origin: string): PlatformFetch;
  /** GET of a small public document: https on port 443, no redirects, read whole within `maxBytes` and `timeoutMs`. */
  document(url: string, init: { maxBytes: number; timeoutMs: number; signal?: AbortSignal }): Promise<OutgoingDocument>;
};

const LIMITS: OutgoingLimits = { connectMs: 10_000, headersMs: 60_000, bodyIdleMs: 30_000 };
const MAX_REDIRECTS = 5;
const REDIRECTS = new Set([301, 302, 303, 307, 308]);

/**
 * The only way out of the process. One dispatcher per policy, so that a socket opened under one is never used under
 * another; no proxy settings, no cookies. Disposing ends everything in flight.
 */
export function createOutgoing(options: OutgoingOptions): Outgoing {
  const allowed = allowedHosts(options.allowedPrivateHosts);
  const limits = { ...LIMITS, ...options.limits };
  const lookup: LookupFunction = options.lookup ?? ((name, how, done) => systemLookup(name, how, done));
  const agents: Agent[] = [];

  function agent(reach: (target: Target) => Reach): Agent {
    const created = new Agent({
      connect: createConnector({ reach, lookup, connectMs: limits.connectMs }),
      headersTimeout: limits.headersMs,
      bodyTimeout: limits.bodyIdleMs,
    });
    agents.push(created);
    return created;
  }

  const isSecure = (target: Target) => target.origin.startsWith('https:');
  const mediaAgent = agent(({ hostname, port }) => (allowed(hostname, port) ? 'any' : 'public'));
  const callbackAgent = agent((target) => {
    if (allowed(target.hostname, target.port)) return 'any';
    return isSecure(target) ? 'public' : 'none';
  });
  const documentAgent = agent((target) => (isSecure(target) ? 'public' : 'none'));
  const platformAgent = agent((target) => (isSecure(target) ? 'public' : 'none'));
  const pinned = new Map<string, Agent>();

  function pinnedAgent(purpose: 'operator' | 'sandbox', origin: string): Agent {
    const key = `${purpose} ${origin}`;
    const known = pinned.get(key) ?? agent((target) => (target.origin === origin ? 'any' : 'none'));
    pinned.set(key, known);
    return known;
  }

  /** A fetch whose URLs `choose` lets through, each with the dispatcher of its policy. */
  function confined(choose: (url: URL) => Agent | undefined): PlatformFetch {
    return async (text, init = {}) => {
      const url = URL.parse(text);
      const plain = url && url.username === '' && url.password === '';
      const chosen = plain ? choose(url) : undefined;
      if (!plain || !chosen) {
        release(init.body);
        throw new OutgoingError(plain ? 'blocked_address' : 'invalid_url');
      }
      return exchange(chosen, url, { ...init, method: init.method ?? 'GET' });
    };
  }

  return {
    async media(text, init = {}) {
      const method = init.method ?? 'GET';
      const signal = init.signal ? { signal: init.signal } : {};
      let url = outgoingUrl(text, 'media', allowed);
      let headers = withoutCredentials(init.headers);
      for (let redirects = 0; ; redirects++) {
        const response = await exchange(mediaAgent, url, { method, headers, ...signal });
        const location = REDIRECTS.has(response.status) ? response.headers.get('location') : null;
        if (location === null) return response;
        await response.body?.cancel();
        if (redirects === MAX_REDIRECTS) throw new OutgoingError('too_many_redirects', true);
        const next = URL.parse(location, url);
        const problem = next ? inspectUrl(next, 'media', allowed) : 'invalid_url';
        if (!next || problem) {
          throw new OutgoingError(problem === 'blocked_address' ? problem : 'redirect_refused', true);
        }
        if (next.origin !== url.origin) headers = acrossOrigins(headers);
        url = next;
      }
    },

    async callback(text, init) {
      return exchange(callbackAgent, outgoingUrl(text, 'callback', allowed), { ...init, method: 'POST' });
    },

    platform({ hosts, operatorBases = [] }) {
      const declared = new Set(hosts.map((host) => new URL(`https://${host}`).host));
      const operator = new Map(
        operatorBases.map((base) => new URL(base).origin).map((o) => [o, pinnedAgent('operator', o)]),
      );
      return confined((url) => {
        const own = operator.get(url.origin);
        if (own) return own;
        return declared.has(url.host) && !inspectUrl(url, 'callback', () => false) ? platformAgent : undefined;
      });
    },

    sandbox(base) {
      const { origin } = new URL(base);
      const only = pinnedAgent('sandbox', origin);
      return confined((url) => (url.origin === origin ? only : undefined));
    },

    async document(text, { maxBytes, timeoutMs, signal: given }) {
      const url = outgoingUrl(text, 'document', allowed);
      const deadline = AbortSignal.timeout(timeoutMs);
      const signal = given ? AbortSignal.any([given, deadline]) : deadline;
      const response = await exchange(documentAgent, url, { method: 'GET', signal });
      if (REDIRECTS.has(response.status)) {
        await response.body?.cancel();
        throw new OutgoingError('redirect_refused', true);
      }
      return { status: response.status, headers: response.headers, body: await readCapped(response, maxBytes) };
    },

    async [Symbol.asyncDispose]() {
      await Promise.all(agents.map((one) => one.destroy()));
    },
  };
}

async function readCapped(response: Response, maxBytes: number): Promise<Uint8Array> {
  const chunks: Uint8Array[] = [];
  let size = 0;
  // Leaving the loop cancels the stream and with it the connection.
  for await (const chunk of response.body ?? []) {
    size += chunk.byteLength;
    if (size > maxBytes) throw new OutgoingError('too_large', true);
    chunks.push(chunk);
  }
  return Buffer.concat(chunks);
}
