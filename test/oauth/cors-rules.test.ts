import assert from 'node:assert/strict';
import { test } from 'node:test';
import { createServer, issuer, type Server } from './server.ts';

const listed = 'https://claude.ai';

async function headersOf(server: Server, path: string, method: string, origin?: string) {
  const { status, headers } = await server.fetch(path, { method, headers: origin === undefined ? {} : { origin } });
  return {
    status,
    allow: headers.get('allow'),
    vary: headers.get('vary'),
    origin: headers.get('access-control-allow-origin'),
    methods: headers.get('access-control-allow-methods'),
    headers: headers.get('access-control-allow-headers'),
    maxAge: headers.get('access-control-max-age'),
    expose: headers.get('access-control-expose-headers'),
  };
}

const none = { origin: null, methods: null, headers: null, maxAge: null, expose: null };
const named = { origin: listed, expose: 'Retry-After, WWW-Authenticate' };
const asked = { headers: 'authorization, content-type, mcp-protocol-version', maxAge: '600' };

test('a preflight tells a listed origin all it may send, and any other nothing but the methods', async () => {
  await using server = await createServer();
  for (const [path, methods] of [
    ['/oauth/mcp/token', 'POST'],
    ['/.well-known/jwks.json', 'GET, HEAD'],
    ['/.well-known/oauth-protected-resource', 'GET, HEAD'],
  ] as const) {
    const plain = { status: 204, allow: `${methods}, OPTIONS`, vary: 'Origin' };
    assert.deepEqual(await headersOf(server, path, 'OPTIONS', listed), { ...plain, ...named, ...asked, methods });
    assert.deepEqual(await headersOf(server, path, 'OPTIONS', 'https://evil.example'), { ...plain, ...none });
    assert.deepEqual(await headersOf(server, path, 'OPTIONS'), { ...plain, ...none });
  }
});

test('an answer tells a listed origin that it may read it, and nothing of a preflight', async () => {
  await using server = await createServer();
  const read = { vary: 'Origin', methods: null, headers: null, maxAge: null };
  const key = await headersOf(server, '/.well-known/jwks.json', 'GET', listed);
  assert.deepEqual(key, { status: 200, allow: null, ...read, ...named });
  const refused = await headersOf(server, '/oauth/mcp/register', 'POST', listed);
  assert.deepEqual(refused, { status: 415, allow: null, ...read, ...named });
  const wrong = await headersOf(server, '/oauth/mcp/register', 'GET', listed);
  assert.deepEqual(wrong, { status: 405, allow: 'POST, OPTIONS', ...read, ...named });
  assert.deepEqual(await headersOf(server, '/oauth/mcp/register', 'POST'), {
    status: 415,
    allow: null,
    vary: 'Origin',
    ...none,
  });
});

test('consent, authorization and introspection are for no page of another origin', async () => {
  await using server = await createServer();
  for (const path of ['/oauth/mcp/authorize', '/oauth/mcp/consent/x', '/oauth/mcp/introspect']) {
    const answer = await headersOf(server, path, 'OPTIONS', listed);
    assert.deepEqual({ ...answer, allow: null }, { status: 405, allow: null, vary: null, ...none }, path);
    assert.equal(answer.allow, path.endsWith('introspect') ? 'POST' : 'GET, HEAD, POST');
  }
});

test('each public document is kept five minutes, takes GET and HEAD, and refuses the rest as clients expect', async () => {
  await using server = await createServer();
  const names = ['oauth-authorization-server', 'oauth-protected-resource'];
  const paths = [...names, ...names.map((name) => `${name}/_mcp`), 'jwks.json'];
  for (const path of paths.map((name) => `/.well-known/${name}`)) {
    const { status, headers } = await server.fetch(path);
    assert.deepEqual([status, headers.get('cache-control')], [200, 'public, max-age=300'], path);
    const post = await server.fetch(path, { method: 'POST' });
    assert.deepEqual([post.status, post.headers.get('allow')], [405, 'GET, HEAD, OPTIONS'], path);
    assert.equal(((await post.json()) as { error: string }).error, 'invalid_request');
    assert.equal((await server.fetch(path, { method: 'OPTIONS' })).status, 204, path);
  }
  const document = await (await server.fetch('/.well-known/oauth-protected-resource')).json();
  assert.equal((document as { resource_name: string }).resource_name, 'Pharlo');
  assert.equal((document as { resource: string }).resource, `${issuer}/_mcp`);
});
