import assert from 'node:assert/strict';
import { performance } from 'node:perf_hooks';
import { after, before, test } from 'node:test';
import { scopes, scopeTexts } from '../../src/domain/access.ts';
import { newApiKey } from '../../src/domain/ids.ts';
import {
  type Answer,
  assertPage,
  authorize,
  begin,
  decide,
  fromElsewhere,
  get,
  getTokens,
  type Harness,
  issuer,
  newClient,
  type Page,
  post,
  query,
  redirectUri,
  send,
  show,
  startPharlo,
  target,
  wordsOf,
} from './outside.ts';

// Items 24 to 33 of the security checklist.

let pharlo: Harness;
before(async () => {
  pharlo = await startPharlo();
});
after(() => pharlo[Symbol.asyncDispose]());

/** The consent page and every error page there is. */
async function everyPage(pharlo: Harness): Promise<Record<string, Answer>> {
  const id = await newClient(pharlo, { client_name: 'Pages' });
  const page = await begin(pharlo, id);
  const authorizeUrl = `${issuer}/oauth/mcp/authorize`;
  const form = { 'content-type': 'application/x-www-form-urlencoded' };
  return {
    consent: await show(pharlo, page),
    'wrong key': await decide(pharlo, page, 'authorize', 'wrong'),
    'nothing chosen': await post(pharlo, page.path, { decision: 'authorize', key: 'x' }, { cookie: page.cookie }),
    'half a form': await post(pharlo, page.path, { key: 'x' }, { cookie: page.cookie }),
    'no cookie': await get(pharlo, page.path),
    'from elsewhere': await decide(pharlo, page, 'authorize', 'x', { 'sec-fetch-site': 'cross-site' }),
    tampered: await get(pharlo, '/oauth/mcp/consent/x', { cookie: page.cookie }),
    'unknown client': await authorize(pharlo, 'x'),
    'unknown redirect': await authorize(pharlo, id, { redirect_uri: 'https://evil.example/cb' }),
    'refused request': await authorize(pharlo, id, { response_type: 'token' }),
    'wrong method': await send(pharlo, authorizeUrl, { method: 'PUT' }),
    'wrong type': await send(pharlo, authorizeUrl, {
      method: 'POST',
      headers: { 'content-type': 'text/plain' },
      body: 'x',
    }),
    'too large': await send(pharlo, authorizeUrl, { method: 'POST', headers: form, body: 'x'.repeat(17_000) }),
  };
}

test('24 Clickjacking: neither the page nor any error page can be framed', async () => {
  for (const [name, { headers }] of Object.entries(await everyPage(pharlo))) {
    assert.match(headers.get('content-type') ?? '', /^text\/html/, name);
    assert.match(headers.get('content-security-policy') ?? '', /(^|; )frame-ancestors 'none'(;|$)/, name);
    assert.equal(headers.get('x-frame-options'), 'DENY', name);
  }
});

test('25 Injection: no script, no form-action, and what a client says of itself stays text', async () => {
  const hostile = `<img src=x onerror=alert(1)>"'</h1><script>alert(1)</script>`;
  const id = await newClient(pharlo, { client_name: hostile });
  const page = await begin(pharlo, id, { state: hostile });
  const named = [
    await show(pharlo, page),
    await decide(pharlo, page, 'authorize', hostile),
    await authorize(pharlo, id, { state: hostile, response_type: hostile }),
  ];
  for (const { text } of named) assert.ok(text.includes('&lt;img src=x onerror=alert(1)&gt;'), text);
  const unnamed = [await authorize(pharlo, hostile), await authorize(pharlo, id, { redirect_uri: hostile })];
  const pages = Object.values(await everyPage(pharlo));
  for (const { text, headers } of [...named, ...unnamed, ...pages]) {
    assert.doesNotMatch(text, /<(?:img|script|iframe|object|embed|link|base)\b/i);
    assert.doesNotMatch(text, /<[^>]*\s(?:on\w+|style|src|action|formaction)=/i);
    const policy = headers.get('content-security-policy') ?? '';
    const directives = new Map(policy.split('; ').map((one) => [one.split(' ')[0], one.split(' ').slice(1)]));
    assert.deepEqual(directives.get('default-src'), ["'none'"]);
    assert.deepEqual([...directives.keys()].sort(), ['base-uri', 'default-src', 'frame-ancestors', 'style-src']);
    assert.match(directives.get('style-src')?.join(' ') ?? '', /^'sha256-[\w+/=]+'$/);
  }
});

