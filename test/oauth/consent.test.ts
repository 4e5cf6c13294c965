import assert from 'node:assert/strict';
import { test } from 'node:test';
import { createServer, issuer, type Server } from './server.ts';

function see(server: Server, at: { page: string; cookie: string }) {
  return server.fetch(at.page, { headers: { cookie: at.cookie } });
}

test('the page names the client, where access goes and every scope, and cannot be framed or scripted', async () => {
  await using server = await createServer();
  const { client_id } = await server.register({ client_name: '<img src=x onerror=alert(1)>' });
  const response = await see(server, await server.begin(client_id, { scope: 'stats:read platforms:read' }));
  assert.equal(response.status, 200);
  const { headers } = response;
  const policy = headers.get('content-security-policy') ?? '';
  assert.match(policy, /^default-src 'none'; style-src 'sha256-[\w+/=]+'; base-uri 'none'; frame-ancestors 'none'$/);
  assert.equal(headers.get('x-frame-options'), 'DENY');
  assert.equal(headers.get('referrer-policy'), 'same-origin');
  assert.equal(headers.get('cache-control'), 'no-store');
  assert.equal(headers.get('x-content-type-options'), 'nosniff');
  assert.equal(headers.get('cross-origin-opener-policy'), null);
  assert.equal(headers.get('set-cookie'), null);
  const page = await response.text();
  assert.ok(!page.includes('<img'));
  assert.ok(page.includes('&lt;img'));
  assert.match(page, /not verified by Pharlo/);
  assert.match(page, /app\.example/);
  assert.equal(page.match(/type="checkbox" name="scope" value="[^"]+" checked/g)?.length, 2);
  assert.match(page, /See all statistics/);
  assert.match(page, /<label for="key">Your Pharlo key \(ds_live_…\)<\/label>/);
  assert.match(page, /<input id="key" name="key" type="password" required autocomplete="off"/);
  assert.ok(!/any program on this computer/.test(page));
  assert.ok(!/<script|https?:\/\/(?!pharlo)/.test(page), 'nothing from elsewhere');
});

test('addresses any local program can claim are told as such', async () => {
  await using server = await createServer();
  for (const uri of ['http://localhost:1234/cb', 'cursor://anysphere.cursor-mcp/cb', 'com.example:/cb']) {
    const { client_id } = await server.register({ redirect_uris: [uri] });
    const page = await (await see(server, await server.begin(client_id, { redirect_uri: uri }))).text();
    assert.match(page, /any program on this computer can claim this name/, uri);
  }
});

test('the right key and Authorize answer code, state and iss, once more with no store and no referrer', async () => {
  await using server = await createServer();
  const { client_id } = await server.register();
  const { id, key } = await server.addKey();
  const state = 'a&=%"<é\r\nX: 1';
  const response = await server.allow(await server.begin(client_id, { state }), ` ${key}\n`);
  assert.equal(response.status, 302);
  assert.equal(response.headers.get('referrer-policy'), 'no-referrer');
  assert.equal(response.headers.get('cache-control'), 'no-store');
  const location = new URL(response.headers.get('location') ?? '');
  assert.equal(location.origin + location.pathname, 'https://app.example/cb');
  assert.deepEqual([...location.searchParams.keys()], ['code', 'state', 'iss']);
  assert.equal(location.searchParams.get('state'), state);
  assert.equal(location.searchParams.get('iss'), issuer);
  const [grant] = await server.query('select key_id, client_name, redirect_host, resource from oauth_grants');
  assert.deepEqual(grant, { key_id: id, client_name: 'Tester', redirect_host: 'app.example', resource: null });
  const entries = await server.query('select action, outcome, network from audit');
  assert.deepEqual(entries, [{ action: 'oauth.grant', outcome: 'ok', network: '192.0.2.1' }]);
});

test('the same page again asks for the key again: nothing is granted silently', async () => {
  await using server = await createServer();
  const { client_id } = await server.register();
  const { key } = await server.addKey();
  const at = await server.begin(client_id);
  await server.allow(at, key);
  const again = await server.authorize(client_id, {}, { cookie: at.cookie });
  assert.match(again.headers.get('location') ?? '', /^\/oauth\/mcp\/consent\//);
});

test('deny needs no key', async () => {
  await using server = await createServer();
  const { client_id } = await server.register();
  const response = await server.decide(await server.begin(client_id), [
    ['decision', 'deny'],
    ['key', ''],
  ]);
  assert.equal(response.status, 302);
  const { searchParams } = new URL(response.headers.get('location') ?? '');
  assert.deepEqual(
    ['error', 'state', 'iss', 'code'].map((name) => searchParams.get(name)),
    ['access_denied', 's', issuer, null],
  );
  assert.equal((await server.query('select count(*) as n from oauth_grants'))[0]?.n, 0);
  assert.deepEqual(await server.query(`select client_id, count from audit_strangers where action = 'oauth.deny'`), [
    { client_id, count: 1 },
  ]);
});

test('the form can only untick, and the key bounds what is granted', async () => {
  await using server = await createServer();
  const { client_id } = await server.register();
  const { key } = await server.addKey();
  const narrow = await server.addKey({ scopes: ['stats:read'] });
  const scopesOf = async (asked: string, ticked: string[], by: string) => {
    const at = await server.begin(client_id, { scope: asked });
    const response = await server.allow(at, by, ticked);
    if (response.status !== 302) return response.status;
    const code = new URL(response.headers.get('location') ?? '').searchParams.get('code') ?? '';
    return ((await (await server.exchange(client_id, code)).json()) as { scope: string }).scope;
  };
  const reads = ['assignments:read', 'connections:read', 'platforms:read', 'webhooks:read', 'stats:read'];
  assert.equal(await scopesOf('mcp.read', reads, key), 'mcp.read');
  assert.equal(await scopesOf('mcp.read', ['stats:read'], key), 'stats:read');
  assert.equal(await scopesOf('stats:read', ['stats:read', 'assignments:write'], key), 'stats:read');
  assert.equal(await scopesOf('stats:read platforms:read', ['stats:read', 'platforms:read'], narrow.key), 'stats:read');
  assert.equal(await scopesOf('stats:read', [], key), 400);
  assert.equal(await scopesOf('platforms:read', ['platforms:read'], narrow.key), 400);
});

test('every unusable key gets the same answer', async () => {
  await using server = await createServer();
  const { client_id } = await server.register();
  const [revoked, expired, suspended] = [
    await server.addKey(),
    await server.addKey({ expiresAt: new Date(Date.now() - 1000) }),
    await server.addKey(),
  ];
  await server.query('update api_keys set revoked_at = pharlo_now() where id = $1', [revoked.id]);
  const tries = [`ds_live_${'x'.repeat(32)}`, 'hunter2', '', '\0', 'x'.repeat(5000), revoked.key, expired.key];
  const answers = new Set<string>();
  const tryKey = async (key: string) => {
    const response = await server.allow(await server.begin(client_id), key);
    const text = await response.text();
    if (key.length > 8) assert.ok(!text.includes(key), 'the key is never reflected');
    answers.add(`${response.status} ${text}`);
  };
  for (const key of tries) await tryKey(key);
  await server.query(`update workspaces set status = 'suspended'`);
  await tryKey(suspended.key);
  assert.equal(answers.size, 1);
  const [answer] = answers;
  assert.match(answer ?? '', /^400 /);
  assert.match(answer ?? '', /role="alert"/);
  assert.match(answer ?? '', /aria-invalid="true"/);
});

test('ten keys per page, then 429, even for the right one', async () => {
  await using server = await createServer();
  const { client_id } = await server.register();
  const { key } = await server.addKey();
  const at = await server.begin(client_id);
  const tries = await Promise.all(Array.from({ length: 12 }, () => server.allow(at, 'wrong')));
  assert.equal(tries.filter(({ status }) => status === 400).length, 10);
  const refused = await server.allow(at, key);
  assert.equal(refused.status, 429);
  assert.ok(Number(refused.headers.get('retry-after')) > 0);
  assert.match(refused.headers.get('content-type') ?? '', /^text\/html/);
  assert.equal((await server.allow(await server.begin(client_id), key)).status, 302, 'another page');
});

test('thirty wrong keys an hour and network; right ones do not count', async () => {
  await using server = await createServer();
  const { client_id } = await server.register();
  const { key } = await server.addKey();
  for (let n = 0; n < 35; n++) assert.equal((await server.allow(await server.begin(client_id), key)).status, 302);
  for (let n = 0; n < 30; n++) assert.equal((await server.allow(await server.begin(client_id), 'wrong')).status, 400);
  assert.equal((await server.allow(await server.begin(client_id), key)).status, 429);
  const elsewhere = await server.begin(client_id);
  const boxes: [string, string][] = [
    ['key', key],
    ['decision', 'authorize'],
    ['scope', 'stats:read'],
  ];
  assert.equal((await server.decide(elsewhere, boxes, { 'x-test-network': '192.0.2.9' })).status, 302);
  await server.advance(121);
  assert.equal((await server.allow(await server.begin(client_id), key)).status, 302);
  const lines = await server.query(
    `select sum(count)::int as n from audit_strangers where action = 'oauth.key_refused' group by outcome order by 1`,
  );
  assert.deepEqual(lines, [{ n: 1 }, { n: 30 }]);
});

test('forms from elsewhere, other browsers, tampered and expired requests', async () => {
  await using server = await createServer();
  const { client_id } = await server.register();
  const { key } = await server.addKey();
  const at = await server.begin(client_id);
  const good: [string, string][] = [
    ['key', key],
    ['decision', 'authorize'],
    ['scope', 'stats:read'],
  ];
  const post = async (where: { page: string; cookie: string }, headers = {}) => {
    const response = await server.decide(where, good, headers);
    assert.equal(response.headers.get('location'), null);
    return response.status;
  };
  for (const site of ['cross-site', 'same-site', 'none']) assert.equal(await post(at, { 'sec-fetch-site': site }), 403);
  assert.equal(await post(at, { origin: 'https://evil.example' }), 403);
  assert.equal(await post(at, { origin: 'null' }), 403);
  assert.equal(await post({ ...at, cookie: '' }), 403);
  assert.equal(await post({ ...at, cookie: `__Host-pharlo_consent=${'x'.repeat(22)}` }), 403);
  assert.equal((await see(server, { ...at, cookie: '' })).status, 403);
  const middle = at.page.length - 40;
  const flipped = at.page[middle] === 'A' ? 'B' : 'A';
  const tampered = at.page.slice(0, middle) + flipped + at.page.slice(middle + 1);
  assert.equal(await post({ ...at, page: tampered }), 400);
  assert.equal(await post({ ...at, page: '/oauth/mcp/consent/x' }), 400);
  await server.advance(599);
  assert.equal((await see(server, at)).status, 200);
  await server.advance(2);
  assert.equal(await post(at), 400);
  assert.match(await (await see(server, at)).text(), /Start again from your app/);
});

test('a form from the page itself is taken, with either header, and half a form is not', async () => {
  await using server = await createServer();
  const { client_id } = await server.register();
  const { key } = await server.addKey();
  const at = await server.begin(client_id);
  const good: [string, string][] = [
    ['key', key],
    ['scope', 'stats:read'],
    ['decision', 'authorize'],
  ];
  assert.equal((await server.decide(at, good.slice(0, 2))).status, 400);
  assert.equal((await server.decide(at, [...good, ['decision', 'deny']])).status, 400);
  assert.equal((await server.decide(at, [...good, ['key', key]])).status, 400);
  assert.equal((await server.decide(at, good, { origin: issuer })).status, 302);
  assert.equal((await server.decide(at, good, { 'sec-fetch-site': 'same-origin', origin: 'null' })).status, 302);
  assert.equal((await server.fetch(at.page, { method: 'PUT' })).status, 405);
});
