import assert from 'node:assert/strict';
import { after, before, test } from 'node:test';
import { scopes } from '../../src/domain/access.ts';
import {
  type Answer,
  assertPage,
  authorize,
  authorizePath,
  begin,
  codeChallenge,
  decide,
  exchange,
  type Fields,
  get,
  getCode,
  type Harness,
  issuer,
  newClient,
  redirectUri,
  resource,
  show,
  startCanary,
  startPharlo,
  target,
  tokensOf,
} from './outside.ts';

// Items 13 to 23 of the security checklist.

let pharlo: Harness;
before(async () => {
  pharlo = await startPharlo();
});
after(() => pharlo[Symbol.asyncDispose]());

/** Registered without a port, so that errors are sent there at once. */
const local = 'http://localhost/cb';
const loopback = 'http://localhost:4242/cb';

function errorOf(answer: Answer): string | null {
  const { searchParams } = target(answer);
  assert.equal(searchParams.get('code'), null);
  return searchParams.get('error');
}

function goesOn(answer: Answer, message = 'goes on'): void {
  assert.match(answer.headers.get('location') ?? '', /^\/oauth\/mcp\/consent\//, message);
}

test('13 Unknown client or redirect URI: a page, never a Location', async () => {
  const id = await newClient(pharlo, { redirect_uris: [redirectUri, local] });
  for (const unknown of [`mcp_client_${'x'.repeat(22)}`, 'x', '', `${id}x`, id.toUpperCase(), '\u0000']) {
    assertPage(await authorize(pharlo, unknown), 400, JSON.stringify(unknown));
  }
  for (const redirect_uri of ['https://evil.example/cb', 'https://b.example/cb', '', undefined]) {
    assertPage(await authorize(pharlo, id, { redirect_uri }), 400, String(redirect_uri));
    assertPage(await authorize(pharlo, id, { redirect_uri, response_type: 'token' }), 400, String(redirect_uri));
  }
  goesOn(await authorize(pharlo, id), 'positive control');
});

test('14 Redirect exactness: no other spelling of a registered URI is taken', async () => {
  const id = await newClient(pharlo);
  const others = [
    `${redirectUri}/`,
    `${redirectUri}?`,
    `${redirectUri}?x=1`,
    `${redirectUri}#`,
    `${redirectUri}#x`,
    `${redirectUri}x`,
    `${redirectUri}%00`,
    `${redirectUri}\u0000`,
    `${redirectUri} `,
    'https://a.example/CB',
    'https://A.example/cb',
    'HTTPS://a.example/cb',
    'https://a.example:443/cb',
    'https://a.example./cb',
    'https://a.example//cb',
    'https://a.example/x/../cb',
    'https://a.example/./cb',
    'https://a.example/%63b',
    'https://user@a.example/cb',
    'https://a.example@evil.example/cb',
    'https://a.example.evil.example/cb',
    'https://evil.example/https://a.example/cb',
    'https://xa.example/cb',
    'https://a.example\\@evil.example/cb',
    'http://a.example/cb',
    'https://a.example',
  ];
  for (const redirect_uri of others) {
    assertPage(await authorize(pharlo, id, { redirect_uri }), 400, JSON.stringify(redirect_uri));
  }
  goesOn(await authorize(pharlo, id), 'positive control');
});

test('15 Loopback: the port may vary, nothing else; https has no such freedom', async () => {
  const id = await newClient(pharlo, { redirect_uris: [redirectUri, local, 'http://[::1]:9000/cb'] });
  for (const redirect_uri of [local, loopback, 'http://localhost:65535/cb', 'http://[::1]/cb', 'http://[::1]:1/cb']) {
    goesOn(await authorize(pharlo, id, { redirect_uri }), redirect_uri);
  }
  const refused = [
    'http://localhost:4242/other',
    'http://localhost:4242/cb/',
    'http://localhost:4242/cb?x=1',
    'http://127.0.0.1:4242/cb',
    'http://127.0.0.1/cb',
    'https://localhost:4242/cb',
    'https://localhost/cb',
    'http://localhost.evil.example:4242/cb',
    'http://localhost.evil.example/cb',
    'http://localhost:4242@evil.example/cb',
    'http://localhost:99999/cb',
    'http://localhost:/cb',
    'https://a.example:8443/cb',
    'https://a.example:443/cb',
  ];
  for (const redirect_uri of refused) assertPage(await authorize(pharlo, id, { redirect_uri }), 400, redirect_uri);
});

test('16 PKCE: missing, plain, unnamed and short challenges are invalid_request', async () => {
  const id = await newClient(pharlo, { redirect_uris: [local] });
  const cases: Fields[] = [
    { code_challenge: undefined },
    { code_challenge: undefined, code_challenge_method: undefined },
    { code_challenge_method: 'plain' },
    { code_challenge_method: undefined },
    { code_challenge_method: 's256' },
    { code_challenge: codeChallenge.slice(1) },
    { code_challenge: `${codeChallenge}A` },
    { code_challenge: `${codeChallenge.slice(1)}=` },
  ];
  for (const changes of cases) {
    const answer = await authorize(pharlo, id, { redirect_uri: loopback, ...changes });
    assert.equal(errorOf(answer), 'invalid_request', JSON.stringify(changes));
  }
  goesOn(await authorize(pharlo, id, { redirect_uri: loopback }), 'positive control');
});

test('17 Other flows: implicit, hybrid, other response modes and request objects are refused, unfetched', async () => {
  await using pharlo = await startPharlo({ environment: { PHARLO_ALLOWED_PRIVATE_HOSTS: '127.0.0.1' } });
  await using canary = await startCanary();
  const id = await newClient(pharlo, { redirect_uris: [local] });
  const cases: [string, Fields][] = [
    ['unsupported_response_type', { response_type: 'token' }],
    ['unsupported_response_type', { response_type: 'id_token' }],
    ['unsupported_response_type', { response_type: 'code token' }],
    ['unsupported_response_type', { response_type: 'code id_token' }],
    ['unsupported_response_type', { response_type: 'none' }],
    ['invalid_request', { response_type: undefined }],
    ['invalid_request', { response_mode: 'fragment' }],
    ['invalid_request', { response_mode: 'form_post' }],
    ['invalid_request', { response_mode: 'query.jwt' }],
    ['request_not_supported', { request: 'eyJhbGciOiJub25lIn0.e30.' }],
    ['request_uri_not_supported', { request_uri: `${canary.url}/request` }],
    ['request_uri_not_supported', { request_uri: 'urn:ietf:params:oauth:request_uri:x' }],
  ];
  for (const [error, changes] of cases) {
    const answer = await authorize(pharlo, id, { redirect_uri: loopback, ...changes });
    assert.equal(errorOf(answer), error, JSON.stringify(changes));
    assert.equal(target(answer).hash, '');
  }
  assert.equal(canary.connections(), 0);
  goesOn(await authorize(pharlo, id, { redirect_uri: loopback, response_mode: 'query' }), 'positive control');
});

test('18 Repeated parameters: refused, whatever they are, but resource', async () => {
  const id = await newClient(pharlo, { redirect_uris: [local] });
  const path = authorizePath(id, { redirect_uri: loopback, scope: 'stats:read' });
  const repeated = (name: string, value: string) => get(pharlo, `${path}&${name}=${encodeURIComponent(value)}`);
  for (const [name, value] of [
    ['redirect_uri', loopback],
    ['redirect_uri', 'https://evil.example/cb'],
    ['client_id', id],
  ] as const) {
    assertPage(await repeated(name, value), 400, name);
  }
  const once = ['response_type', 'code_challenge', 'code_challenge_method', 'scope', 'state'];
  for (const name of once) assert.equal(errorOf(await repeated(name, 'code')), 'invalid_request', name);
  assert.equal(errorOf(await get(pharlo, `${path}&unknown=1&unknown=1`)), 'invalid_request');
  goesOn(await get(pharlo, `${path}&resource=${resource}&resource=${resource}`), 'resource may come again');
});

test('19 State: returned verbatim, capped, and never a header of its own', async () => {
  const id = await newClient(pharlo, { redirect_uris: [local] });
  const at = (state: string, changes: Fields = {}) =>
    authorize(pharlo, id, { redirect_uri: loopback, state, ...changes });
  const states = [
    'a&=%"<b',
    '%26',
    'é 助手 👩‍💻',
    ' + ',
    '\r\nX-Injected: 1',
    '\u0000\t',
    '#?&code=x&iss=evil',
    's'.repeat(2000),
  ];
  for (const state of states) {
    const page = await at(state);
    const opened = {
      path: page.headers.get('location') ?? '',
      cookie: page.headers.get('set-cookie')?.split(';')[0] ?? '',
    };
    for (const answer of [
      await at(state, { response_type: 'token' }),
      await decide(pharlo, opened, 'deny', ''),
      await decide(pharlo, opened, 'authorize', pharlo.key),
    ]) {
      const { searchParams, hash } = target(answer);
      assert.deepEqual(searchParams.getAll('state'), [state]);
      assert.deepEqual(searchParams.getAll('iss'), [issuer]);
      assert.deepEqual([hash, answer.headers.get('x-injected')], ['', null]);
      assert.match(answer.headers.get('location') ?? '', /^[\x21-\x7e]+$/);
    }
  }
  assertPage(await at('s'.repeat(2100)), 400);
  assertPage(await at('\u0001'.repeat(400)), 400);
});

test('20 Scope: missing means the default, partly unknown narrows, only unknown is invalid_scope', async () => {
  const id = await newClient(pharlo, { redirect_uris: [redirectUri, local] });
  const narrow = await newClient(pharlo, { client_name: 'Narrow', scope: 'stats:read platforms:read' });
  const granted = async (client: string, scope?: string) =>
    tokensOf(await exchange(pharlo, client, await getCode(pharlo, client, { scope }))).scope;
  assert.equal(await granted(id), scopes.join(' '));
  assert.equal(await granted(narrow), 'stats:read platforms:read');
  assert.equal(await granted(narrow, 'assignments:read'), 'assignments:read', 'may exceed what was registered');
  assert.equal(await granted(id, 'openid stats:read offline_access'), 'stats:read');
  assert.equal(await granted(id, 'mcp.read'), 'mcp.read');
  for (const scope of ['openid', 'openid offline_access', 'STATS:READ', 'stats:read,platforms:read']) {
    const answer = await authorize(pharlo, id, { redirect_uri: loopback, scope });
    assert.equal(errorOf(answer), 'invalid_scope', scope);
  }
});

test('21 Resource: what is not ours is invalid_target; ours has four spellings', async () => {
  const id = await newClient(pharlo, { redirect_uris: [local] });
  const at = (value: string) => authorize(pharlo, id, { redirect_uri: loopback, resource: value });
  const foreign = [
    'https://other.example/_mcp',
    `${resource}#fragment`,
    `${resource}#`,
    `${resource}?x=1`,
    `${issuer}/api/v1`,
    `${issuer}/_mcp/x`,
    `${issuer}.evil.example/_mcp`,
    'https://user@pharlo.io/_mcp',
    'http://pharlo.io/_mcp',
    '/_mcp',
    'x',
  ];
  for (const value of foreign) assert.equal(errorOf(await at(value)), 'invalid_target', value);
  for (const value of [resource, `${resource}/`, issuer, `${issuer}/`]) goesOn(await at(value), value);
  const path = authorizePath(id, { redirect_uri: loopback, resource });
  assert.equal(errorOf(await get(pharlo, `${path}&resource=https://other.example`)), 'invalid_target', 'one of two');
});

test('22 Redirect with a query of its own: it is kept, the answer stands behind it', async () => {
  const uris = ['https://a.example/cb?tenant=1&x=%20', 'http://localhost/cb?tenant=1&x=%20'];
  const id = await newClient(pharlo, { redirect_uris: uris });
  for (const redirect_uri of uris) {
    const page = await begin(pharlo, id, { redirect_uri });
    const answers = [
      await decide(pharlo, page, 'authorize', pharlo.key),
      await decide(pharlo, page, 'deny', ''),
      ...(redirect_uri.startsWith('http:') ? [await authorize(pharlo, id, { redirect_uri, scope: 'openid' })] : []),
    ];
    for (const answer of answers) {
      const location = answer.headers.get('location') ?? '';
      assert.ok(location.startsWith(`${redirect_uri}&`), location);
      const names = [...target(answer).searchParams.keys()];
      assert.deepEqual([names.slice(0, 2), new Set(names).size], [['tenant', 'x'], names.length]);
    }
  }
});

test('23 No silent grant: a second visit with all cookies asks for the key again', async () => {
  const id = await newClient(pharlo);
  const page = await begin(pharlo, id);
  assert.ok(target(await decide(pharlo, page, 'authorize', pharlo.key)).searchParams.get('code'));
  const again = await authorize(pharlo, id, {}, { cookie: page.cookie });
  goesOn(again);
  const second = { path: again.headers.get('location') ?? '', cookie: page.cookie };
  for (const at of [page, second]) {
    const shown = await show(pharlo, at);
    assert.equal(shown.status, 200);
    assert.match(shown.text, /<input id="key"[^>]* required/);
    for (const key of ['', 'x']) assertPage(await decide(pharlo, at, 'authorize', key), 400);
  }
  for (const prompt of ['none', 'login']) goesOn(await authorize(pharlo, id, { prompt }, { cookie: page.cookie }));
});
