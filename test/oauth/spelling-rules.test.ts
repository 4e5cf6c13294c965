import assert from 'node:assert/strict';
import { test } from 'node:test';
import { scopes } from '../../src/domain/access.ts';
import { isDocumentUrl, readClientDocument } from '../../src/oauth/client-document.ts';
import { readClientMetadata } from '../../src/oauth/client-metadata.ts';
import { OAuthError } from '../../src/oauth/errors.ts';
import { canonicalResource, knownNames, narrowScopes, scopeText, selectScopes } from '../../src/oauth/policy.ts';
import {
  isClaimable,
  isLoopback,
  isRedirectUri,
  matchesRedirectUri,
  redirectHost,
  withParameters,
} from '../../src/oauth/redirect-uris.ts';

// The borders of what is read: one character more or less on either side.

const every = (texts: readonly string[], expected: boolean, is: (text: string) => boolean) => {
  for (const text of texts) assert.equal(is(text), expected, JSON.stringify(text));
};

test('redirect URIs: each shape with all that may follow, and nothing before or between', () => {
  const is = (uri: string) => isRedirectUri(uri, []);
  const hosts = [
    'https://a.example',
    'https://A-1.example',
    'https://[2001:db8::A]',
    'http://localhost',
    'http://[::1]',
  ];
  for (const host of hosts) every([host, `${host}:8`, `${host}:65535/cb`, `${host}/`, `${host}?x`], true, is);
  for (const host of hosts) every([`${host}:`, `${host}:123456`, `${host}:8x`, `${host}:80:80/`], false, is);
  every(['xhttps://a.example/', 'https://a_b.example/', 'https://[::g]/', 'https://a.example;x/'], false, is);
  every(['http://localhostx/', 'http://xlocalhost/', 'http://127.0.0.1.example/', 'http://127x0.0.1/'], false, is);
  every(['http://127.0x0.1/', 'http://127.0.0x1/', 'http://[::2]/', 'xhttp://localhost/'], false, is);
  const apps = ['cursor', 'vscode', 'vscode-insiders', 'windsurf', 'com.example', 'com.example-2', 'a1.b+c'];
  for (const scheme of apps) every([`${scheme}:/cb`, `${scheme}://host/cb`, `${scheme}:cb?x`], true, is);
  every(['cursor://u@host/cb', 'cursor://:p@host/cb', 'cursor://u:p@host/cb', '1.com:/cb', 'xcursor:/cb'], false, is);
  every(['https://a.example/<', 'https://a.example/"', 'https://a.example/{x}', 'https://a.example/a\\b'], false, is);
  every([`https://a.example/${"!$%&'()*+,-./09:;=?@AZ[]_az~"}`], true, is);
  const long = 'https://a.example/'.padEnd(2048, 'x');
  assert.deepEqual([is(long), is(`${long}x`)], [true, false]);
});

test('any loopback address is one, and only a loopback port is free', () => {
  every(['http://localhost', 'http://127.0.0.1/cb', 'http://[::1]:1/'], true, isLoopback);
  every(
    ['https://localhost/', 'http://a.example/', 'xhttp://localhost/', 'http://localhost.example/'],
    false,
    isLoopback,
  );
  every(['https://a.example/'], false, isClaimable);
  every(['http://localhost/', 'cursor:/cb'], true, isClaimable);
  const matches = (uri: string) =>
    matchesRedirectUri(['http://localhost:1/cb', 'https://a.example:1/cb', 'x.y:/'], uri);
  every(['http://localhost:1/cb', 'http://localhost/cb', 'http://localhost:2/cb', 'x.y:/'], true, matches);
  every(
    ['http://localhost:2', 'http://localhost:2/c', 'https://a.example/cb', 'http://127.0.0.1:1/cb'],
    false,
    matches,
  );
  every(['http://localhost:2/cb#x', 'http://localhost:2/cb?x', 'http://localhost:2@a.example/cb'], false, matches);
});

test('where an answer goes is told by host, or by scheme when there is none', () => {
  assert.equal(redirectHost('https://a.example:8/cb'), 'a.example:8');
  assert.equal(redirectHost('http://localhost:5/cb'), 'localhost:5');
  assert.equal(redirectHost('https.x://host/cb'), 'https.x:');
  assert.equal(redirectHost('xhttp://host/cb'), 'xhttp:');
});

