import assert from 'node:assert/strict';
import { test } from 'node:test';
import { type Harness, startHarness } from '../harness.ts';
import { locationOf, Person } from './person.ts';

const redirectUrl = 'https://app.example/done?from=pharlo';

async function ticketOf(pharlo: Harness, input: Record<string, unknown> = {}) {
  const { status, body } = await pharlo.rest('POST', '/oauth/tickets', { platform: 'youtube', ...input });
  assert.equal(status, 201, JSON.stringify(body));
  return { id: String(body.ticketId), link: String(body.url) };
}

async function stateOf(pharlo: Harness, id: string) {
  const { body } = await pharlo.rest('GET', `/oauth/tickets/${id}`);
  return body as { status: string; connectionIds: string[]; error?: { code: string } };
}

const connections = async (pharlo: Harness) => (await pharlo.rest('GET', '/connections')).body.total;

test('a link connects a channel once, and its pages are locked down', async () => {
  await using pharlo = await startHarness();
  const { id, link } = await ticketOf(pharlo);
  const person = new Person();
  const page = await person.get(link);
  assert.equal(page.status, 200);
  assert.match(page.headers.get('content-security-policy') ?? '', /default-src 'none'.*frame-ancestors 'none'/);
  assert.equal(page.headers.get('x-frame-options'), 'DENY');
  assert.equal(page.headers.get('x-content-type-options'), 'nosniff');
  assert.equal(page.headers.get('referrer-policy'), 'same-origin');
  assert.equal(page.headers.get('cache-control'), 'no-store');
  assert.deepEqual(page.headers.getSetCookie(), [], 'looking is not going on');

  const callback = await person.decide(await person.goOn(link));
  const done = await person.get(callback);
  assert.equal(done.status, 200);
  assert.match(await done.text(), /Connected/);
  assert.match(done.headers.get('content-security-policy') ?? '', /default-src 'none'/);
  const { status, connectionIds } = await stateOf(pharlo, id);
  assert.deepEqual([status, connectionIds.length], ['success', 1]);

  assert.equal((await person.get(callback)).status, 400, 'a callback is taken once');
  assert.equal((await person.get(link)).status, 400, 'a link is good once');
  assert.deepEqual(await stateOf(pharlo, id), { ...(await stateOf(pharlo, id)), status: 'success' });
  assert.equal(await connections(pharlo), 1);
});

test('the cookie of Continue is bound to the browser and not readable by pages', async () => {
  await using pharlo = await startHarness();
  const { link } = await ticketOf(pharlo);
  const secret = new URL(link).searchParams.get('ticket') ?? '';
  const answer = await new Person().post(link, [['ticket', secret]]);
  const [cookie = ''] = answer.headers.getSetCookie();
  assert.match(cookie, /^pharlo_connect=[\w-]{43};.*HttpOnly/);
  assert.match(cookie, /SameSite=Lax/);
  assert.equal(answer.headers.get('referrer-policy'), 'no-referrer');
  const consent = new URL(locationOf(answer));
  assert.equal(consent.searchParams.get('code_challenge_method'), 'S256');
  assert.ok(!consent.href.includes(secret), 'the platform does not learn the secret of the link');
});

test('a callback is refused without the cookie, with another one, and with another state', async () => {
  await using pharlo = await startHarness();
  const { id, link } = await ticketOf(pharlo);
  const person = new Person();
  const callback = await person.decide(await person.goOn(link));
  assert.equal((await new Person().get(callback)).status, 400);
  const stranger = new Person();
  await stranger.goOn((await ticketOf(pharlo)).link);
  assert.equal((await stranger.get(callback)).status, 400);
  const forged = new URL(callback);
  forged.searchParams.set('state', 'x'.repeat(43));
  assert.equal((await person.get(forged.href)).status, 400);
  assert.equal((await stateOf(pharlo, id)).status, 'pending');
  assert.equal(await connections(pharlo), 0);
  assert.equal((await person.get(callback)).status, 200, 'the right browser still comes through');
});

test('a link lives fifteen minutes, before Continue and after', async () => {
  await using pharlo = await startHarness();
  const [early, late] = [await ticketOf(pharlo), await ticketOf(pharlo)];
  await pharlo.advance(14 * 60_000);
  const person = new Person();
  const consentUrl = await person.goOn(early.link);
  const callback = await person.decide(consentUrl);
  await pharlo.advance(61_000);
  assert.equal((await person.get(callback)).status, 400);
  assert.equal((await person.get(late.link)).status, 400);
  assert.equal((await stateOf(pharlo, early.id)).status, 'expired');
  assert.equal((await stateOf(pharlo, late.id)).status, 'expired');
  assert.equal(await connections(pharlo), 0);
});

