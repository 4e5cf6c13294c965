import assert from 'node:assert/strict';
import { test } from 'node:test';
import type { OutgoingDocument } from '../../src/net/outgoing.ts';
import { createDocuments } from '../../src/oauth/documents.ts';
import { authenticate } from '../../src/oauth/index.ts';
import { createWorld, trustWorld } from '../net/world.ts';
import { createServer, type Json, outcome, redirectUri, type Server } from './server.ts';

trustWorld();

const id = 'https://client.example/oauth/client.json';

const good = {
  client_id: id,
  client_name: 'Docs App',
  redirect_uris: [redirectUri],
  token_endpoint_auth_method: 'none',
};

function answer(body: unknown, more: { status?: number; type?: string } = {}): OutgoingDocument {
  const headers = new Headers({ 'content-type': more.type ?? 'application/json' });
  const text = typeof body === 'string' ? body : JSON.stringify(body);
  return { status: more.status ?? 200, headers, body: new TextEncoder().encode(text) };
}

/** A server in whose internet the document at `id` can be changed; counts how often it is fetched. */
async function createWithDocument() {
  const web = { fetched: 0, serve: (): OutgoingDocument | Promise<OutgoingDocument> => answer(good) };
  const serve = () => {
    web.fetched++;
    return web.serve();
  };
  return { web, server: await createServer({ internet: { [id]: serve } }) };
}

const unreachable = () => {
  throw new Error('unreachable');
};

/** Whether authorize goes on to the consent page. */
async function goesOn(server: Server, clientId = id, headers = {}): Promise<boolean> {
  return (await server.authorize(clientId, {}, headers)).status === 302;
}

test('a client by document: from consent to tokens, of the MCP profile, and stored with the first consent only', async () => {
  const { web, server } = await createWithDocument();
  await using _ = server;
  const { key } = await server.addKey();
  const at = await server.begin(id);
  const page = await (await server.fetch(at.page, { headers: { cookie: at.cookie } })).text();
  assert.match(page, /<dt>Published by<\/dt><dd>client\.example<\/dd>/);
  assert.match(page, /Docs App/);
  assert.match(page, /not verified by Pharlo/);
  assert.deepEqual(await server.query('select id from oauth_clients'), [], 'nothing before the decision');
  const tokens = await server.getTokens(id, key);
  assert.ok((await authenticate(server.deps, `Bearer ${tokens.access_token}`, 'mcp')).ok);
  const [row] = await server.query('select id, name, mcp_profile, auth_method from oauth_clients');
  assert.deepEqual(row, { id, name: 'Docs App', mcp_profile: true, auth_method: 'none' });
  const next = (await (await server.refresh(id, tokens.refresh_token)).json()) as Json;
  assert.deepEqual(
    ((await (await server.refresh(id, tokens.refresh_token)).json()) as Json).access_token,
    next.access_token,
  );
  assert.equal(web.fetched, 1);
  await server.query('update oauth_grants set revoked_at = pharlo_now()');
  assert.deepEqual(await outcome(await server.refresh(id, tokens.refresh_token)), [400, 'invalid_grant']);
  await server.advance(3601);
  assert.deepEqual(await outcome(await server.refresh(id, tokens.refresh_token)), [400, 'invalid_grant']);
  assert.equal(web.fetched, 2, 'the same with a fresh copy');
});

test('whoever asks while a document is being fetched waits for that fetch', async () => {
  const { web, server } = await createWithDocument();
  await using _ = server;
  const gate = Promise.withResolvers<OutgoingDocument>();
  web.serve = () => gate.promise;
  const documents = createDocuments(server.deps);
  const asking = Array.from({ length: 5 }, (_, n) => documents.read(id, { network: `192.0.2.${n}`, known: true }));
  assert.equal(web.fetched, 1);
  gate.resolve(answer(good));
  assert.deepEqual(new Set((await Promise.all(asking)).map((client) => client?.name)), new Set(['Docs App']));
  assert.equal(web.fetched, 1);
});

