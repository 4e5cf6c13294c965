import assert from 'node:assert/strict';
import { test } from 'node:test';
import { scopes, scopeTexts } from '../../src/domain/access.ts';
import { createServer, issuer, type Server } from './server.ts';

type Page = { page: string; cookie: string };

const see = async (server: Server, { page, cookie }: Page) =>
  (await server.fetch(page, { headers: { cookie } })).text();

function part(page: string, pattern: RegExp): string {
  return pattern.exec(page)?.[1] ?? '';
}

const titleOf = (page: string) => part(page, /<title>([^<]*)<\/title>/);
const mainOf = (page: string) => part(page, /<main>([\s\S]*)<\/main>/);
const alertOf = (page: string) => part(page, /<div class="alert" role="alert" id="problem">([\s\S]*?)<\/div>/);

/** Each box of the page: its scope, whether it is ticked, and what it says. */
function boxesOf(page: string): [scope: string, ticked: boolean, says: string][] {
  const box = /<input type="checkbox" name="scope" value="([^"]+)" (checked)?><span>([^<]*)<code>\1<\/code>/g;
  return [...page.matchAll(box)].map(([, scope = '', checked, says = '']) => [scope, checked !== undefined, says]);
}

test('the page lists every scope asked for with its words, ticked, and no sign of an error', async () => {
  await using server = await createServer();
  const { client_id } = await server.register({ client_name: 'Tester' });
  const page = await see(server, await server.begin(client_id));
  assert.equal(titleOf(page), 'Connect Tester – Pharlo');
  assert.deepEqual(
    boxesOf(page),
    scopes.map((scope) => [scope, true, scopeTexts[scope]]),
  );
  assert.match(mainOf(page), /the app’s own claim/);
  assert.match(mainOf(page), /<dt>Access is sent to<\/dt><dd>app\.example<\/dd>/);
  assert.match(mainOf(page), /aria-describedby="key-hint" >/);
  const parts = /not verified by Pharlo\.<\/p>\s*<dl>\s*<div><dt>Access[^\n]*<\/div>\s*<\/dl>\s*<form method="post">/;
  assert.match(mainOf(page), parts, 'nothing between the parts');
  for (const absent of ['Published by', 'role="alert"', 'aria-invalid', 'any program on this computer', 'undefined']) {
    assert.ok(!mainOf(page).includes(absent), absent);
  }
  assert.match(page, /<footer>You are on pharlo\.test\. Enter your key nowhere else\.<\/footer>/);
});

test('scopes not asked for have no box; those unticked stay so when the page comes again', async () => {
  await using server = await createServer();
  const { client_id } = await server.register();
  const at = await server.begin(client_id, { scope: 'stats:read platforms:read' });
  assert.deepEqual(
    boxesOf(await see(server, at)).map(([scope, ticked]) => [scope, ticked]),
    [
      ['platforms:read', true],
      ['stats:read', true],
    ],
  );
  const again = await (await server.allow(at, 'wrong', ['stats:read'])).text();
  assert.deepEqual(
    boxesOf(again).map(([scope, ticked]) => [scope, ticked]),
    [
      ['platforms:read', false],
      ['stats:read', true],
    ],
  );
});

test('each thing that went wrong is told in title, alert and with the way to its field', async () => {
  await using server = await createServer();
  const { client_id } = await server.register();
  const { key } = await server.addKey({ scopes: ['stats:read'] });
  const at = await server.begin(client_id);
  const cases = [
    [400, server.allow(at, 'wrong'), 'This key cannot be used', 'Check that the whole key was pasted', '#key'],
    [400, server.allow(at, key, []), 'Nothing is chosen', 'Tick at least one permission', '#scopes'],
    [400, server.allow(at, key, ['x', 'mcp.read']), 'Nothing is chosen', 'Tick at least one permission', '#scopes'],
    [400, server.allow(at, key, ['platforms:read']), 'This key may do none of that', 'Use a key that holds', '#key'],
  ] as const;
  const names = { '#key': 'Go to the key', '#scopes': 'Go to the permissions' };
  for (const [status, answer, title, says, link] of cases) {
    const response = await answer;
    const page = await response.text();
    assert.deepEqual([response.status, response.headers.get('retry-after')], [status, null], title);
    assert.equal(titleOf(page), `Error: ${title} – Pharlo`);
    assert.ok(alertOf(page).startsWith(`<p>${title}</p><p>${says}`), alertOf(page));
    assert.ok(alertOf(page).endsWith(`<a href="${link}">${names[link]}</a></p>`), alertOf(page));
    assert.equal(page.includes('aria-invalid="true"'), link === '#key', title);
    assert.equal(page.includes('aria-describedby="problem key-hint"'), link === '#key', title);
  }
  for (let n = 0; n < 12; n++) await server.allow(at, 'wrong');
  const response = await server.allow(at, key);
  const page = await response.text();
  assert.equal(response.status, 429);
  assert.ok(Number(response.headers.get('retry-after')) > 3000, 'not before the page has expired');
  assert.equal(titleOf(page), 'Error: Too many attempts – Pharlo');
  assert.match(alertOf(page), /^<p>Too many attempts<\/p><p>Wait a while, then start again from your app\.<\/p>$/);
  assert.ok(!mainOf(page).includes('aria-invalid'));
});

