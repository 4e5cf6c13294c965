import assert from 'node:assert/strict';
import { test } from 'node:test';
import { createServer, type Row, redirectUri, type Server } from './server.ts';

const network = '192.0.2.1';

/** What the trail says of strangers, without the minute. */
function strangers(server: Server): Promise<Row[]> {
  return server.query(
    `select action, outcome, client_id, sum(count)::int as n from audit_strangers where network = $1
     group by 1, 2, 3 order by 1, 2, 3`,
    [network],
  );
}

const row = (action: string, outcome: string, n: number, client_id: unknown = '') => ({
  action,
  outcome,
  client_id,
  n,
});

test('what strangers do at registration is counted', async () => {
  await using server = await createServer();
  const body = { redirect_uris: [redirectUri], client_name: 'A' };
  const first = await server.register(body);
  await server.register(body);
  const secret = await server.register({ ...body, token_endpoint_auth_method: 'client_secret_post' });
  await server.registerRaw('{');
  await server.registerRaw({ redirect_uris: [] });
  const ids = [first.client_id, secret.client_id].sort();
  assert.deepEqual(await strangers(server), [
    ...ids.map((id) => row('oauth.register', 'ok', 1, id)),
    row('oauth.register_refused', 'invalid_client_metadata', 1),
    row('oauth.register_refused', 'invalid_redirect_uri', 1),
  ]);
});

test('refusals of authorization are counted, with the client where it is known', async () => {
  await using server = await createServer();
  const { client_id } = await server.register();
  await server.query('delete from audit_strangers');
  await server.authorize('nobody');
  await server.authorize('https://down.example/client.json');
  await server.authorize(client_id, { redirect_uri: undefined });
  await server.authorize(client_id, { redirect_uri: `${redirectUri}/` });
  await server.authorize(client_id, { state: 's'.repeat(3000) });
  await server.authorize(client_id, { scope: 'openid' });
  await server.post('/oauth/mcp/authorize', {}, { 'content-type': 'text/plain' });
  await server.authorize(client_id);
  assert.deepEqual(await strangers(server), [
    row('oauth.authorize_refused', 'invalid_client', 2),
    row('oauth.authorize_refused', 'invalid_redirect_uri', 2, client_id),
    row('oauth.authorize_refused', 'invalid_request', 1),
    row('oauth.authorize_refused', 'invalid_request', 1, client_id),
    row('oauth.authorize_refused', 'invalid_scope', 1, client_id),
    row('oauth.document_refused', 'invalid_client', 1),
  ]);
});

test('refusals on the consent page are counted', async () => {
  await using server = await createServer();
  const { client_id } = await server.register();
  const at = await server.begin(client_id);
  await server.query('delete from audit_strangers');
  const form: [string, string][] = [['decision', 'deny']];
  await server.decide(at, form, { 'sec-fetch-site': 'cross-site' });
  await server.decide({ ...at, cookie: '' }, form);
  await server.fetch('/oauth/mcp/consent/x');
  await server.decide(at, form, { 'content-type': 'text/plain' });
  await server.decide(at, form);
  for (let n = 0; n < 12; n++) await server.allow(at, 'wrong');
  assert.deepEqual(await strangers(server), [
    row('oauth.consent_refused', 'access_denied', 2),
    row('oauth.consent_refused', 'invalid_request', 2),
    row('oauth.deny', 'access_denied', 1, client_id),
    row('oauth.key_refused', 'access_denied', 10, client_id),
    row('oauth.key_refused', 'too_many_requests', 2, client_id),
  ]);
});

test('refusals of the endpoints of clients are counted by endpoint, with the client where it is known', async () => {
  await using server = await createServer();
  const { client_id } = await server.register();
  const secret = await server.register({ token_endpoint_auth_method: 'client_secret_post' });
  await server.query('delete from audit_strangers');
  for (const endpoint of ['token', 'revoke', 'introspect']) {
    const path = `/oauth/mcp/${endpoint}`;
    await server.post(path, { client_id });
    await server.post(path, { client_id: 'nobody' });
    await server.post(path, {});
    await server.post(path, { client_id: secret.client_id });
    await server.post(path, {}, { 'content-type': 'text/plain' });
    assert.deepEqual(
      (await strangers(server)).sort((a, b) => JSON.stringify(a).localeCompare(JSON.stringify(b))),
      [
        row(`oauth.${endpoint}_refused`, 'invalid_client', 1),
        row(`oauth.${endpoint}_refused`, 'invalid_client', 1, secret.client_id),
        row(`oauth.${endpoint}_refused`, 'invalid_request', 1, client_id),
        row(`oauth.${endpoint}_refused`, 'invalid_request', 2),
      ].sort((a, b) => JSON.stringify(a).localeCompare(JSON.stringify(b))),
    );
    await server.query('delete from audit_strangers');
  }
});

test('what counts against whom: a limit of its own for each network, client, page, host and grant', async () => {
  await using server = await createServer();
  const { client_id } = await server.register();
  const { key } = await server.addKey();
  const { refresh_token } = await server.getTokens(client_id, key);
  await server.refresh(client_id, refresh_token);
  await server.refresh(client_id, 'x');
  await server.refresh('nobody', 'x');
  await server.authorize('https://down.example:444/client.json');
  await server.authorize('https://down.example/client.json');
  await server.allow(await server.begin(client_id), 'wrong');
  const [grant] = await server.query('select id from oauth_grants');
  const subjects = (await server.query('select subject from rate_limits')).map(({ subject }) =>
    String(subject).replace(/^(consent-request:)[\w-]{22}$/, '$1'),
  );
  assert.deepEqual([...new Set(subjects)].sort(), [
    'consent',
    'consent-request:',
    `consent:${network}`,
    'document-host:down.example',
    `document-network:${network}`,
    `refresh:${grant?.id}`,
    `register:${network}`,
    `token:${client_id}:${network}`,
    `token:unknown:${network}`,
  ]);
});

