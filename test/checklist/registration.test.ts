import assert from 'node:assert/strict';
import { after, before, test } from 'node:test';
import { sweepExpired } from '../../src/store/sweep.ts';
import {
  authorize,
  begin,
  exchange,
  fromElsewhere,
  get,
  getCode,
  getTokens,
  type Harness,
  issuer,
  newClient,
  outcome,
  query,
  redirectUri,
  register,
  send,
  show,
  startCanary,
  startPharlo,
  token,
  wordsOf,
} from './outside.ts';

// Items 6 to 12 of the security checklist.

let pharlo: Harness;
before(async () => {
  pharlo = await startPharlo();
});
after(() => pharlo[Symbol.asyncDispose]());

const day = 86_400_000;

test('6 Script and file redirects: every odd URI is refused', async () => {
  const odd = [
    'javascript:alert(1)',
    'JavaScript:alert(1)',
    'data:text/html,<script>alert(1)</script>',
    'vbscript:msgbox(1)',
    'file:///etc/passwd',
    'blob:https://a.example/1',
    'http://a.example/cb',
    'http://10.0.0.1/cb',
    'http://localhost.evil.example/cb',
    'https://a.example/cb#fragment',
    'https://a.example/cb#',
    'https://user@a.example/cb',
    'https://user:password@a.example/cb',
    'https://*.example/cb',
    'https://*/cb',
    'https://a.example/c b',
    ' https://a.example/cb',
    'https://a.example/cb\t',
    'https://a.example/cb\r\nX: 1',
    'https://a.example/\u0000',
    'https://a.example/\u007f',
    'https://a.example/\u202ecb',
    'https://',
    '',
  ];
  for (const uri of odd) {
    const refused = await register(pharlo, { redirect_uris: [uri], client_name: 'Odd' });
    assert.deepEqual(outcome(refused), [400, 'invalid_redirect_uri'], JSON.stringify(uri));
    const mixed = await register(pharlo, { redirect_uris: [uri, redirectUri], client_name: 'Odd' });
    assert.deepEqual(mixed.json.redirect_uris, [redirectUri], 'neither stored nor echoed');
  }
  const stored = await query(pharlo, `select redirect_uris from oauth_clients where name = 'Odd'`);
  assert.deepEqual(stored, [{ redirect_uris: [redirectUri] }]);
  assert.equal((await register(pharlo, { redirect_uris: [redirectUri] })).status, 201, 'positive control');
});

test('7 Flooding: body limit, JSON only, a rate limit, identical and unused clients leave no rows', async () => {
  await using pharlo = await startPharlo();
  const body = { redirect_uris: [redirectUri], client_name: 'Flood' };
  const padding = 'x'.repeat(16 * 1024);
  const elsewhere = fromElsewhere();
  assert.deepEqual(outcome(await register(pharlo, { ...body, padding }, elsewhere)), [413, 'invalid_client_metadata']);
  for (const type of ['text/plain', 'application/x-www-form-urlencoded', 'multipart/form-data; boundary=x', '']) {
    const answer = await register(pharlo, body, { ...elsewhere, 'content-type': type });
    assert.deepEqual(outcome(answer), [415, 'invalid_client_metadata'], type);
  }
  for (const text of ['', '{', '[]', 'null', '"x"']) {
    assert.deepEqual(outcome(await register(pharlo, text, elsewhere)), [400, 'invalid_client_metadata'], text);
  }

  const network = fromElsewhere();
  const add = (n: number, from = network) => register(pharlo, { ...body, client_name: `Flood ${n}` }, from);
  let made = 0;
  let refused = await add(made);
  while (refused.status === 201 && made < 330) refused = await add(++made);
  // One more comes back every twelve seconds.
  assert.ok(made >= 300 && made < 330, String(made));
  assert.deepEqual(outcome(refused), [429, 'too_many_requests']);
  const wait = Number(refused.headers.get('retry-after'));
  assert.ok(wait >= 1 && wait <= 12, String(wait));
  assert.equal((await add(0)).status, 201, 'what is there already does not count');
  assert.equal((await add(made + 1, fromElsewhere())).status, 201, 'another network');

  const rows = async () => Number((await query(pharlo, 'select count(*) as n from oauth_clients'))[0]?.n);
  const before = await rows();
  const again = await Promise.all(Array.from({ length: 20 }, () => add(1)));
  assert.equal(new Set(again.map(({ json }) => json.client_id)).size, 1);
  assert.equal(await rows(), before);

  const used = await newClient(pharlo, { client_name: 'Used' });
  await getCode(pharlo, used);
  await pharlo.advance(89 * day);
  await sweepExpired(pharlo.app.deps.db);
  assert.equal(await rows(), before + 1);
  await pharlo.advance(2 * day);
  await sweepExpired(pharlo.app.deps.db);
  assert.deepEqual(await query(pharlo, 'select id from oauth_clients'), [{ id: used }]);
});

test('8 Spoofed name: characters that deceive are refused, and consent tells what is not verified', async () => {
  const deceiving = [
    'a\u202eb',
    'a\u2066b',
    'a\u200fb',
    'a\u200bb',
    'a\nb',
    'a\u0000b',
    'a\u001bb',
    'a\u2028b',
    'a\ufeffb',
  ];
  for (const client_name of [...deceiving, 'a'.repeat(101)]) {
    const answer = await register(pharlo, { redirect_uris: [redirectUri], client_name });
    assert.deepEqual(outcome(answer), [400, 'invalid_client_metadata'], JSON.stringify(client_name));
  }
  const longest = 'a'.repeat(100);
  const page = await begin(pharlo, await newClient(pharlo, { client_name: longest }));
  const words = wordsOf(await show(pharlo, page));
  assert.ok(words.includes(longest));
  assert.match(words, /the app’s own claim, not verified by Pharlo/);
  assert.match(words, /Access is sent to a\.example /);
});