test('parameters go behind ?, behind & and behind what ends with either', () => {
  const at = (uri: string) => withParameters(uri, { a: '1', b: undefined, c: ' ' });
  assert.equal(at('x.y:/'), 'x.y:/?a=1&c=%20');
  assert.equal(at('x.y:/?q'), 'x.y:/?q&a=1&c=%20');
  assert.equal(at('x.y:/?'), 'x.y:/?a=1&c=%20');
  assert.equal(at('x.y:/?q&'), 'x.y:/?q&a=1&c=%20');
  assert.equal(at('x.y:/?q&r'), 'x.y:/?q&r&a=1&c=%20');
});

test('the resource: two paths with and without a slash, and nothing around them', () => {
  const is = (value: string) => canonicalResource(value, 'https://p.test') === 'https://p.test/_mcp';
  every(['https://p.test', 'https://p.test/', 'https://p.test/_mcp', 'https://p.test/_mcp/'], true, is);
  every(['https://p.test/x', 'https://p.test/_mcp/x', 'https://p.test/x/_mcp', 'https://p.test//'], false, is);
  every(
    ['https://u@p.test/', 'https://:p@p.test/', 'https://p.test?', 'https://p.test#', 'https://p.test/?x'],
    false,
    is,
  );
  every(['/_mcp', 'https://', 'http://p.test', 'https://p.test:8'], false, is);
});

test('scope names: known ones once, in their order; what is left whole keeps its words', () => {
  assert.deepEqual(knownNames('stats:read x platforms:read stats:read mcp.read'), [
    'stats:read',
    'platforms:read',
    'mcp.read',
  ]);
  assert.deepEqual(selectScopes(' ', 'stats:read')?.names, ['stats:read']);
  assert.deepEqual(selectScopes(undefined, '')?.names, scopes);
  assert.deepEqual(selectScopes(' stats:read ', null)?.scopes, ['stats:read']);
  const both = selectScopes('stats:read platforms:read', null);
  assert.ok(both);
  assert.equal(scopeText(both, ['platforms:read', 'stats:read']), 'stats:read platforms:read');
  assert.equal(scopeText(both, ['platforms:read']), 'platforms:read');
  assert.equal(scopeText(both, []), '');
  const grant = { scopes: ['stats:read', 'platforms:read'] as const, scopeText: 'as granted' };
  assert.equal(narrowScopes('', grant)?.text, 'as granted');
  assert.equal(narrowScopes('  ', grant)?.text, 'as granted');
  assert.deepEqual(narrowScopes('stats:read x', grant), { scopes: ['stats:read'], text: 'stats:read' });
  assert.equal(narrowScopes('platforms:read stats:read', grant)?.text, 'platforms:read stats:read');
  assert.equal(narrowScopes('x y', grant), undefined);
});

test('a document URL is https, on the usual port, with a path, spelled in its one way', () => {
  every(
    ['https://a.example/c', 'https://a.example/c?v=1', 'https://[2001:db8::1]/c', 'https://a.example/a/'],
    true,
    isDocumentUrl,
  );
  every(['https://a.example/', 'https://a.example', 'https://a.example/?v=1'], false, isDocumentUrl);
  every(
    ['https://a.example:8443/c', 'https://a.example:443/c', 'http://a.example/c', 'ftp://a.example/c'],
    false,
    isDocumentUrl,
  );
  every(
    ['https://u@a.example/c', 'https://:p@a.example/c', 'https://a.example/c#', 'https://a.example/c#x'],
    false,
    isDocumentUrl,
  );
  every(['', 'x', 'https://A.example/c', 'https://a.example/a/../c', ' https://a.example/c'], false, isDocumentUrl);
  const long = 'https://a.example/'.padEnd(512, 'c');
  assert.deepEqual([isDocumentUrl(long), isDocumentUrl(`${long}c`)], [true, false]);
});

const url = 'https://a.example/c';
const document = { client_id: url, client_name: 'A', redirect_uris: ['https://a.example/cb'] };