test('a page that cannot be used says why, and what to do', async () => {
  await using server = await createServer();
  const { client_id } = await server.register();
  const at = await server.begin(client_id);
  const told = async (answer: Promise<Response>) => {
    const response = await answer;
    const words = /^<h1>([^<]*)<\/h1><p>([^<]*)<\/p>$/.exec(mainOf(await response.text()));
    return [response.status, words?.[1], words?.[2]];
  };
  const again = 'Start again from your app.';
  const form: [string, string][] = [['decision', 'authorize']];
  assert.deepEqual(await told(server.fetch('/oauth/mcp/consent/x', { headers: { cookie: at.cookie } })), [
    400,
    'This link is not complete',
    again,
  ]);
  const foreign = [403, 'Another browser', `This page belongs to another browser, or cookies are blocked. ${again}`];
  assert.deepEqual(await told(server.fetch(at.page)), foreign);
  assert.deepEqual(await told(server.decide({ ...at, cookie: '' }, form)), foreign);
  assert.deepEqual(await told(server.decide(at, form, { 'sec-fetch-site': 'cross-site' })), [
    403,
    'This form was sent from elsewhere',
    again,
  ]);
  for (const half of [[], [['decision', 'x']], [...form, ...form], [...form, ['key', 'a'], ['key', 'b']]] as const) {
    assert.deepEqual(
      await told(
        server.decide(
          at,
          half.map(([name = '', value = '']): [string, string] => [name, value]),
        ),
      ),
      [400, 'This form is not complete', 'Go back and choose Authorize or Deny.'],
      JSON.stringify(half),
    );
  }
  assert.deepEqual(await told(server.decide(at, form, { 'content-type': 'text/plain' })), [
    400,
    'This did not work',
    'The content type must be application/x-www-form-urlencoded.',
  ]);
  await server.query('delete from oauth_clients');
  const gone = [400, 'The app is no longer known', again];
  assert.deepEqual(await told(server.fetch(at.page, { headers: { cookie: at.cookie } })), gone);
  assert.deepEqual(await told(server.decide(at, form)), gone);
});

test('a page that was left open is told to have expired', async () => {
  await using server = await createServer();
  const { client_id } = await server.register();
  const at = await server.begin(client_id);
  await server.advance(590);
  assert.equal(titleOf(await see(server, at)), 'Connect Tester – Pharlo');
  await server.advance(10);
  assert.match(mainOf(await see(server, at)), /^<h1>This page has expired<\/h1><p>Start again from your app\.<\/p>$/);
});

test('a local address is told as one of this computer, an app of its own document with its host', async () => {
  const id = 'https://docs.example/client.json';
  const document = { client_id: id, client_name: 'Docs', redirect_uris: ['http://localhost/cb'] };
  const body = new TextEncoder().encode(JSON.stringify(document));
  const headers = new Headers({ 'content-type': 'application/json' });
  await using server = await createServer({ internet: { [id]: () => ({ status: 200, headers, body }) } });
  const page = mainOf(await see(server, await server.begin(id, { redirect_uri: 'http://localhost:5/cb' })));
  assert.match(page, /The name is what <strong>docs\.example<\/strong> says of its app/);
  assert.match(page, /<dt>Published by<\/dt><dd>docs\.example<\/dd>/);
  assert.match(page, /<dt>Access is sent to<\/dt><dd>this computer \(localhost:5\)<\/dd>/);
  assert.match(page, /any program on this computer can claim this name/);
});

test('what is granted is written down whole: grant, code, client and audit', async () => {
  await using server = await createServer();
  const { client_id } = await server.register({ client_name: 'Tester' });
  const { id: keyId, key } = await server.addKey({ scopes: ['stats:read', 'platforms:read'] });
  await server.getCode(client_id, key, { scope: 'mcp.read', resource: issuer });
  const [grant] = await server.query(
    'select id, workspace_id, key_id, client_id, client_name, redirect_host, scopes, scope_text, resource from oauth_grants',
  );
  assert.deepEqual(grant, {
    id: grant?.id,
    workspace_id: server.workspaceId,
    key_id: keyId,
    client_id,
    client_name: 'Tester',
    redirect_host: 'app.example',
    scopes: ['platforms:read', 'stats:read'],
    scope_text: 'platforms:read stats:read',
    resource: `${issuer}/_mcp`,
  });
  const [audit] = await server.query(
    'select workspace_id, key_id, grant_id, client_id, action, outcome, network from audit',
  );
  assert.deepEqual(audit, {
    workspace_id: server.workspaceId,
    key_id: keyId,
    grant_id: grant?.id,
    client_id,
    action: 'oauth.grant',
    outcome: 'ok',
    network: '192.0.2.1',
  });
});

test('a key that may do none of it is told to its workspace', async () => {
  await using server = await createServer();
  const { client_id } = await server.register();
  const { id: keyId, key } = await server.addKey({ scopes: ['stats:read'] });
  await server.allow(await server.begin(client_id), key, ['platforms:read']);
  assert.deepEqual(await server.query('select workspace_id, key_id, client_id, action, outcome, network from audit'), [
    {
      workspace_id: server.workspaceId,
      key_id: keyId,
      client_id,
      action: 'oauth.grant',
      outcome: 'invalid_scope',
      network: '192.0.2.1',
    },
  ]);
});