test('a refusal and a missing permission end the ticket and are told where the link came from', async () => {
  await using pharlo = await startHarness();
  const cases = [
    [{ deny: true }, 'access_denied'],
    [{ untick: 'youtube.upload' }, 'scope_missing'],
  ] as const;
  for (const [decision, code] of cases) {
    const { id, link } = await ticketOf(pharlo, { redirectUrl });
    const back = locationOf(await new Person().connect(link, decision));
    assert.equal(back, `https://app.example/done?from=pharlo&error=${code}`);
    const state = await stateOf(pharlo, id);
    assert.deepEqual([state.status, state.error?.code], ['failed', code]);
    assert.equal((await new Person().get(link)).status, 400);

    const told = await new Person().connect((await ticketOf(pharlo)).link, decision);
    assert.equal(told.status, 400);
    assert.match(await told.text(), /was not connected/);
  }
  assert.equal(await connections(pharlo), 0);
});

test('success goes back to the address of the link with the connection', async () => {
  await using pharlo = await startHarness();
  const { id, link } = await ticketOf(pharlo, { redirectUrl });
  const person = new Person();
  assert.match(await (await person.get(link)).text(), /app\.example/);
  const back = locationOf(await person.connect(link));
  const [connectionId] = (await stateOf(pharlo, id)).connectionIds;
  assert.equal(back, `https://app.example/done?from=pharlo&connectionId=${connectionId}`);
});

test('only https and loopback addresses are gone back to', async () => {
  await using pharlo = await startHarness();
  const send = async (url: string) =>
    (await pharlo.rest('POST', '/oauth/tickets', { platform: 'youtube', redirectUrl: url })).status;
  for (const good of ['https://a.example/x', 'http://localhost:4000/', 'http://127.0.0.1/x', 'http://[::1]:9/']) {
    assert.equal(await send(good), 201, good);
  }
  const bad = ['http://a.example/', 'javascript:alert(1)', 'data:text/html,x', '/relative', 'https://u:p@a.example/'];
  for (const url of [...bad, 'https://a.example/#x', 'http://localhost.a.example/', 'ftp://localhost/', '']) {
    assert.equal(await send(url), 400, url);
  }
});

test('tabs of one browser do not end each other; of two tabs of one link the later Continue counts', async () => {
  await using pharlo = await startHarness();
  const person = new Person();
  const [one, two] = [await ticketOf(pharlo), await ticketOf(pharlo)];
  const [first, second] = [await person.goOn(one.link), await person.goOn(two.link)];
  assert.equal((await person.get(await person.decide(first))).status, 200);
  assert.equal((await person.get(await person.decide(second, { channel: 1 }))).status, 200);
  assert.equal(await connections(pharlo), 2);

  const { id, link } = await ticketOf(pharlo);
  const [older, newer] = [await person.goOn(link), await person.goOn(link)];
  assert.equal((await person.get(await person.decide(older))).status, 400);
  assert.equal((await stateOf(pharlo, id)).status, 'pending');
  assert.equal((await person.get(await person.decide(newer))).status, 200);
  assert.equal(await connections(pharlo), 2, 'a channel that is known keeps its connection');
});

test('Continue is taken from our own page alone', async () => {
  await using pharlo = await startHarness();
  const { id, link } = await ticketOf(pharlo);
  const form: [string, string][] = [['ticket', new URL(link).searchParams.get('ticket') ?? '']];
  for (const headers of [
    { 'sec-fetch-site': 'cross-site', origin: 'https://evil.example' },
    { 'sec-fetch-site': 'same-site' },
    { origin: 'https://evil.example' },
    { origin: 'null' },
  ]) {
    const answer = await new Person().post(link, form, headers as Record<string, string>);
    assert.equal(answer.status, 403, JSON.stringify(headers));
    assert.deepEqual(answer.headers.getSetCookie(), []);
  }
  const own = await new Person().post(link, form, { 'sec-fetch-site': 'same-origin', origin: pharlo.url });
  assert.equal(own.status, 302);
  assert.equal((await stateOf(pharlo, id)).status, 'pending');
  assert.equal((await new Person().post(link.replace('/youtube/', '/facebook/'), form)).status, 400);
});

test('what the platform sends back is not shown', async () => {
  await using pharlo = await startHarness();
  const { link } = await ticketOf(pharlo, { redirectUrl });
  const person = new Person();
  const callback = new URL(await person.decide(await person.goOn(link), { deny: true }));
  callback.searchParams.set('error', '<script>upstream</script>');
  assert.equal(
    locationOf(await person.get(callback.href)),
    'https://app.example/done?from=pharlo&error=connect_failed',
  );
});

test('a form too long to be ours is refused unread, and a revoked key ends its links', async () => {
  await using pharlo = await startHarness();
  const { link } = await ticketOf(pharlo);
  const body = new URLSearchParams({ ticket: 'x'.repeat(20_000) });
  const refused = await fetch(link, { method: 'POST', body });
  assert.equal(refused.status, 413);

  const person = new Person();
  const callback = await person.decide(await person.goOn(link));
  await pharlo.app.deps.db.query({ text: 'update api_keys set revoked_at = pharlo_now()', values: [] });
  assert.equal((await person.get(callback)).status, 400);
  const made = await pharlo.app.deps.db.query({ text: 'select 1 from connections', values: [] });
  assert.equal(made.length, 0);
});
