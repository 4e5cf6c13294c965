import assert from 'node:assert/strict';
import { after, before, test } from 'node:test';
import {
  authorize,
  begin,
  callMcp,
  decide,
  get,
  type Harness,
  issuer,
  newClient,
  redirectUri,
  resource,
  send,
  startPharlo,
  target,
} from './outside.ts';

// Items 1 to 5 of the security checklist.

let pharlo: Harness;
before(async () => {
  pharlo = await startPharlo();
});
after(() => pharlo[Symbol.asyncDispose]());

const serverMetadata = '/.well-known/oauth-authorization-server';
const resourceMetadata = '/.well-known/oauth-protected-resource';

test('1 Mix-up by metadata: the issuer is byte for byte the configured origin, whatever Host says', async () => {
  for (const path of [serverMetadata, `${serverMetadata}/_mcp`]) {
    const { status, json } = await get(pharlo, path);
    assert.deepEqual([status, json.issuer], [200, issuer]);
    const urls = Object.entries(json).filter(([name]) => /_endpoint$|_uri$/.test(name));
    assert.equal(urls.length, 5);
    for (const [name, url] of urls) assert.ok(String(url).startsWith(`${issuer}/`), name);
    for (const name of ['host', 'x-forwarded-host']) {
      const evil = await send(pharlo, issuer + path, { headers: { [name]: 'evil.example' } });
      assert.equal(evil.status, 421, name);
      assert.ok(!evil.text.includes('evil'));
    }
    const headers = {
      forwarded: 'host=evil.example;proto=http',
      'x-forwarded-proto': 'http',
      'x-original-host': 'evil',
    };
    assert.equal((await get(pharlo, path, headers)).json.issuer, issuer);
  }
});

test('2 Mix-up by response: one iss on success and on error, and the flag is advertised', async () => {
  const { json } = await get(pharlo, serverMetadata);
  assert.equal(json.authorization_response_iss_parameter_supported, true);
  const loopback = 'http://localhost:7777/cb';
  const id = await newClient(pharlo, { redirect_uris: [redirectUri, 'http://localhost/cb'] });
  const granted = target(await decide(pharlo, await begin(pharlo, id), 'authorize', pharlo.key));
  assert.ok(granted.searchParams.get('code'));
  const denied = target(await decide(pharlo, await begin(pharlo, id), 'deny', ''));
  const refused = target(await authorize(pharlo, id, { redirect_uri: loopback, response_type: 'token' }));
  const page = await authorize(pharlo, await newClient(pharlo, { client_name: 'B' }), { response_type: 'token' });
  const button = new URL(/href="([^"]+)"/.exec(page.text)?.[1]?.replaceAll('&amp;', '&') ?? '');
  for (const url of [granted, denied, refused, button]) {
    assert.deepEqual(url.searchParams.getAll('iss'), [issuer], url.search);
    assert.equal(url.href.split('iss=').length, 2);
  }
});

test('3 PKCE downgrade by discovery: only S256 is listed', async () => {
  for (const path of [serverMetadata, `${serverMetadata}/_mcp`]) {
    assert.deepEqual((await get(pharlo, path)).json.code_challenge_methods_supported, ['S256']);
  }
});

test('4 Audience confusion: the resource has one name at both paths, and the 401 of /_mcp leads there', async () => {
  for (const path of [resourceMetadata, `${resourceMetadata}/_mcp`]) {
    const { status, json } = await get(pharlo, path);
    assert.deepEqual([status, json.resource, json.authorization_servers], [200, resource, [issuer]]);
  }
  for (const authorization of [undefined, 'Bearer mcp_at_unknown']) {
    const { status, headers } = await callMcp(pharlo, authorization);
    assert.equal(status, 401);
    const named = /resource_metadata="([^"]+)"/.exec(headers.get('www-authenticate') ?? '')?.[1];
    assert.equal(named, `${issuer}${resourceMetadata}/_mcp`);
    assert.equal((await send(pharlo, named ?? '')).json.resource, resource);
  }
});

test('5 OIDC leftovers: there is no openid-configuration', async () => {
  for (const path of ['/.well-known/openid-configuration', '/.well-known/openid-configuration/_mcp']) {
    const { status, text } = await get(pharlo, path);
    assert.equal(status, 404, path);
    assert.ok(!text.includes('issuer'));
  }
  const { json } = await get(pharlo, serverMetadata);
  const members = ['userinfo_endpoint', 'subject_types_supported', 'id_token_signing_alg_values_supported'];
  for (const name of members) assert.ok(!(name in json), name);
});
