import assert from 'node:assert/strict';
import { test } from 'node:test';
import { codeChallenge, createServer, issuer, redirectUri } from './server.ts';

const loopback = 'http://localhost:4242/cb';

/** Title, heading and text of a page that only says something. */
async function wordsOf(response: Response): Promise<[title: string, heading: string, text: string]> {
  assert.match(response.headers.get('content-type') ?? '', /^text\/html/);
  assert.equal(response.headers.get('location'), null);
  const page = await response.text();
  const [, title = '', heading = '', text = ''] =
    /<title>([^<]*) – Pharlo<\/title>[\s\S]*<main><h1>([^<]*)<\/h1><p>([^<]*)<\/p><\/main>\s*<\/body>/.exec(page) ?? [];
  assert.ok(heading, page.slice(page.indexOf('<main>')));
  return [title, heading, text];
}

test('a link with nobody to answer to gets a page that says what is wrong with it', async () => {
  const down = 'https://down.example/client.json';
  await using server = await createServer();
  const { client_id } = await server.register();
  const query = new URLSearchParams({ client_id, redirect_uri: redirectUri });
  const twice = (name: string) => server.fetch(`/oauth/mcp/authorize?${query}&${name}=${query.get(name) ?? ''}`);
  const cases: [Promise<Response>, RegExp][] = [
    [server.authorize(down), /description of the app could not be fetched.*Try again/],
    [server.authorize('nobody'), /app is not known here.*add it again/],
    [server.authorize('', { client_id: undefined }), /app is not known here/],
    [twice('client_id'), /app is not known here/],
    [server.authorize(client_id, { redirect_uri: undefined }), /did not say where to return/],
    [twice('redirect_uri'), /did not say where to return/],
    [server.authorize(client_id, { redirect_uri: `${redirectUri}/` }), /address it has not registered/],
    [server.authorize(client_id, { state: 's'.repeat(2047) }), /state parameter must not exceed 2048 bytes/],
  ];
  for (const [answer, says] of cases) {
    const response = await answer;
    assert.equal(response.status, 400);
    const [title, heading, text] = await wordsOf(response);
    assert.deepEqual([title, heading], ['This link does not work', 'This link does not work']);
    assert.match(text, says);
  }
  assert.equal((await server.authorize(client_id, { state: 's'.repeat(2046) })).status, 302, 'with its quotes 2048');
});

test('every error of a request says in a sentence what is wrong with which parameter', async () => {
  await using server = await createServer();
  const { client_id } = await server.register({ redirect_uris: [loopback] });
  const cases: [Record<string, string | undefined>, string, RegExp][] = [
    [{ response_type: undefined }, 'invalid_request', /^response_type is missing; it must be code\.$/],
    [{ response_type: 'token' }, 'unsupported_response_type', /^response_type must be code\.$/],
    [{ response_mode: 'fragment' }, 'invalid_request', /^response_mode must be query\.$/],
    [{ request: 'x' }, 'request_not_supported', /^The request parameter is not supported\.$/],
    [{ request_uri: 'x' }, 'request_uri_not_supported', /^The request_uri parameter is not supported\.$/],
    [{ code_challenge_method: undefined }, 'invalid_request', /^code_challenge_method must be S256\.$/],
    [{ code_challenge_method: 'plain' }, 'invalid_request', /^code_challenge_method must be S256\.$/],
    [{ code_challenge: undefined }, 'invalid_request', /^code_challenge must be the 43 characters/],
    [{ code_challenge: `${codeChallenge}x` }, 'invalid_request', /^code_challenge must be the 43 characters/],
    [{ code_challenge: `x${codeChallenge}` }, 'invalid_request', /^code_challenge must be the 43 characters/],
    [{ scope: 'openid' }, 'invalid_scope', /^None of the requested scopes is known\.$/],
    [{ resource: 'https://other.example' }, 'invalid_target', /^resource must be https:\/\/pharlo\.test\/_mcp\.$/],
  ];
  for (const [changes, error, says] of cases) {
    const response = await server.authorize(client_id, { redirect_uri: loopback, ...changes });
    assert.deepEqual([response.status, response.headers.get('cache-control')], [302, 'no-store']);
    const { searchParams } = new URL(response.headers.get('location') ?? '');
    assert.deepEqual([...searchParams.keys()], ['error', 'error_description', 'state', 'iss']);
    assert.equal(searchParams.get('error'), error);
    assert.match(searchParams.get('error_description') ?? '', says);
  }
});