test('9 SSRF by metadata: no URL a client names is ever fetched, by us or by a browser', async () => {
  await using pharlo = await startPharlo({ environment: { PHARLO_ALLOWED_PRIVATE_HOSTS: '127.0.0.1' } });
  await using canary = await startCanary();
  const members = ['logo_uri', 'client_uri', 'jwks_uri', 'sector_identifier_uri', 'policy_uri', 'tos_uri'];
  const urls = Object.fromEntries(members.map((name) => [name, `${canary.url}/${name}`]));
  const registered = await register(pharlo, { redirect_uris: [redirectUri], client_name: 'Curious', ...urls });
  const id = String(registered.json.client_id);
  const page = await show(pharlo, await begin(pharlo, id));
  assert.match(page.text, /Curious/);
  assert.ok(!page.text.includes('127.0.0.1') && !registered.text.includes('127.0.0.1'));
  const policy = page.headers.get('content-security-policy') ?? '';
  assert.ok(policy.includes("default-src 'none'") && !policy.includes('img-src'), policy);
  await getTokens(pharlo, id);
  assert.equal(canary.connections(), 0);
  await fetch(canary.url);
  assert.equal(canary.connections(), 1, 'positive control');
});

test('10 Interop: what clients in the wild send is tolerated; no null in the answer, which is not stored', async () => {
  const wild = [
    { scope: 'offline_access openid' },
    { scope: 'offline_access stats:read' },
    { grant_types: ['authorization_code', 'refresh_token', 'urn:ietf:params:oauth:grant-type:device_code'] },
    { response_types: ['code', 'token'], application_type: 'native', software_statement: 'x', contacts: 7 },
    { client_name: '', client_uri: '', logo_uri: '', scope: '', token_endpoint_auth_method: '' },
    { client_name: null, client_uri: null, scope: null, grant_types: null, token_endpoint_auth_method: null },
  ];
  for (const more of wild) {
    const answer = await register(pharlo, { redirect_uris: [redirectUri], ...more });
    assert.equal(answer.status, 201, JSON.stringify(more));
    assert.match(answer.headers.get('cache-control') ?? '', /no-store/);
    assert.ok(!/null|""|\[\]/.test(answer.text), answer.text);
    assert.deepEqual(answer.json.redirect_uris, [redirectUri]);
    assert.ok(!('client_secret' in answer.json));
    assert.match((await authorize(pharlo, String(answer.json.client_id))).headers.get('location') ?? '', /consent/);
  }
});

test('11 Confidential secrets: shown once, kept as a hash', async () => {
  const body = {
    redirect_uris: [redirectUri],
    client_name: 'Server',
    token_endpoint_auth_method: 'client_secret_post',
  };
  const [first, second] = [await register(pharlo, body), await register(pharlo, body)];
  const secret = String(first.json.client_secret);
  const id = String(first.json.client_id);
  assert.match(secret, /^mcp_cs_[\w-]{43}$/);
  assert.equal(first.json.client_secret_expires_at, 0);
  assert.ok(second.json.client_id !== id && second.json.client_secret !== secret, 'an identical one is another client');
  const rows = await query(pharlo, 'select t::text as row, secret_hash = sha256($1) as same from oauth_clients t', [
    Buffer.from(secret),
  ]);
  assert.equal(rows.filter(({ same }) => same).length, 1);
  const bytes = Buffer.from(secret);
  for (const { row } of rows) {
    for (const text of [secret, bytes.toString('hex'), bytes.toString('base64')])
      assert.ok(!String(row).includes(text));
  }
  const code = await getCode(pharlo, id);
  assert.deepEqual(outcome(await exchange(pharlo, id, code)), [401, 'invalid_client']);
  const good = await exchange(pharlo, id, code, { client_secret: secret });
  assert.ok(good.status === 200 && !good.text.includes(secret));
  const wrong = { grant_type: 'refresh_token', refresh_token: 'x', client_id: id, client_secret: 'y' };
  assert.ok(!(await token(pharlo, wrong)).text.includes(secret));
});

test('12 Client management: there are no endpoints of RFC 7592', async () => {
  const { json } = await register(pharlo, { redirect_uris: [redirectUri] });
  assert.ok(!('registration_access_token' in json) && !('registration_client_uri' in json));
  const id = String(json.client_id);
  for (const method of ['GET', 'PUT', 'DELETE', 'PATCH', 'POST']) {
    const answer = await send(pharlo, `${issuer}/oauth/mcp/register/${id}`, {
      method,
      headers: { 'content-type': 'application/json' },
      ...(method !== 'GET' && method !== 'DELETE' && { body: '{}' }),
    });
    assert.ok([401, 404].includes(answer.status), `${method} ${answer.status}`);
  }
  assert.equal((await get(pharlo, `/oauth/mcp/register?client_id=${id}`)).status, 405);
  assert.equal((await getTokens(pharlo, id)).scope.length > 0, true, 'the client is still there');
});