test('26 CSRF and login CSRF: a form counts only from its own page, in its own browser, whole and in time', async () => {
  const id = await newClient(pharlo);
  const page = await begin(pharlo, id);
  const other = await begin(pharlo, id);
  const send = (at: Page, headers = {}) => decide(pharlo, at, 'authorize', pharlo.key, headers);
  assertPage(await send({ ...page, cookie: '' }), 403, 'no cookie');
  assertPage(await send({ ...page, cookie: other.cookie }), 403, "another browser's cookie");
  assertPage(await send({ ...page, cookie: '__Host-pharlo_consent=' }), 403, 'an empty cookie');
  assertPage(await get(pharlo, page.path), 403, 'nor is it shown elsewhere');
  for (const site of ['cross-site', 'same-site', 'none']) {
    assertPage(await send(page, { 'sec-fetch-site': site }), 403, site);
    assertPage(await send(page, { 'sec-fetch-site': site, origin: issuer }), 403, site);
  }
  for (const origin of ['https://evil.example', 'null', 'https://a.example', 'http://pharlo.io']) {
    assertPage(await send(page, { origin }), 403, origin);
  }
  for (const offset of [30, page.path.length - 40, page.path.length - 2]) {
    const flipped = page.path[offset] === 'A' ? 'B' : 'A';
    const path = page.path.slice(0, offset) + flipped + page.path.slice(offset + 1);
    assertPage(await send({ ...page, path }), 400, `tampered at ${offset}`);
  }
  assert.deepEqual(await query(pharlo, 'select id from oauth_grants where client_id = $1', [id]), []);
  assert.ok(target(await send(page, { 'sec-fetch-site': 'same-origin' })), 'positive control');
  assert.ok(target(await send(other, { origin: issuer })), 'positive control');
  await pharlo.advance(570_000);
  assert.equal((await show(pharlo, page)).status, 200);
  await pharlo.advance(31_000);
  assertPage(await send(page), 400, 'expired');
});

test('27 Cookie: __Host-, Secure, HttpOnly, SameSite=Lax', async () => {
  const answer = await authorize(pharlo, await newClient(pharlo));
  const pattern = /^__Host-pharlo_consent=[\w-]{22}; Path=\/; HttpOnly; Secure; SameSite=Lax$/;
  assert.match(answer.headers.get('set-cookie') ?? '', pattern);
  for (const [name, page] of Object.entries(await everyPage(pharlo))) {
    assert.equal(page.headers.get('set-cookie'), null, `${name} sets none`);
  }
});

test('28 Phishing by open registration: the page says who asks, for what, and how little of it is certain', async () => {
  const warning = /any program on this computer can claim this name/;
  const shown = async (redirect_uri: string, scope?: string) => {
    const id = await newClient(pharlo, { client_name: 'Official Claude', redirect_uris: [redirect_uri] });
    return wordsOf(await show(pharlo, await begin(pharlo, id, { redirect_uri, scope })));
  };
  const web = await shown('https://login.claude.ai.evil.example/cb');
  assert.match(web, /Connect Official Claude to Pharlo/);
  assert.match(web, /Access is sent to login\.claude\.ai\.evil\.example /);
  assert.match(web, /not verified by Pharlo/);
  for (const scope of scopes) assert.ok(web.includes(`${scopeTexts[scope]} ${scope} `), scope);
  assert.doesNotMatch(web, warning);
  const narrow = await shown('https://b.example/cb', 'stats:read');
  assert.deepEqual(
    scopes.filter((scope) => narrow.includes(scope)),
    ['stats:read'],
  );
  const claimable = [
    'http://localhost:1234/cb',
    'http://127.0.0.1/cb',
    'http://[::1]/cb',
    'cursor://x/cb',
    'com.example:/cb',
  ];
  for (const uri of claimable) assert.match(await shown(uri), warning, uri);
});

