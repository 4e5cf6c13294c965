import type { Scope } from './access.ts';

/** The door a call came through; it decides the price. */
export type Via = 'rest' | 'mcp' | 'console';

/** Who is asking, as found at the edge. Effective rights: already the intersection of grant and giver. */
export type Caller = {
  via: Via;
  workspaceId: string;
  /** Set when the caller sees one organization only. */
  organizationId?: string;
  keyId: string;
  /** The consent this call runs under, for tokens. */
  grantId?: string;
  scopes: ReadonlySet<Scope>;
};
