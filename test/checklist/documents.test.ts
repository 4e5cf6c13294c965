import assert from 'node:assert/strict';
import { subscribe, unsubscribe } from 'node:diagnostics_channel';
import type { RequestListener } from 'node:http';
import { type TestContext, test } from 'node:test';
import { createWorld, type Names, trustWorld } from '../net/world.ts';
import {
  assertPage,
  authorize,
  begin,
  type Fields,
  fromElsewhere,
  getTokens,
  type Harness,
  mcpStatus,
  query,
  redirectUri,
  refresh,
  show,
  startPharlo,
  target,
  wordsOf,
} from './outside.ts';

// Items 51 to 53 of the security checklist: clients by metadata document.

trustWorld();

const publicAddress = '93.184.215.14';
const privateNames = {
  'private.test': '10.0.0.1',
  'metadata.test': '169.254.169.254',
  'six.test': 'fd00::1',
  'self.test': '127.0.0.1',
};
const names: Names = {
  'public.test': [publicAddress],
  'mixed.test': [publicAddress, '10.0.0.1'],
  'callback.test': [[publicAddress], ['10.0.0.1']],
  ...Object.fromEntries(Object.entries(privateNames).map(([name, address]) => [name, [address]])),
};

type Document = Record<string, unknown>;

/** The document that belongs at the URL of this request. */
function documentOf(request: Parameters<RequestListener>[0], more: Document = {}): Document {
  const client_id = `https://${request.headers.host}${request.url}`;
  return {
    client_id,
    client_name: 'Docs App',
    redirect_uris: [redirectUri],
    token_endpoint_auth_method: 'none',
    ...more,
  };
}

/** Pharlo in a world of one server; `answer` may be changed. */
async function startInWorld(t: TestContext) {
  const site: { answer: RequestListener } = { answer: (request, response) => reply(response, documentOf(request)) };
  const world = await createWorld(t, names, (request, response) => site.answer(request, response));
  return { site, world, pharlo: await startPharlo({ world: { lookup: world.lookup } }) };
}

function reply(response: Parameters<RequestListener>[1], body: unknown, status = 200, type = 'application/json'): void {
  response.writeHead(status, { 'content-type': type }).end(typeof body === 'string' ? body : JSON.stringify(body));
}