test('what is no acceptable document', async () => {
  const { web, server } = await createWithDocument();
  await using _ = server;
  const bad: (() => OutgoingDocument)[] = [
    () => answer({ ...good, client_id: `${id}/` }),
    () => answer({ ...good, client_id: undefined }),
    () => answer({ ...good, client_name: undefined }),
    () => answer({ ...good, client_name: ' ' }),
    () => answer({ ...good, client_name: 'a\u202eb' }),
    () => answer({ ...good, redirect_uris: undefined }),
    () => answer({ ...good, redirect_uris: ['javascript:alert(1)', 'http://app.example/cb'] }),
    () => answer({ ...good, client_secret: 'x' }),
    () => answer({ ...good, client_secret_expires_at: 0 }),
    () => answer({ ...good, jwks: { keys: [{ kty: 'RSA', n: 'n', e: 'AQAB', d: 'd' }] } }),
    () => answer({ ...good, jwks: { keys: [{ kty: 'oct', k: 'k' }] } }),
    () => answer({ ...good, token_endpoint_auth_method: 'client_secret_basic' }),
    () => answer({ ...good, token_endpoint_auth_method: 'private_key_jwt' }),
    () => answer(good, { status: 404 }),
    () => answer(good, { status: 206 }),
    () => answer(good, { type: 'text/html' }),
    () => answer('{'),
    () => answer([good]),
    () => answer('null'),
    unreachable,
  ];
  for (const serve of bad) {
    web.serve = serve;
    const response = await server.authorize(id);
    assert.deepEqual([response.status, response.headers.get('location')], [400, null], String(serve));
    assert.match(await response.text(), /description of the app/);
    await server.advance(61);
  }
  assert.equal(web.fetched, bad.length);
  const odd = ['javascript:alert(1)', redirectUri];
  const keys = { jwks: { keys: [{ kty: 'RSA', n: 'n', e: 'AQAB' }] }, jwks_uri: 'https://client.example/jwks' };
  const fine = [
    { ...good, redirect_uris: odd, client_secret: null, logo_uri: 'http://10.0.0.1/' },
    { ...good, token_endpoint_auth_method: undefined },
    {
      ...good,
      ...keys,
      token_endpoint_auth_method: 'private_key_jwt',
      token_endpoint_auth_methods_supported: ['private_key_jwt', 'none'],
    },
  ];
  for (const body of fine) {
    web.serve = () => answer(body, { type: 'application/client-metadata+json; charset=utf-8' });
    assert.ok(await goesOn(server), JSON.stringify(body));
    await server.advance(3601);
  }
});

test('an id in any but its one spelling is never fetched', async (t) => {
  const world = await createWorld(
    t,
    { 'public.test': ['93.184.215.14'], 'private.test': ['10.0.0.1'] },
    (request, response) => {
      response.setHeader('content-type', 'application/json');
      const client_id = `https://public.test${request.url}`;
      response.end(
        JSON.stringify({ ...good, client_id, padding: 'x'.repeat(request.url === '/large.json' ? 10_240 : 0) }),
      );
    },
  );
  await using server = await createServer({ outgoing: world.outgoing() });
  const refused = [
    'http://public.test/client.json',
    'https://public.test',
    'https://public.test/',
    'https://public.test:443/client.json',
    'https://public.test:8443/client.json',
    'https://PUBLIC.test/client.json',
    'https://u@public.test/client.json',
    'https://u:p@public.test/client.json',
    'https://public.test/client.json#',
    'https://public.test/client.json#x',
    'https://public.test/a/../client.json',
    'https://public.test/%2e%2e/client.json',
    'https://public.test\\client.json',
    ' https://public.test/client.json',
    `https://public.test/${'x'.repeat(500)}`,
    'https://localhost/client.json',
    'https://127.0.0.1/client.json',
    'https://2130706433/client.json',
    'https://0x7f.1/client.json',
    'https://[::1]/client.json',
    'https://[::ffff:127.0.0.1]/client.json',
    'https://0.0.0.0/client.json',
    'https://169.254.169.254/client.json',
    'https://10.0.0.1/client.json',
    'https://private.test/client.json',
  ];
  for (const url of refused) {
    const response = await server.authorize(url, {}, { 'x-test-network': url });
    assert.deepEqual([response.status, response.headers.get('location')], [400, null], url);
  }
  assert.deepEqual(world.dialled, []);
  assert.ok(await goesOn(server, 'https://public.test/client.json'), 'positive control');
  assert.equal(await goesOn(server, 'https://public.test/large.json'), false);
  assert.deepEqual(world.requests, ['GET public.test /client.json', 'GET public.test /large.json']);
});

test('one fetch in flight per URL; a failure is remembered for a minute, a document for an hour', async () => {
  const { web, server } = await createWithDocument();
  await using _ = server;
  const gate = Promise.withResolvers<OutgoingDocument>();
  web.serve = () => gate.promise;
  const asking = Array.from({ length: 12 }, (_, n) => goesOn(server, id, { 'x-test-network': `192.0.2.${n}` }));
  gate.resolve(answer(good));
  assert.deepEqual([...new Set(await Promise.all(asking))], [true]);
  assert.equal(web.fetched, 1);
  await server.advance(3599);
  assert.ok(await goesOn(server));
  assert.equal(web.fetched, 1);
  web.serve = unreachable;
  await server.advance(2);
  for (let n = 0; n < 5; n++) assert.equal(await goesOn(server), false);
  assert.equal(web.fetched, 2);
  web.serve = () => answer(good);
  await server.advance(58);
  assert.equal(await goesOn(server), false);
  await server.advance(3);
  assert.ok(await goesOn(server));
  assert.equal(web.fetched, 3);
  const lines = await server.query(
    `select outcome, count from audit_strangers where action = 'oauth.document_refused'`,
  );
  assert.deepEqual(lines, [{ outcome: 'invalid_client', count: 1 }]);
});

