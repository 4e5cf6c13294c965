import assert from 'node:assert/strict';
import { test } from 'node:test';
import { scopes } from '../../src/domain/access.ts';
import { createServer, issuer, type Json } from './server.ts';

test('server metadata: the configured issuer whatever Host says, and only what works', async () => {
  await using server = await createServer();
  const methods = ['none', 'client_secret_post', 'client_secret_basic'];
  for (const path of ['', '/_mcp']) {
    const response = await server.fetch(`/.well-known/oauth-authorization-server${path}`, {
      headers: { host: 'evil' },
    });
    assert.equal(response.status, 200);
    assert.match(response.headers.get('content-type') ?? '', /^application\/json/);
    assert.deepEqual(await response.json(), {
      issuer,
      authorization_endpoint: `${issuer}/oauth/mcp/authorize`,
      token_endpoint: `${issuer}/oauth/mcp/token`,
      registration_endpoint: `${issuer}/oauth/mcp/register`,
      revocation_endpoint: `${issuer}/oauth/mcp/revoke`,
      introspection_endpoint: `${issuer}/oauth/mcp/introspect`,
      scopes_supported: [...scopes, 'mcp.read', 'mcp.write'],
      response_types_supported: ['code'],
      response_modes_supported: ['query'],
      grant_types_supported: ['authorization_code', 'refresh_token'],
      code_challenge_methods_supported: ['S256'],
      token_endpoint_auth_methods_supported: methods,
      revocation_endpoint_auth_methods_supported: methods,
      introspection_endpoint_auth_methods_supported: methods,
      authorization_response_iss_parameter_supported: true,
      client_id_metadata_document_supported: true,
    });
  }
});

test('resource metadata: both paths name exactly <issuer>/_mcp and the seven scopes', async () => {
  await using server = await createServer();
  for (const path of ['', '/_mcp']) {
    const document = (await (await server.fetch(`/.well-known/oauth-protected-resource${path}`)).json()) as Json;
    assert.equal(document.resource, `${issuer}/_mcp`);
    assert.deepEqual(document.authorization_servers, [issuer]);
    assert.deepEqual(document.scopes_supported, scopes);
    assert.deepEqual(document.bearer_methods_supported, ['header']);
  }
});

test('discovery answers HEAD and OPTIONS, and no other method', async () => {
  await using server = await createServer();
  const url = '/.well-known/oauth-protected-resource/_mcp';
  const origin = 'https://claude.ai';
  const head = await server.fetch(url, { method: 'HEAD' });
  assert.deepEqual([head.status, await head.text()], [200, '']);
  const options = await server.fetch(url, {
    method: 'OPTIONS',
    headers: { origin, 'access-control-request-method': 'GET' },
  });
  assert.equal(options.status, 204);
  assert.match(options.headers.get('access-control-allow-headers') ?? '', /mcp-protocol-version/);
  const post = await server.fetch(url, { method: 'POST' });
  assert.deepEqual([post.status, post.headers.get('allow')], [405, 'GET, HEAD, OPTIONS']);
});

test('discovery, keys, register, token and revoke answer the listed origins only, never with credentials', async () => {
  await using server = await createServer();
  const listed = ['https://claude.ai', 'https://claude.com', 'https://inspector.example'];
  const foreign = ['https://evil.example', 'https://claude.ai.evil.example', 'http://claude.ai', 'null'];
  const documents = ['oauth-authorization-server', 'oauth-protected-resource', 'jwks.json'];
  const paths: [string, string, number][] = [
    ...documents.map((name): [string, string, number] => [`/.well-known/${name}`, 'GET', 200]),
    ...['register', 'token', 'revoke'].map((name): [string, string, number] => [
      `/oauth/mcp/${name}`,
      'POST',
      name === 'register' ? 415 : 400,
    ]),
  ];
  for (const [path, method, status] of paths) {
    for (const origin of [...listed, ...foreign]) {
      const expected = listed.includes(origin) ? origin : null;
      const preflight = await server.fetch(path, {
        method: 'OPTIONS',
        headers: { origin, 'access-control-request-method': method },
      });
      const answer = await server.fetch(path, { method, headers: { origin } });
      for (const response of [preflight, answer]) {
        assert.equal(response.headers.get('access-control-allow-origin'), expected, `${path} ${origin}`);
        assert.equal(response.headers.get('access-control-allow-credentials'), null);
        assert.match(response.headers.get('vary') ?? '', /Origin/);
      }
      const methods = method === 'POST' ? 'POST' : 'GET, HEAD';
      assert.equal(preflight.headers.get('access-control-allow-methods'), expected && methods);
      assert.deepEqual([preflight.status, answer.status], [204, status]);
    }
  }
});