/** Whether authorize goes on to the consent page; never sends the browser elsewhere. */
async function goesOn(pharlo: Harness, clientId: string, changes: Fields = {}): Promise<boolean> {
  const answer = await authorize(pharlo, clientId, changes, fromElsewhere());
  if (answer.status !== 302) assertPage(answer, 400, clientId);
  else assert.match(target(answer).pathname, /^\/oauth\/mcp\/consent\//);
  return answer.status === 302;
}

test('51 SSRF by client id: what is not public https on 443 is answered without a single connection', async (t) => {
  const { pharlo, world, site } = await startInWorld(t);
  await using _ = pharlo;
  const hosts = [
    'localhost',
    'x.localhost',
    '127.0.0.1',
    '127.1',
    '2130706433',
    '0x7f.1',
    '0x7f000001',
    '017700000001',
    '[::1]',
    '[::]',
    '[::ffff:127.0.0.1]',
    '[::ffff:7f00:1]',
    '[64:ff9b::7f00:1]',
    '[fd00::1]',
    '[fe80::1]',
    '0.0.0.0',
    '169.254.169.254',
    '10.0.0.1',
    '172.16.0.1',
    '192.168.0.1',
    '100.64.0.1',
    '224.0.0.1',
    '255.255.255.255',
    'mixed.test',
    ...Object.keys(privateNames),
  ];
  const urls = [
    ...hosts.map((host) => `https://${host}/client.json`),
    'http://public.test/client.json',
    'ftp://public.test/client.json',
    'https://user@public.test/client.json',
    'https://user:password@public.test/client.json',
    'https://public.test/client.json#x',
    'https://public.test/client.json#',
    'https://public.test/a/../client.json',
    'https://public.test/./client.json',
    'https://public.test/%2e%2e/client.json',
    'https://public.test:8443/client.json',
    'https://public.test:443/client.json',
    'https://public.test:80/client.json',
    'https://public.test\\@10.0.0.1/client.json',
    'https://PUBLIC.test/client.json',
    'https://public.test/',
    'https://public.test',
    '//public.test/client.json',
  ];
  for (const url of urls) {
    assert.equal(await goesOn(pharlo, url), false, url);
    const atToken = await refresh(pharlo, url, 'x');
    assert.ok([400, 401].includes(atToken.status) && atToken.json.error === 'invalid_client', url);
  }
  assert.deepEqual([world.dialled, world.requests], [[], []]);
  assert.deepEqual(await query(pharlo, 'select id from oauth_clients'), []);

  // No connection is kept, so that the second fetch has to ask for the address again.
  site.answer = (request, response) => {
    response.setHeader('connection', 'close');
    reply(response, documentOf(request));
  };
  const rebinding = 'https://callback.test/client.json';
  assert.ok(await goesOn(pharlo, rebinding), 'positive control');
  assert.deepEqual(world.dialled, [publicAddress], 'what was checked is what was dialled');
  assert.equal(world.asked.filter((name) => name === 'callback.test').length, 1);
  await pharlo.advance(3_601_000);
  assert.equal(await goesOn(pharlo, rebinding), false);
  assert.deepEqual(world.dialled, [publicAddress]);
});

test('52 Fetching: no redirects, small JSON in time, its own id, no secrets; once at a time, remembered, limited', async (t) => {
  const { pharlo, world, site } = await startInWorld(t);
  await using _ = pharlo;
  const limits: number[] = [];
  const timeout = AbortSignal.timeout;
  t.mock.method(AbortSignal, 'timeout', (ms: number) => {
    limits.push(ms);
    return timeout(hurried ? 1 : ms);
  });
  let hurried = false;
  const rsa = { kty: 'RSA', n: 'n', e: 'AQAB' };
  const bad: Record<string, RequestListener> = {
    'a redirect': (_request, response) =>
      void response.writeHead(302, { location: 'https://public.test/other.json' }).end(),
    'not found': (request, response) => reply(response, documentOf(request), 404),
    'no JSON type': (request, response) => reply(response, documentOf(request), 200, 'text/html'),
    'no JSON': (_request, response) => reply(response, '{'),
    'too large': (request, response) => reply(response, documentOf(request, { padding: 'x'.repeat(10_240) })),
    'another id': (request, response) =>
      reply(response, documentOf(request, { client_id: 'https://public.test/x.json' })),
    'no id': (request, response) => reply(response, documentOf(request, { client_id: undefined })),
    'a secret': (request, response) => reply(response, documentOf(request, { client_secret: 'x' })),
    'a shared key': (request, response) =>
      reply(response, documentOf(request, { jwks: { keys: [{ kty: 'oct', k: 'k' }] } })),
    'a private key': (request, response) =>
      reply(response, documentOf(request, { jwks: { keys: [{ ...rsa, d: 'd' }] } })),
    'secret methods only': (request, response) =>
      reply(response, documentOf(request, { token_endpoint_auth_method: 'client_secret_basic' })),
    'no answer': () => {},
  };
  let count = 0;
  for (const [name, answer] of Object.entries(bad)) {
    site.answer = answer;
    if (name === 'no answer') hurried = true;
    assert.equal(await goesOn(pharlo, `https://public.test/bad/${count}.json`), false, name);
    count += 1;
  }
  hurried = false;
  const reached = world.requests.length;
  assert.ok(reached === count || reached === count - 1, 'each was asked for once, the hurried one perhaps not');
  assert.ok(!world.requests.some((request) => request.endsWith('/other.json')), 'the redirect was not followed');
  assert.deepEqual([...new Set(limits)], [5000]);

  const offering = { token_endpoint_auth_method: 'private_key_jwt', token_endpoint_auth_methods_supported: ['none'] };
  site.answer = (request, response) => reply(response, documentOf(request, { ...offering, jwks: { keys: [rsa] } }));
  assert.ok(await goesOn(pharlo, 'https://public.test/chatgpt.json'), 'none is among its methods');

  await pharlo.advance(3_601_000);
  const fetched = (path: string) => world.requests.filter((request) => request.endsWith(path)).length;
  const gate = Promise.withResolvers<void>();
  site.answer = (request, response) => void gate.promise.then(() => reply(response, documentOf(request)));
  let started = 0;
  const arrived = Promise.withResolvers<void>();
  const onStart = () => {
    started += 1;
    if (started === 12) arrived.resolve();
  };
  subscribe('http.server.request.start', onStart);
  const asking = Array.from({ length: 12 }, () => goesOn(pharlo, 'https://public.test/together.json'));
  await arrived.promise;
  unsubscribe('http.server.request.start', onStart);
  for (let n = 0; n < 12; n++) await goesOn(pharlo, 'mcp_client_unknown');
  gate.resolve();
  assert.deepEqual(new Set(await Promise.all(asking)), new Set([true]));
  assert.equal(fetched('/together.json'), 1, 'fetches in flight are shared');

  // The rule of this server: a failure is remembered for a minute, so that nobody makes us knock on a door again and again.
  site.answer = (_request, response) => reply(response, 'busy', 503);
  for (let n = 0; n < 5; n++) assert.equal(await goesOn(pharlo, 'https://public.test/failing.json'), false);
  assert.equal(fetched('/failing.json'), 1);
  site.answer = (request, response) => reply(response, documentOf(request));
  await pharlo.advance(61_000);
  assert.ok(await goesOn(pharlo, 'https://public.test/failing.json'));

  const ask = (path: string, from = fromElsewhere()) => authorize(pharlo, `https://public.test/${path}`, {}, from);
  await pharlo.advance(3_601_000);
  const spread = await Promise.all(Array.from({ length: 80 }, (_, n) => ask(`many/${n}.json`)));
  assert.ok(spread.some(({ status }) => status === 429) && spread.filter(({ status }) => status === 302).length >= 60);
  await pharlo.advance(3_601_000);
  const from = fromElsewhere();
  const one = await Promise.all(Array.from({ length: 30 }, (_, n) => ask(`one/${n}.json`, from)));
  const refused = one.filter(({ status }) => status === 429);
  assert.ok(refused.length >= 5 && refused.length <= 10, String(refused.length));
  assert.ok(refused.every(({ headers }) => Number(headers.get('retry-after')) > 0));
});

test('53 Document redirects: checked as registered ones are, and local ones are warned of', async (t) => {
  const { pharlo, site } = await startInWorld(t);
  await using _ = pharlo;
  const warning = /any program on this computer can claim this name/;
  let count = 0;
  const withUris = (redirect_uris: unknown) => {
    site.answer = (request, response) => reply(response, documentOf(request, { redirect_uris }));
    count += 1;
    return `https://public.test/${count}.json`;
  };
  const odd = [
    'javascript:alert(1)',
    'data:text/html,x',
    'http://evil.example/cb',
    'https://u@a.example/cb',
    'https://*.example/cb',
    `${redirectUri}#x`,
  ];
  for (const uri of odd) {
    assert.equal(await goesOn(pharlo, withUris([uri]), { redirect_uri: uri }), false, uri);
    const mixed = withUris([uri, redirectUri]);
    assert.equal(await goesOn(pharlo, mixed, { redirect_uri: uri }), false, uri);
    assert.ok(await goesOn(pharlo, mixed), 'the good one beside it');
  }
  for (const uris of [undefined, [], 'https://a.example/cb', [7]])
    assert.equal(await goesOn(pharlo, withUris(uris)), false);
  const web = withUris([redirectUri]);
  for (const redirect_uri of [`${redirectUri}/`, 'https://a.example:443/cb', 'https://evil.example/cb']) {
    assert.equal(await goesOn(pharlo, web, { redirect_uri }), false, redirect_uri);
  }
  const words = wordsOf(await show(pharlo, await begin(pharlo, web)));
  assert.match(words, /Published by public\.test /);
  assert.match(words, /not verified by Pharlo/);
  assert.doesNotMatch(words, warning);

  const cli = withUris(['http://localhost/callback', 'http://127.0.0.1/callback']);
  const redirect_uri = 'http://localhost:50123/callback';
  assert.equal(await goesOn(pharlo, cli, { redirect_uri: 'http://localhost.evil.example/callback' }), false);
  assert.match(wordsOf(await show(pharlo, await begin(pharlo, cli, { redirect_uri }))), warning);
  assert.equal(await mcpStatus(pharlo, (await getTokens(pharlo, web)).access_token), 200);
});