test('a stale copy serves a client somebody lets in, for seven days, and a changed document counts', async () => {
  const { web, server } = await createWithDocument();
  await using _ = server;
  const { key } = await server.addKey();
  let tokens = await server.getTokens(id, key);
  const renew = async () => {
    const response = await server.refresh(id, tokens.refresh_token);
    if (response.status === 200) tokens = (await response.clone().json()) as typeof tokens;
    return outcome(response);
  };
  web.serve = () => answer(good, { status: 403 });
  await server.advance(3601);
  assert.deepEqual(await renew(), [200, 'ok']);
  assert.ok(await goesOn(server));
  await server.advance(7 * 24 * 3600 - 3700);
  assert.deepEqual(await renew(), [200, 'ok']);
  await server.advance(200);
  assert.deepEqual(await renew(), [401, 'invalid_client']);
  assert.equal(await goesOn(server), false);
  web.serve = () => answer({ ...good, redirect_uris: ['https://moved.example/cb'] });
  await server.advance(61);
  assert.deepEqual(await renew(), [200, 'ok']);
  assert.equal(await goesOn(server), false, 'the address is no longer in the document');
  assert.equal((await server.authorize(id, { redirect_uri: 'https://moved.example/cb' })).status, 302);
  await server.query('update oauth_grants set revoked_at = pharlo_now()');
  web.serve = unreachable;
  await server.advance(3601);
  assert.equal((await server.authorize(id, { redirect_uri: 'https://moved.example/cb' })).status, 400, 'no live grant');
});

test('fetches are limited per asking network and per host; known clients are not', async () => {
  const urls = Array.from({ length: 80 }, (_, n) => `https://many.example/${n}.json`);
  const internet = Object.fromEntries(urls.map((url) => [url, () => answer({ ...good, client_id: url })]));
  await using server = await createServer({ internet: { ...internet, [id]: () => answer(good) } });
  const { key } = await server.addKey();
  await server.getTokens(id, key);
  const ask = (url: string, network: string) => server.authorize(url, {}, { 'x-test-network': network });
  const flood = await Promise.all(urls.slice(0, 25).map((url) => ask(url, '192.0.2.7')));
  const refused = flood.filter(({ status }) => status === 429);
  assert.ok(refused.length >= 4 && refused.length <= 5, String(refused.length));
  assert.ok(Number(refused[0]?.headers.get('retry-after')) >= 1);
  assert.match(refused[0]?.headers.get('content-type') ?? '', /^text\/html/);
  const spread = await Promise.all(urls.map((url, n) => ask(url, `198.51.100.${n}`)));
  assert.ok(
    spread.some(({ status }) => status === 429),
    'the host is spared',
  );
  const form = { grant_type: 'refresh_token', refresh_token: 'x', client_id: 'https://many.example/new.json' };
  const atToken = await server.token(form, { 'x-test-network': '192.0.2.7' });
  assert.deepEqual(await outcome(atToken), [429, 'too_many_requests']);
  await server.advance(3601);
  await server.query('update rate_limits set empty_at = pharlo_now() + interval $$1 day$$');
  assert.equal((await ask(id, '192.0.2.7')).status, 302, 'known');
});

test('an unknown client by document is 401 at the token endpoint; a loopback one is warned of', async () => {
  const { web, server } = await createWithDocument();
  await using _ = server;
  web.serve = unreachable;
  assert.deepEqual(await outcome(await server.refresh(id, 'x')), [401, 'invalid_client']);
  web.serve = () => answer({ ...good, redirect_uris: ['http://localhost/callback', 'http://127.0.0.1/callback'] });
  await server.advance(61);
  const redirect_uri = 'http://localhost:50123/callback';
  const at = await server.begin(id, { redirect_uri });
  const page = await (await server.fetch(at.page, { headers: { cookie: at.cookie } })).text();
  assert.match(page, /any program on this computer can claim this name/);
  const { key } = await server.addKey();
  const code = await server.getCode(id, key, { redirect_uri });
  assert.equal((await server.exchange(id, code, { redirect_uri })).status, 200);
});
