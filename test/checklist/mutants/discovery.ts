import type { Mutant } from './mutant.ts';

/** Discovery: items 1 to 5. */
export const discoveryMutants: readonly Mutant[] = [
  {
    item: 1,
    name: 'the issuer is taken from the request',
    file: 'oauth/index.ts',
    find: 'c.json(document, 200, briefly)',
    replace: 'c.json({ ...document, issuer: new URL(c.req.url).origin }, 200, briefly)',
  },
  {
    item: 2,
    name: 'errors carry no iss',
    file: 'oauth/authorize.ts',
    find: '    state,\n    iss: deps.config.publicUrl,\n',
    replace: '    state,\n',
  },
  {
    item: 3,
    name: 'plain is advertised',
    file: 'oauth/metadata.ts',
    find: "['S256']",
    replace: "['S256', 'plain']",
  },
  {
    item: 4,
    name: 'the resource is told as the issuer',
    file: 'oauth/metadata.ts',
    find: 'resource: issuer + paths.resource,',
    replace: 'resource: issuer,',
  },
  {
    item: 5,
    name: 'an OpenID document is served',
    file: 'oauth/index.ts',
    find: '    [paths.resourceMetadata, resourceMetadata(issuer)],\n',
    replace:
      "    [paths.resourceMetadata, resourceMetadata(issuer)],\n    ['/.well-known/openid-configuration', serverMetadata(deps.config)],\n",
  },
];
