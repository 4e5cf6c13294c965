import type { Mutant } from './mutant.ts';

/** Registration: items 6 to 12. */
export const registrationMutants: readonly Mutant[] = [
  {
    item: 6,
    name: 'any scheme may be registered',
    file: 'oauth/redirect-uris.ts',
    find: "const known = scheme.includes('.') || appSchemes.has(scheme) || schemes.includes(scheme);",
    replace: "const known = scheme !== '' && schemes !== undefined;",
  },
  {
    item: 7,
    name: 'registrations are not limited',
    file: 'oauth/register.ts',
    find: 'if (wait > 0) throw tooMany(wait);',
    replace: '',
  },
  {
    item: 7,
    name: 'identical registrations make rows',
    file: 'oauth/register.ts',
    find: "const fingerprint = isPublic ? createHash('sha256').update(canonicalJson(asked)).digest() : null;",
    replace: 'const fingerprint = null;',
  },
  {
    item: 7,
    name: 'unused clients are never swept',
    file: 'store/sweep.ts',
    find: "c.created_at < pharlo_now() - interval '90 days' and",
    replace: "c.created_at < pharlo_now() - interval '90 years' and",
  },
  {
    item: 8,
    name: 'invisible characters are taken',
    file: 'oauth/client-metadata.ts',
    find: '.refine((name) => !invisible.test(name))',
    replace: '.refine(() => true)',
  },
  {
    item: 9,
    name: 'the logo is fetched',
    file: 'oauth/register.ts',
    find: 'const asked = readRegistration(await readJson(c.req.raw), deps.config.redirectSchemes);',
    replace: `const sent: any = await readJson(c.req.raw);
  if (sent.logo_uri) await fetch(sent.logo_uri);
  const asked = readRegistration(sent, deps.config.redirectSchemes);`,
  },
  {
    item: 10,
    name: 'null and empty members are refused',
    file: 'oauth/client-metadata.ts',
    find: "value === null || value === '' ? undefined : value",
    replace: 'value',
  },
  {
    item: 11,
    name: 'client secrets are stored as they are',
    file: 'oauth/register.ts',
    find: 'secret === undefined ? null : hashSecret(secret)',
    replace: 'secret === undefined ? null : Buffer.from(secret)',
  },
  {
    item: 12,
    name: 'anybody may delete a client',
    file: 'oauth/index.ts',
    find: '  app.post(paths.introspect,',
    replace: "  app.delete(paths.register + '/:id', (c) => c.body(null, 204));\n  app.post(paths.introspect,",
  },
];