test('what happens to a grant is written down with workspace, key, grant, client and network', async () => {
  await using server = await createServer();
  const { client_id } = await server.register();
  const { id: key_id, key } = await server.addKey();
  const resource = `${server.deps.config.publicUrl}/_mcp`;
  const tokens = await server.getTokens(client_id, key, { resource });
  const next = (await (await server.refresh(client_id, tokens.refresh_token)).json()) as typeof tokens;
  await server.refresh(client_id, tokens.refresh_token);
  await server.revoke(client_id, next.access_token);
  await server.revoke(client_id, next.access_token);
  await server.revoke(client_id, next.refresh_token);
  await server.revoke(client_id, next.refresh_token);
  const [grant] = await server.query('select id, workspace_id, revoked_reason from oauth_grants');
  const who = { workspace_id: grant?.workspace_id, key_id, grant_id: grant?.id, client_id, network, outcome: 'ok' };
  assert.equal(grant?.revoked_reason, 'client');
  assert.deepEqual(
    await server.query(
      'select workspace_id, key_id, grant_id, client_id, network, outcome, action, target from audit order by id',
    ),
    [
      { ...who, action: 'oauth.grant', target: null },
      { ...who, action: 'oauth.exchange', target: null },
      { ...who, action: 'oauth.refresh', target: null },
      { ...who, action: 'oauth.refresh', target: 'repeat' },
      { ...who, action: 'oauth.revoke', target: 'access_token' },
      { ...who, action: 'oauth.revoke', target: 'refresh_token' },
    ],
  );
});

test('reuse is written down once, by what came again, and the grant says why it ended', async () => {
  await using server = await createServer();
  const { client_id } = await server.register();
  const { key } = await server.addKey();
  const code = await server.getCode(client_id, key);
  for (let n = 0; n < 3; n++) await server.exchange(client_id, code);
  const { refresh_token } = await server.getTokens(client_id, key);
  await server.refresh(client_id, refresh_token);
  await server.advance(31);
  for (let n = 0; n < 2; n++) await server.refresh(client_id, refresh_token);
  const lines = await server.query(
    `select action, outcome, target from audit where action in ('oauth.reuse', 'oauth.revoke') order by id`,
  );
  assert.deepEqual(lines, [
    { action: 'oauth.reuse', outcome: 'invalid_grant', target: 'code' },
    { action: 'oauth.revoke', outcome: 'ok', target: null },
    { action: 'oauth.reuse', outcome: 'invalid_grant', target: 'refresh_token' },
    { action: 'oauth.revoke', outcome: 'ok', target: null },
  ]);
  const reasons = await server.query('select revoked_reason from oauth_grants order by revoked_at');
  assert.deepEqual(
    reasons.map(({ revoked_reason }) => revoked_reason),
    ['code_reuse', 'refresh_token_reuse'],
  );
});

test('a right key counts against nobody', async () => {
  await using server = await createServer();
  const { client_id } = await server.register();
  const { key } = await server.addKey();
  await server.getCode(client_id, key);
  const left = await server.query(
    `select subject, empty_at <= pharlo_now() as empty from rate_limits where subject in ('consent', $1) order by 1`,
    [`consent:${network}`],
  );
  assert.deepEqual(left, [
    { subject: 'consent', empty: true },
    { subject: `consent:${network}`, empty: true },
  ]);
});

test('who is told to wait for the limit of a grant has not failed', async () => {
  await using server = await createServer();
  const { client_id } = await server.register();
  const { key } = await server.addKey();
  const { refresh_token } = await server.getTokens(client_id, key);
  await server.query(
    `insert into rate_limits (subject, empty_at) select 'refresh:' || id, pharlo_now() + interval '1 day' from oauth_grants`,
  );
  assert.equal((await server.refresh(client_id, refresh_token)).status, 429);
  assert.deepEqual(await server.query(`select subject from rate_limits where starts_with(subject, 'token:')`), []);
});

test('a failure of ours is counted as nobody’s refusal, though the database gives it a code', async () => {
  await using server = await createServer();
  const { client_id } = await server.register();
  const at = await server.begin(client_id);
  await server.query('delete from audit_strangers');
  const { db } = server.deps;
  const query = db.query;
  const failing: typeof query = (statement) =>
    statement.name === 'oauth_clients_find'
      ? Promise.reject(Object.assign(new Error('canceled'), { code: '57014' }))
      : query(statement);
  Object.assign(db, { query: failing });
  try {
    const answers = [
      await server.authorize(client_id),
      await server.fetch(at.page, { headers: { cookie: at.cookie } }),
      await server.refresh(client_id, 'x'),
    ];
    assert.deepEqual(
      answers.map(({ status }) => status),
      [503, 503, 503],
    );
  } finally {
    Object.assign(db, { query });
  }
  assert.deepEqual(await strangers(server), []);
});
