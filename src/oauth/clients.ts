import { type ClientRow, findClient } from '../store/oauth-clients.ts';
import type { OAuthDeps } from './context.ts';

const registeredId = /^mcp_client_[\w-]{22}$/;

/** True for a client id that is the URL of a metadata document. */
export function isDocumentId(id: string): boolean {
  return id.startsWith('https://');
}

/** The client of that id, or undefined. Texts that cannot be an id never reach the store. */
export async function lookUpClient(deps: OAuthDeps, id: string | undefined): Promise<ClientRow | undefined> {
  return id !== undefined && registeredId.test(id) ? findClient(deps.db, id) : undefined;
}