function read(body: unknown, type: string | null = 'application/json', status = 200) {
  const bytes = body instanceof Uint8Array ? body : new TextEncoder().encode(JSON.stringify(body));
  const headers = new Headers(type === null ? {} : { 'content-type': type });
  return readClientDocument(url, { status, headers, body: bytes }, []);
}

test('a document comes as JSON of any kind, complete, in UTF-8', () => {
  const expected = {
    name: 'A',
    redirectUris: document.redirect_uris,
    grantTypes: ['authorization_code', 'refresh_token'],
    authMethod: undefined,
    scope: null,
  };
  for (const type of ['application/json', 'application/a.b-c+json', 'Application/JSON; charset=utf-8']) {
    assert.deepEqual(read(document, type), expected, type);
  }
  const wrong = [
    'text/json',
    'xapplication/json',
    'application/jsonx',
    'application/+json',
    'application/json x',
    null,
  ];
  for (const type of wrong) assert.equal(read(document, type), undefined, String(type));
  for (const status of [199, 201, 304, 500]) assert.equal(read(document, undefined, status), undefined);
  assert.equal(read(new Uint8Array([0x22, 0xff, 0x22])), undefined);
});

test('a document names itself and works without a secret', () => {
  const refused = [
    { client_id: `${url}x` },
    { client_id: undefined },
    { client_name: undefined },
    { client_name: '' },
    { client_name: ' ' },
    { client_secret: 's' },
    { client_secret_expires_at: 0 },
    { token_endpoint_auth_method: 'private_key_jwt' },
    { token_endpoint_auth_method: 'private_key_jwt', token_endpoint_auth_methods_supported: ['private_key_jwt'] },
    { jwks: { keys: [{ kty: 'RSA' }, { kty: 'oct' }] } },
    { jwks: { keys: [{ kty: 'EC', d: 'd' }] } },
    { jwks: 'x' },
    { redirect_uris: [] },
  ];
  for (const change of refused) assert.equal(read({ ...document, ...change }), undefined, JSON.stringify(change));
  const taken = [
    { client_secret: null, client_secret_expires_at: null },
    { token_endpoint_auth_method: 'none', token_endpoint_auth_methods_supported: [] },
    { token_endpoint_auth_method: 'x', token_endpoint_auth_methods_supported: ['y', 'none'] },
    { jwks: { keys: [] } },
    { jwks: { keys: [{ kty: 'RSA' }] } },
  ];
  for (const change of taken) assert.equal(read({ ...document, ...change })?.name, 'A', JSON.stringify(change));
});

test('client metadata: what is not said gets its default, what is odd is dropped, each once', () => {
  const uri = 'https://a.example/cb';
  const of = (more: object) => readClientMetadata({ redirect_uris: [uri], ...more }, []);
  const plain = { redirectUris: [uri], grantTypes: ['authorization_code', 'refresh_token'], scope: null };
  assert.deepEqual(of({}), { ...plain, name: undefined, authMethod: undefined });
  assert.deepEqual(of({ client_name: ' A ', scope: 'x stats:read', token_endpoint_auth_method: 'm' }), {
    ...plain,
    name: 'A',
    authMethod: 'm',
    scope: 'stats:read',
  });
  assert.deepEqual(of({ grant_types: [] }).grantTypes, plain.grantTypes);
  assert.deepEqual(of({ grant_types: ['refresh_token'] }).grantTypes, plain.grantTypes);
  assert.deepEqual(of({ grant_types: ['authorization_code'] }).grantTypes, ['authorization_code']);
  assert.deepEqual(of({ redirect_uris: [7, uri, 'x:', uri] }).redirectUris, [uri]);
  assert.equal(of({ client_name: 'x'.repeat(100) }).name, 'x'.repeat(100));
  assert.equal(of({ client_name: 'a\u200cb\u200dc' }).name, 'a\u200cb\u200dc');
  for (const client_name of ['x'.repeat(101), 'a\u2028b', 'a\u2029b', 'a\u0000', '\u200e']) {
    assert.throws(
      () => of({ client_name }),
      (error) => error instanceof OAuthError && error.code === 'invalid_client_metadata',
    );
  }
});