test('29 Key guessing: limited four ways, one answer whatever the key, and none is answered faster', async (t) => {
  await using pharlo = await startPharlo();
  const id = await newClient(pharlo);
  const { random } = pharlo.app.deps;
  const attempt = async (key: string, headers: Record<string, string> = fromElsewhere()) =>
    decide(pharlo, await begin(pharlo, id), 'authorize', key, headers);
  const assertTooMany = (answer: Answer) => {
    assertPage(answer, 429);
    assert.ok(Number(answer.headers.get('retry-after')) > 0);
  };

  await t.test('per page', async () => {
    const page = await begin(pharlo, id);
    for (let n = 0; n < 10; n++) assertPage(await decide(pharlo, page, 'authorize', 'wrong', fromElsewhere()), 400);
    assertTooMany(await decide(pharlo, page, 'authorize', pharlo.key, fromElsewhere()));
  });

  for (const [name, address] of [
    ['per address', () => '203.0.113.9'],
    ['per network', (n: number) => `2001:db8:1:2::${n}`],
  ] as const) {
    await t.test(name, async () => {
      for (let n = 0; n < 30; n++) assertPage(await attempt('wrong', { 'x-forwarded-for': address(n) }), 400);
      assertTooMany(await attempt(pharlo.key, { 'x-forwarded-for': address(99) }));
      target(await attempt(pharlo.key, { 'x-forwarded-for': '2001:db8:1:3::1' }));
    });
  }

  await t.test('in total', async () => {
    const fill = `insert into rate_limits (subject, empty_at) values ('consent', pharlo_now() + $1 * interval '1 second')
      on conflict (subject) do update set empty_at = excluded.empty_at`;
    await query(pharlo, fill, [11_000]);
    assertTooMany(await attempt(pharlo.key));
    await query(pharlo, fill, [0]);
    target(await attempt(pharlo.key));
  });

  const near = pharlo.key.slice(0, -1) + (pharlo.key.endsWith('A') ? 'B' : 'A');
  await t.test('one answer', async () => {
    const { id: revoked, key } = await newKey(pharlo);
    await query(pharlo, 'update api_keys set revoked_at = pharlo_now() where id = $1', [revoked]);
    const expired = await newKey(pharlo);
    await query(pharlo, 'update api_keys set expires_at = pharlo_now() where id = $1', [expired.id]);
    const keys = [key, expired.key, near, newApiKey(random), 'hunter2', '', '\0', 'x'.repeat(900)];
    const answers = new Set<string>();
    const work = new Set<string>();
    for (const text of keys) {
      const page = await begin(pharlo, id);
      const elsewhere = fromElsewhere();
      const asked = await statementsOf(pharlo, async () => {
        const { status, headers, text: body } = await decide(pharlo, page, 'authorize', text, elsewhere);
        answers.add(JSON.stringify([status, headers.get('retry-after'), body]));
      });
      work.add(asked.join('\n'));
    }
    assert.equal(answers.size, 1);
    assert.match([...answers][0] ?? '', /^\[400,null/);
    assert.equal(work.size, 1, 'what is asked of the database does not tell them apart either');
    assert.ok([...work][0]?.includes('api_keys_find_by_hash'));
  });

  // A share of one half is what equal medians give; at 140 pairs 0.17 is four standard deviations.
  for (const [name, guess] of [
    ['a key with the right beginning', () => near],
    ['a text that cannot be a key', () => 'hunter2'],
  ] as const) {
    await t.test(`as slow: ${name}`, async () => {
      const share = await shareSlower(pharlo, id, guess, () => newApiKey(random));
      assert.ok(Math.abs(share - 0.5) < 0.17, String(share));
    });
  }
});

async function newKey(pharlo: Harness): Promise<{ id: string; key: string }> {
  const key = await pharlo.newKey();
  const [row] = await query(pharlo, 'select id from api_keys where key_hash = sha256($1)', [Buffer.from(key)]);
  return { id: String(row?.id), key };
}

/** The names of the statements sent to the database meanwhile. */
async function statementsOf({ app: { deps } }: Harness, act: () => Promise<void>): Promise<string[]> {
  const names: string[] = [];
  const { query } = deps.db;
  deps.db.query = (statement) => {
    names.push(statement.name ?? '');
    return query(statement);
  };
  try {
    await act();
  } finally {
    deps.db.query = query;
  }
  return names;
}

/** Sends two guesses in turns and answers how often the first took longer. */
async function shareSlower(pharlo: Harness, clientId: string, first: () => string, second: () => string) {
  const pairs = 140;
  let slower = 0;
  let page = await begin(pharlo, clientId);
  const time = async (key: string) => {
    const headers = fromElsewhere();
    const start = performance.now();
    assert.equal((await decide(pharlo, page, 'authorize', key, headers)).status, 400);
    return performance.now() - start;
  };
  for (let n = 0; n < pairs; n++) {
    if (n % 5 === 0) page = await begin(pharlo, clientId);
    const times =
      n % 2 === 0 ? [await time(first()), await time(second())] : [await time(second()), await time(first())];
    const [a = 0, b = 0] = n % 2 === 0 ? times : times.reverse();
    if (a > b) slower += 1;
  }
  return slower / pairs;
}

test('30 Key hygiene: never in a URL, never reflected, never kept by the browser', async () => {
  const id = await newClient(pharlo);
  const page = await begin(pharlo, id);
  const { text } = await show(pharlo, page);
  assert.match(text, /<form method="post">/);
  assert.match(text, /<input id="key" name="key" type="password"[^>]* autocomplete="off"/);
  const planted = 'ds_live_planted-and-wrong-0123456789';
  const wrong = await decide(pharlo, page, 'authorize', planted);
  assert.equal(wrong.status, 400);
  const inQuery = await get(pharlo, `${page.path}?key=${pharlo.key}&decision=authorize&scope=stats:read`, {
    cookie: page.cookie,
  });
  assert.equal(inQuery.status, 200, 'a page, no decision');
  const right = await decide(pharlo, page, 'authorize', pharlo.key);
  assert.ok(target(right).searchParams.get('code'));
  for (const answer of [wrong, inQuery, right]) {
    const said = JSON.stringify([answer.text, [...answer.headers]]);
    assert.ok(!said.includes(planted) && !said.includes(pharlo.key));
  }
  const logs = pharlo.logs.join('\n');
  assert.ok(!logs.includes(planted) && !logs.includes(pharlo.key));
});

test('31 Redirect after the form: 302 or 303, which drop the form, never 307 or 308', async () => {
  const id = await newClient(pharlo);
  const page = await begin(pharlo, id);
  for (const decision of ['authorize', 'deny'] as const) {
    const answer = await decide(pharlo, page, decision, pharlo.key);
    assert.ok(answer.headers.get('location')?.startsWith(redirectUri));
    assert.ok([302, 303].includes(answer.status), `${decision} ${answer.status}`);
  }
  const form = { client_id: id, redirect_uri: 'https://evil.example/cb', response_type: 'code' };
  assertPage(await post(pharlo, '/oauth/mcp/authorize', form), 400);
});

test('32 Headers: not stored, no referrer to others, nothing from others, HTTPS only, no sniffing', async () => {
  for (const [name, { headers, text }] of Object.entries(await everyPage(pharlo))) {
    assert.equal(headers.get('cache-control'), 'no-store', name);
    assert.equal(headers.get('referrer-policy'), 'same-origin', name);
    assert.equal(headers.get('x-content-type-options'), 'nosniff', name);
    assert.match(headers.get('strict-transport-security') ?? '', /^max-age=\d{8,}/, name);
    assert.equal(headers.get('cross-origin-opener-policy'), null, name);
    assert.doesNotMatch(text, /<(?:img|script|link|iframe)\b|url\(|@import/i, name);
  }
  const page = await begin(pharlo, await newClient(pharlo));
  for (const decision of ['authorize', 'deny'] as const) {
    const { headers } = await decide(pharlo, page, decision, pharlo.key);
    assert.equal(headers.get('referrer-policy'), 'no-referrer');
    assert.equal(headers.get('cache-control'), 'no-store');
    assert.match(headers.get('strict-transport-security') ?? '', /^max-age=\d{8,}/);
  }
});

test('33 Deny: access_denied with state and iss, without a key, and nothing is granted', async () => {
  const id = await newClient(pharlo);
  const state = 'a&=%"<é';
  const { searchParams } = target(await decide(pharlo, await begin(pharlo, id, { state }), 'deny', ''));
  assert.deepEqual([...searchParams.keys()].sort(), ['error', 'error_description', 'iss', 'state']);
  const said = ['error', 'state', 'iss'].map((name) => searchParams.get(name));
  assert.deepEqual(said, ['access_denied', state, issuer]);
  assert.deepEqual(await query(pharlo, 'select id from oauth_grants where client_id = $1', [id]), []);
  await getTokens(pharlo, id);
});
