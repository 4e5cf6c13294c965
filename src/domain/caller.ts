import { isScope, type Scope, scopes } from './access.ts';

/** The door a call came through; it decides the price. */
export type Via = 'rest' | 'mcp' | 'console';

/**
 * What a call needs: a scope; a key itself rather than a token that an agent got; a key that holds every scope, for what
 * concerns the whole workspace; or a person's session.
 */
export type Access = Scope | 'key' | 'full_key' | 'session';

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

export function isAllowed(caller: Caller, access: Access): boolean {
  if (access === 'session') return caller.via === 'console';
  if (access === 'key') return caller.grantId === undefined;
  if (access === 'full_key') return caller.grantId === undefined && scopes.every((scope) => caller.scopes.has(scope));
  return caller.scopes.has(access);
}

/** The scope a caller lacks for a call, or undefined. */
export function scopeLacking(caller: Caller, access: Access): Scope | undefined {
  return isScope(access) && !caller.scopes.has(access) ? access : undefined;
}
