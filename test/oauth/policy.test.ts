import assert from 'node:assert/strict';
import { test } from 'node:test';
import { expandScopes, scopes } from '../../src/domain/access.ts';
import { canonicalResource, narrowScopes, scopeText, selectScopes } from '../../src/oauth/policy.ts';
import { isRedirectUri, matchesRedirectUri, redirectHost, withParameters } from '../../src/oauth/redirect-uris.ts';

const good = [
  'https://app.example/cb',
  'https://app.example:8443/cb?x=1',
  'https://[2001:db8::1]/cb',
  'http://localhost/callback',
  'http://localhost:33418',
  'http://127.0.0.1:1/',
  'http://[::1]:9999/cb',
  'cursor://anysphere.cursor-mcp/oauth/callback',
  'com.example.app:/oauth',
];

const bad = [
  'javascript:alert(1)',
  'data:text/html,x',
  'vbscript:x',
  'file:///etc/passwd',
  'blob:https://app.example/1',
  'about:blank',
  'unknown://cb',
  'http://app.example/cb',
  'http://localhost.evil.com/cb',
  'http://localhost:80@evil.com/cb',
  'http://127.1/cb',
  'http://2130706433/cb',
  'http://localhost:99999/cb',
  'https://app.example/cb#fragment',
  'https://app.example/cb#',
  'https://user@app.example/cb',
  'https://user:pass@app.example/cb',
  'cursor://user@host/cb',
  'https://*.example/cb',
  'https://app.example/a b',
  'https://app.example/cb\n',
  'https://app.example\\@evil.com/',
  'https://exämple.com/cb',
  ' https://app.example/cb',
  'https:app.example/cb',
  'https://',
  '',
  `https://app.example/${'a'.repeat(2048)}`,
];

test('redirect URIs: https, loopback http and app schemes may be registered, odd ones may not', () => {
  assert.deepEqual(
    good.filter((uri) => !isRedirectUri(uri, [])),
    [],
  );
  assert.deepEqual(
    bad.filter((uri) => isRedirectUri(uri, ['myapp'])),
    [],
  );
});

test('a scheme without a dot needs the operator, and opens itself only', () => {
  const at = (uri: string) => [isRedirectUri(uri, []), isRedirectUri(uri, ['myapp'])];
  assert.deepEqual(at('myapp://oauth/cb'), [false, true]);
  for (const uri of ['myapp2://oauth/cb', 'MYAPP://oauth/cb', 'myapp://u@oauth/cb', 'myapp://oauth/cb#x']) {
    assert.deepEqual(at(uri), [false, false], uri);
  }
});

test('redirect URIs match exactly; only the port of loopback http is free', () => {
  const registered = ['https://app.example/cb', 'http://localhost/callback', 'http://127.0.0.1:33418/'];
  const same = [...registered, 'http://localhost:5/callback', 'http://127.0.0.1/', 'http://127.0.0.1:1/'];
  const other = [
    'https://app.example/cb/',
    'https://app.example/cb?x=1',
    'https://APP.example/cb',
    'https://app.example:443/cb',
    'https://app.example:8443/cb',
    'https://app.example/x/../cb',
    'https://app.example/cb%00',
    'https://app.example.evil.com/cb',
    'http://app.example/cb',
    'http://localhost:5/callback/',
    'http://localhost:5/Callback',
    'https://localhost:5/callback',
    'http://127.0.0.1:5/callback',
    'http://localhost:5@evil.com/callback',
    'http://localhost:99999/callback',
    'http://[::1]:5/callback',
  ];
  assert.deepEqual(
    same.filter((uri) => !matchesRedirectUri(registered, uri)),
    [],
  );
  assert.deepEqual(
    other.filter((uri) => matchesRedirectUri(registered, uri)),
    [],
  );
});

test('the answer is appended behind the query of the redirect URI, percent-encoded', () => {
  assert.equal(withParameters('https://a.example/cb', { code: 'c', state: undefined }), 'https://a.example/cb?code=c');
  assert.equal(withParameters('https://a.example/cb?x=%20', { code: 'c' }), 'https://a.example/cb?x=%20&code=c');
  assert.equal(
    withParameters('https://a.example/cb?', { state: 'a b&\r\n' }),
    'https://a.example/cb?state=a%20b%26%0D%0A',
  );
  assert.equal(redirectHost('http://localhost:5/cb'), 'localhost:5');
  assert.equal(redirectHost('cursor://x/cb'), 'cursor:');
});

test('scopes: asked, else registered, else the seven; unknown ones dropped, only unknown refused', () => {
  assert.deepEqual(selectScopes('stats:read', 'platforms:read')?.scopes, ['stats:read']);
  assert.deepEqual(selectScopes(undefined, 'platforms:read')?.scopes, ['platforms:read']);
  assert.deepEqual(selectScopes('  ', null)?.scopes, scopes);
  assert.deepEqual(selectScopes('offline_access stats:read stats:read', null)?.names, ['stats:read']);
  assert.equal(selectScopes('offline_access __proto__', null), undefined);
  assert.deepEqual(selectScopes('mcp.write', null)?.scopes, scopes);
  assert.deepEqual(
    selectScopes('mcp.read', null)?.scopes,
    scopes.filter((scope) => scope.endsWith(':read')),
  );
});

test('names every object has are no scopes', () => {
  for (const name of ['__proto__', 'constructor', 'toString', 'hasOwnProperty']) {
    assert.deepEqual(expandScopes([name, 'stats:read']), ['stats:read'], name);
  }
});

test('aliases are echoed when left whole and told scope by scope otherwise', () => {
  const asked = selectScopes('mcp.read mcp.write', null);
  assert.ok(asked);
  assert.equal(scopeText(asked, scopes), 'mcp.read mcp.write');
  assert.equal(scopeText(asked, ['stats:read']), 'stats:read');
});

test('a refresh may narrow but not widen', () => {
  const grant = { scopes: ['platforms:read', 'stats:read'] as const, scopeText: 'platforms:read stats:read' };
  assert.deepEqual(narrowScopes(undefined, grant), { scopes: grant.scopes, text: grant.scopeText });
  assert.deepEqual(narrowScopes('stats:read', grant), { scopes: ['stats:read'], text: 'stats:read' });
  assert.equal(narrowScopes('stats:read webhooks:read', grant), undefined);
  assert.equal(narrowScopes('mcp.read', grant), undefined);
  assert.equal(narrowScopes('unknown', grant), undefined);
});

test('resources: ours in four spellings, nothing else', () => {
  const issuer = 'https://pharlo.test';
  for (const path of ['', '/', '/_mcp', '/_mcp/'])
    assert.equal(canonicalResource(issuer + path, issuer), `${issuer}/_mcp`);
  const foreign = ['/api/v1', '/_mcp2', '/_mcp#x', '/_mcp#', '/_mcp?x', '.evil.com/_mcp', ':8443/_mcp'];
  for (const path of foreign) assert.equal(canonicalResource(issuer + path, issuer), undefined, path);
  for (const value of ['', 'x', 'http://pharlo.test/_mcp', 'https://u@pharlo.test/_mcp']) {
    assert.equal(canonicalResource(value, issuer), undefined, value);
  }
});
