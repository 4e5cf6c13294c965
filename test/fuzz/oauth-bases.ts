import type { Base, BaseMaker } from './bases.ts';
import type { Dice } from './dice.ts';
import { type Json, toJson, toText } from './values.ts';
import type { Wire } from './wire.ts';
import { codeChallenge, codeVerifier, redirectUri, type World } from './world.ts';

type Fields = { [name: string]: Json };

/** The pairs of a form; a list is the same name again and again. */
export function toForm(input: Json): string {
  if (input === null || typeof input !== 'object' || Array.isArray(input)) return toJson(input);
  const pairs = Object.entries(input).flatMap(([name, value]) =>
    (Array.isArray(value) ? value : [value]).map((one) => [name.toWellFormed(), toText(one)]),
  );
  return new URLSearchParams(pairs).toString();
}

export function formWire(path: string, input: Json, headers: Wire['headers'] = []): Wire {
  const type: [string, string] = ['content-type', 'application/x-www-form-urlencoded'];
  return { method: 'POST', path, headers: [type, ...headers], body: Buffer.from(toForm(input)) };
}

const form = (label: string, path: string, fields: (world: World, dice: Dice) => Fields): BaseMaker => ({
  label,
  make: (world, dice): Base => ({ label, input: fields(world, dice), encode: (input) => formWire(path, input) }),
});

/** Good requests to the authorization server. */
export const oauthBases: readonly BaseMaker[] = [
  {
    label: 'oauth register',
    make: (_world, dice) => ({
      label: 'oauth register',
      input: {
        redirect_uris: [redirectUri, `https://app.example/${dice.int(50)}`],
        client_name: 'Fuzz',
        grant_types: ['authorization_code', 'refresh_token'],
        response_types: ['code'],
        token_endpoint_auth_method: dice.pick(['none', 'client_secret_post', 'client_secret_basic']),
        scope: 'mcp.read assignments:write',
      },
      encode: (input) => ({
        method: 'POST',
        path: '/oauth/mcp/register',
        headers: [['content-type', 'application/json']],
        body: Buffer.from(toJson(input)),
      }),
    }),
  },
  {
    label: 'oauth authorize',
    make: (world, dice) => ({
      label: 'oauth authorize',
      input: authorizeFields(world),
      encode: (input) =>
        dice.chance(0.7)
          ? { method: 'GET', path: `/oauth/mcp/authorize?${toForm(input)}`, headers: [] }
          : formWire('/oauth/mcp/authorize', input),
    }),
  },
  {
    label: 'oauth consent page',
    make: (world, dice) => {
      const { path, cookie } = dice.pick(world.consents);
      const encode = (input: Json): Wire => ({ method: 'GET', path: toText(input), headers: [['cookie', cookie]] });
      return { label: 'oauth consent page', input: path, encode: (input) => safePath(encode(input)) };
    },
  },
  {
    label: 'oauth consent',
    make: (world, dice) => {
      const { path, cookie } = dice.pick(world.consents);
      const input = { key: world.key, decision: 'authorize', scope: ['assignments:read', 'stats:read'] };
      return { label: 'oauth consent', input, encode: (given) => formWire(path, given, [['cookie', cookie]]) };
    },
  },
  form('oauth token code', '/oauth/mcp/token', (world, dice) => ({
    grant_type: 'authorization_code',
    client_id: world.clientId,
    code: dice.pick(world.codes),
    redirect_uri: redirectUri,
    code_verifier: codeVerifier,
    resource: world.resource,
  })),
  form('oauth token refresh', '/oauth/mcp/token', (world, dice) => ({
    grant_type: 'refresh_token',
    client_id: world.clientId,
    refresh_token: dice.pick(world.refreshTokens),
    scope: 'stats:read',
    resource: world.resource,
  })),
  form('oauth revoke', '/oauth/mcp/revoke', (world, dice) => ({
    client_id: world.clientId,
    token: dice.pick(world.refreshTokens),
    token_type_hint: 'refresh_token',
  })),
  form('oauth introspect', '/oauth/mcp/introspect', ({ clientId, token }) => ({ client_id: clientId, token })),
  {
    label: 'oauth documents',
    make: (_world, dice) => ({
      label: 'oauth documents',
      input: dice.pick([
        '/.well-known/oauth-authorization-server',
        '/.well-known/oauth-protected-resource/_mcp',
        '/.well-known/jwks.json',
        '/api/doc.json',
        '/',
      ]),
      encode: (input) => safePath({ method: 'GET', path: toText(input), headers: [] }),
    }),
  },
];

/** A path that a request line can hold: what cannot stand there is escaped. */
export function safePath(wire: Wire): Wire {
  const escaped = wire.path.toWellFormed().replace(/[^\x21-\x7e]/gu, encodeURIComponent);
  return { ...wire, path: `/${escaped.replace(/^\/*/, '').slice(0, 8000)}` };
}

function authorizeFields({ clientId, resource }: World): Fields {
  return {
    client_id: clientId,
    redirect_uri: redirectUri,
    response_type: 'code',
    code_challenge: codeChallenge,
    code_challenge_method: 'S256',
    scope: 'assignments:read stats:read',
    state: 'fuzz',
    resource,
  };
}
