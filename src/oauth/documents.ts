import type { ClientRow } from '../store/oauth-clients.ts';
import { takeFromLimit } from '../store/rate-limits.ts';
import { readClientDocument } from './client-document.ts';
import type { OAuthDeps } from './context.ts';
import { tooMany } from './errors.ts';
import { limits } from './limits.ts';
import { noteRefusal } from './strangers.ts';

/** Seconds. */
export const documentLifetimes = {
  /** How long a copy is taken for the document itself. */
  fresh: 3600,
  /** How long a copy serves while the document cannot be read. */
  stale: 7 * 24 * 3600,
  failure: 60,
} as const;

const maxBytes = 10 * 1024;
const timeoutMs = 5000;
/** Documents and failures remembered; the oldest are forgotten first. */
const maxEntries = 1000;

type Entry = { until: number; client: ClientRow | undefined };

export type Documents = {
  /**
   * The client a document describes, undefined when it cannot be read or is not acceptable. Documents nobody consented
   * to yet count against their host and against who asks; throws `too_many_requests`.
   */
  read(url: string, asking: { network: string; known: boolean }): Promise<ClientRow | undefined>;
};

/** Fetches client metadata documents: one fetch in flight per URL, answers kept an hour, failures a minute. */
export function createDocuments(deps: OAuthDeps): Documents {
  const entries = new Map<string, Entry>();
  const inFlight = new Map<string, Promise<ClientRow | undefined>>();

  function remembered(url: string): Entry | undefined {
    const entry = entries.get(url);
    return entry && entry.until > deps.now() ? entry : undefined;
  }

  function remember(url: string, client: ClientRow | undefined): void {
    const seconds = client ? documentLifetimes.fresh : documentLifetimes.failure;
    entries.delete(url);
    entries.set(url, { client, until: deps.now() + seconds * 1000 });
    const [oldest] = entries.keys();
    if (entries.size > maxEntries && oldest !== undefined) entries.delete(oldest);
  }

  async function fetchOne(url: string, network: string): Promise<ClientRow | undefined> {
    const client = await fetchClient(deps, url);
    remember(url, client);
    if (!client) await noteRefusal(deps, network, 'document_refused', 'invalid_client');
    return client;
  }

  function join(url: string, network: string): Promise<ClientRow | undefined> {
    const running = inFlight.get(url) ?? fetchOne(url, network).finally(() => inFlight.delete(url));
    inFlight.set(url, running);
    return running;
  }

  return {
    async read(url, { network, known }) {
      const before = remembered(url);
      if (before) return before.client;
      if (!known && !inFlight.has(url)) await countFetch(deps, url, network);
      const meanwhile = remembered(url);
      return meanwhile ? meanwhile.client : join(url, network);
    },
  };
}

async function countFetch(deps: OAuthDeps, url: string, network: string): Promise<void> {
  const wait =
    (await takeFromLimit(deps.db, `document-network:${network}`, limits.documentsOfNetwork)) ||
    (await takeFromLimit(deps.db, `document-host:${new URL(url).host}`, limits.documentsOfHost));
  if (wait > 0) throw tooMany(wait);
}

async function fetchClient(deps: OAuthDeps, url: string): Promise<ClientRow | undefined> {
  const document = await deps.outgoing.document(url, { maxBytes, timeoutMs }).catch(() => undefined);
  const metadata = document && readClientDocument(url, document, deps.config.redirectSchemes);
  if (!metadata) return undefined;
  const fetchedAt = new Date(deps.now());
  return {
    ...metadata,
    id: url,
    authMethod: 'none',
    secretHash: null,
    mcpProfile: true,
    documentFetchedAt: fetchedAt,
    createdAt: fetchedAt,
  };
}
