import { scopes as allScopes, expandScopes, requestableScopes, type Scope } from '../domain/access.ts';

/** What a client asks for: the names as it wrote them (unknown ones dropped) and the scopes they stand for. */
export type Selection = { names: readonly string[]; scopes: readonly Scope[] };

function select(names: readonly string[]): Selection {
  return { names, scopes: expandScopes(names) };
}

/** The known names of a scope parameter, each once, in the order asked. */
export function knownNames(scope: string): string[] {
  const asked = new Set(scope.split(' '));
  return [...asked].filter((name) => requestableScopes.includes(name));
}

/**
 * Turns a scope parameter into a selection; it may exceed what was registered. Missing = the registered scopes, else
 * the seven. Undefined when only unknown names were asked.
 */
export function selectScopes(asked: string | undefined, registered: string | null): Selection | undefined {
  if (asked?.trim()) {
    const names = knownNames(asked);
    return names.length > 0 ? select(names) : undefined;
  }
  return select(registered ? knownNames(registered) : allScopes);
}

/** The scope text to answer: left whole it is echoed as asked, aliases included, otherwise told scope by scope. */
export function scopeText(selection: Selection, granted: readonly Scope[]): string {
  const whole = selection.scopes.every((scope) => granted.includes(scope));
  return (whole ? selection.names : granted).join(' ');
}

/**
 * The scopes of a refresh (RFC 6749 §6): missing = all of the grant's, narrower is allowed. Undefined when it asks for
 * more, or only for unknown names.
 */
export function narrowScopes(
  asked: string | undefined,
  grant: { scopes: readonly Scope[]; scopeText: string },
): { scopes: readonly Scope[]; text: string } | undefined {
  if (!asked?.trim()) return { scopes: grant.scopes, text: grant.scopeText };
  const selection = select(knownNames(asked));
  const within = selection.scopes.every((scope) => grant.scopes.includes(scope));
  return within && selection.names.length > 0
    ? { scopes: selection.scopes, text: selection.names.join(' ') }
    : undefined;
}

/**
 * The one protected resource as clients may write it (RFC 8707): `<issuer>/_mcp` or the issuer, either with a slash.
 * Answers its canonical form, or undefined for anything else.
 */
export function canonicalResource(value: string, issuer: string): string | undefined {
  if (!URL.canParse(value) || /[?#]/.test(value)) return undefined;
  const url = new URL(value);
  const known = url.origin === issuer && !url.username && !url.password && /^\/(_mcp\/?)?$/.test(url.pathname);
  return known ? `${issuer}/_mcp` : undefined;
}
