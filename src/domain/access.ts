/** The seven scopes of the product, in the order they are always listed. */
export const scopes = [
  'assignments:read',
  'assignments:write',
  'connections:read',
  'connections:write',
  'platforms:read',
  'webhooks:read',
  'stats:read',
] as const;

export type Scope = (typeof scopes)[number];

/** The two umbrella names some clients ask for: every read scope, or all seven. */
export const scopeAliases: Record<string, readonly Scope[]> = {
  'mcp.read': scopes.filter((scope) => scope.endsWith(':read')),
  'mcp.write': scopes,
};

/** Every name a client may ask for: the seven and their two aliases. */
export const requestableScopes: readonly string[] = [...scopes, ...Object.keys(scopeAliases)];

const known = new Set<string>(scopes);

export function isScope(name: string): name is Scope {
  return known.has(name);
}

/** Turns names and aliases into scopes in listing order; unknown names are dropped. */
export function expandScopes(names: Iterable<string>): Scope[] {
  const granted = new Set<Scope>();
  for (const name of names) {
    const alias = Object.hasOwn(scopeAliases, name) ? scopeAliases[name] : undefined;
    for (const scope of alias ?? (isScope(name) ? [name] : [])) granted.add(scope);
  }
  return scopes.filter((scope) => granted.has(scope));
}

/** What each scope allows, in the words of the consent page and the reference. */
export const scopeTexts: Record<Scope, string> = {
  'assignments:read': 'See publishing jobs, their status and history',
  'assignments:write': 'Publish and schedule content, and update, retry or cancel publishing jobs',
  'connections:read': 'See connected channels and their numbers',
  'connections:write': 'Connect channels and change their settings',
  'platforms:read': 'See which platforms exist and what they accept',
  'webhooks:read': 'See the log of webhook deliveries',
  'stats:read': 'See all statistics',
};
