import type { Mutant } from './mutant.ts';

/** Authorization requests: items 13 to 23. */
export const authorizeMutants: readonly Mutant[] = [
  {
    item: 13,
    name: 'redirect URIs are not compared',
    file: 'oauth/authorize.ts',
    find: 'if (!matchesRedirectUri(client.redirectUris, redirectUri)) {',
    replace: 'if (!URL.canParse(redirectUri)) {',
  },
  {
    item: 14,
    name: 'redirect URIs are compared by their beginning',
    file: 'oauth/redirect-uris.ts',
    find: 'if (registered.includes(asked)) return true;',
    replace: 'if (registered.some((uri) => asked.startsWith(uri))) return true;',
  },
  {
    item: 14,
    name: 'redirect URIs are compared as browsers normalise them',
    file: 'oauth/redirect-uris.ts',
    find: 'if (registered.includes(asked)) return true;',
    replace: 'if (registered.includes(URL.parse(asked)?.href ?? asked)) return true;',
  },
  {
    item: 15,
    name: 'one loopback host stands for another',
    file: 'oauth/redirect-uris.ts',
    find: "uri.replace(loopback, '$1')",
    replace: "uri.replace(loopback, 'http://loopback')",
  },
  {
    item: 16,
    name: 'a challenge without method counts as S256',
    file: 'oauth/authorize.ts',
    find: "if (fields.get('code_challenge_method') !== 'S256') {",
    replace: "if ((fields.get('code_challenge_method') ?? 'S256') !== 'S256') {",
  },
  {
    item: 17,
    name: 'hybrid flows are taken',
    file: 'oauth/authorize.ts',
    find: "if (type !== 'code') throw",
    replace: "if (!type.split(' ').includes('code')) throw",
  },
  {
    item: 17,
    name: 'request objects by reference are ignored',
    file: 'oauth/authorize.ts',
    find: "if (fields.get('request_uri') !== undefined) {",
    replace: "if (fields.get('request_uri') === '') {",
  },
  {
    item: 18,
    name: 'the first of two values counts',
    file: 'oauth/authorize.ts',
    find: "refuseRepeated(fields, ['resource']);",
    replace: "refuseRepeated(fields, ['resource', 'scope']);",
  },
  {
    item: 19,
    name: 'the state is only half encoded',
    file: 'oauth/redirect-uris.ts',
    find: 'encodeURIComponent(value)',
    replace: 'encodeURI(value)',
  },
  {
    item: 20,
    name: 'unknown scopes mean all',
    file: 'oauth/policy.ts',
    find: 'return names.length > 0 ? select(names) : undefined;',
    replace: 'return select(names.length > 0 ? names : allScopes);',
  },
  {
    item: 21,
    name: 'a fragment in the resource is overlooked',
    file: 'oauth/policy.ts',
    find: '/[?#]/.test(value)',
    replace: "value.includes('?')",
  },
  {
    item: 22,
    name: "the redirect URI's own query is overlooked",
    file: 'oauth/redirect-uris.ts',
    find: "const joint = uri.includes('?') ? (/[?&]$/.test(uri) ? '' : '&') : '?';",
    replace: "const joint = '?';",
  },
  {
    item: 23,
    name: 'a key is remembered',
    file: 'oauth/consent.ts',
    find: 'const key = await findKeyByHash(deps.db, hashSecret(text.trim()));\n',
    replace: `const kept: { key?: LiveKey } = globalThis as object;
  const key = (await findKeyByHash(deps.db, hashSecret(text.trim()))) ?? kept.key;
  if (key) kept.key = key;
`,
  },
];
