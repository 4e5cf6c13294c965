import { type ClientRow, findClient, saveDocumentClient } from '../store/oauth-clients.ts';
import { hasLiveGrant } from '../store/oauth-grants.ts';
import { isDocumentUrl } from './client-document.ts';
import type { OAuthDeps } from './context.ts';
import { createDocuments, type Documents, documentLifetimes } from './documents.ts';

export type Clients = {
  /**
   * The client of that id, or undefined; `network` is who asks. Texts that cannot be an id never reach the store.
   * Throws `too_many_requests` when too many unknown documents are asked for.
   */
  find(id: string | undefined, network: string): Promise<ClientRow | undefined>;
};

const registeredId = /^mcp_client_[\w-]{22}$/;

/** Clients by registration and by metadata document. */
export function createClients(deps: OAuthDeps): Clients {
  const documents = createDocuments(deps);
  return {
    async find(id, network) {
      if (id === undefined) return undefined;
      if (registeredId.test(id)) return findClient(deps.db, id);
      return isDocumentUrl(id) ? findByDocument(deps, documents, id, network) : undefined;
    },
  };
}

/**
 * A client is stored with the first consent, so that strangers fill no table. While its document cannot be read, the
 * stored copy serves whom somebody lets in today.
 */
async function findByDocument(
  deps: OAuthDeps,
  documents: Documents,
  url: string,
  network: string,
): Promise<ClientRow | undefined> {
  const stored = await findClient(deps.db, url);
  const age = (deps.now() - (stored?.documentFetchedAt?.getTime() ?? 0)) / 1000;
  if (stored && age < documentLifetimes.fresh) return stored;
  const read = await documents.read(url, { network, known: stored !== undefined });
  if (read && stored) await saveDocumentClient(deps.db, read);
  if (read) return read;
  return stored && age <= documentLifetimes.stale && (await hasLiveGrant(deps.db, url)) ? stored : undefined;
}