test('what may be said is understood: response_mode=query, an empty request or resource, no state', async () => {
  await using server = await createServer();
  const { client_id } = await server.register({ redirect_uris: [loopback] });
  const { key } = await server.addKey();
  const fine = { redirect_uri: loopback, response_mode: 'query', request: '', request_uri: '', resource: '' };
  const response = await server.authorize(client_id, fine);
  assert.match(response.headers.get('location') ?? '', /^\/oauth\/mcp\/consent\//);
  const at = await server.begin(client_id, { ...fine, state: undefined });
  const { searchParams } = new URL((await server.allow(at, key)).headers.get('location') ?? '');
  assert.deepEqual([...searchParams.keys()], ['code', 'iss']);
  const denied = await server.decide(at, [['decision', 'deny']]);
  assert.deepEqual(
    [...new URL(denied.headers.get('location') ?? '').searchParams],
    [
      ['error', 'access_denied'],
      ['error_description', 'The user denied access.'],
      ['iss', issuer],
    ],
  );
  const wrong = await server.authorize(client_id, { redirect_uri: loopback, state: undefined, response_type: 'x' });
  assert.ok(!new URL(wrong.headers.get('location') ?? '').searchParams.has('state'));
});

test('the page before an unproven address names app, error, reason and address, and links there with all of it', async () => {
  await using server = await createServer();
  const { client_id } = await server.register({ client_name: 'A <b>', redirect_uris: [`${redirectUri}?x=1`] });
  const response = await server.authorize(client_id, { redirect_uri: `${redirectUri}?x=1`, response_type: 'token' });
  assert.equal(response.status, 400);
  const page = await response.text();
  assert.match(page, /<title>The app cannot be connected – Pharlo<\/title>/);
  assert.match(page, /<h1>.*A &lt;b&gt;.* cannot be connected<\/h1>/);
  for (const [term, value] of [
    ['Error', 'unsupported_response_type'],
    ['Reason', 'response_type must be code.'],
    ['The app returns to', 'app.example'],
  ] as const) {
    assert.ok(page.includes(`<dt>${term}</dt><dd>${value}</dd>`), term);
  }
  const href = /<a class="button" rel="noreferrer" href="([^"]+)">Return to app\.example<\/a>/.exec(page)?.[1] ?? '';
  const location = new URL(href.replaceAll('&amp;', '&'));
  assert.equal(location.origin + location.pathname, redirectUri);
  assert.deepEqual(
    [...location.searchParams],
    [
      ['x', '1'],
      ['error', 'unsupported_response_type'],
      ['error_description', 'response_type must be code.'],
      ['state', 's'],
      ['iss', issuer],
    ],
  );
});

test('pages cannot be framed, stored, sniffed or scripted, and tell the form where it comes from', async () => {
  await using server = await createServer();
  const { client_id } = await server.register();
  const at = await server.begin(client_id);
  const pages = [
    await server.authorize('nobody'),
    await server.authorize(client_id, { response_type: 'token' }),
    await server.fetch(at.page, { headers: { cookie: at.cookie } }),
    await server.fetch(at.page, { method: 'PUT' }),
  ];
  for (const { headers } of pages) {
    const policy = headers.get('content-security-policy') ?? '';
    assert.match(
      policy,
      /^default-src 'none'; style-src 'sha256-[\w+/]{43}='; base-uri 'none'; frame-ancestors 'none'$/,
    );
    assert.equal(headers.get('x-frame-options'), 'DENY');
    assert.equal(headers.get('x-content-type-options'), 'nosniff');
    assert.equal(headers.get('referrer-policy'), 'same-origin');
    assert.equal(headers.get('cache-control'), 'no-store');
  }
  assert.equal(pages[3]?.headers.get('allow'), 'GET, HEAD, POST');
  assert.deepEqual(await wordsOf(pages[3] ?? new Response()), [
    'This did not work',
    'This did not work',
    'This method is not allowed here.',
  ]);
});

test('people who fetch too many unknown apps get a page with the time to wait', async () => {
  await using server = await createServer();
  const ask = (n: number) => server.authorize(`https://client${n}.example/client.json`);
  for (let n = 0; n < 20; n++) assert.equal((await ask(n)).status, 400);
  let n = 20;
  let refused = await ask(n);
  while (refused.status === 400 && n < 30) refused = await ask(++n);
  assert.equal(refused.status, 429);
  const wait = Number(refused.headers.get('retry-after'));
  assert.ok(wait >= 1 && wait <= 30, String(wait));
  assert.match((await wordsOf(refused))[2], /^Too many requests\. Try again later\.$/);
});

test('the request travels sealed under its own name, with nothing in it that was not asked', async () => {
  await using server = await createServer();
  const { client_id } = await server.register();
  const { page, cookie } = await server.begin(client_id, { scope: 'x mcp.read', state: undefined });
  const sealed = Buffer.from(page.split('/').at(-1) ?? '', 'base64url');
  const { id, expiresAt, ...request } = JSON.parse(server.deps.vault.open('oauth consent request', sealed) ?? '{}');
  assert.match(id, /^[\w-]{22}$/);
  assert.ok(Math.abs(expiresAt - server.deps.now() - 600_000) < 60_000);
  const browser = cookie.split('=')[1];
  assert.deepEqual(request, { clientId: client_id, redirectUri, codeChallenge, scope: 'mcp.read', browser });
});

test('the browser is known by a nonce of 22 characters and no other', async () => {
  await using server = await createServer();
  const { client_id } = await server.register();
  const kept = async (nonce: string) => {
    const { headers } = await server.authorize(client_id, {}, { cookie: `__Host-pharlo_consent=${nonce}` });
    return headers.get('set-cookie')?.includes(`=${nonce};`);
  };
  assert.equal(await kept('A-_z5'.padEnd(22, 'x')), true);
  for (const odd of ['x'.repeat(21), 'x'.repeat(23), `${'x'.repeat(21)}.`, `.${'x'.repeat(22)}`]) {
    assert.equal(await kept(odd), false, odd);
  }
});
