import assert from 'node:assert/strict';
import { test } from 'node:test';
import { sweepExpired } from '../../src/store/sweep.ts';
import { runCommand } from '../command.ts';
import {
  authorize,
  begin,
  callMcp,
  codeVerifier,
  decide,
  exchange,
  fromElsewhere,
  get,
  getCode,
  getTokens,
  type Harness,
  mcpStatus,
  newClient,
  outcome,
  post,
  query,
  type Row,
  redirectUri,
  refresh,
  register,
  resource,
  startPharlo,
  token,
  tokensOf,
} from './outside.ts';
import { assertNowhere } from './secrets.ts';

// Items 49 and 50 of the security checklist.

const planted = 'ds_live_planted-wrong-key-0123456789';

const exchangeFrom = (pharlo: Harness, id: string, code: string, from: Record<string, string>) => {
  const form = { grant_type: 'authorization_code', client_id: id, code, redirect_uri: redirectUri };
  return token(pharlo, { ...form, code_verifier: codeVerifier }, from);
};

test('49 Audit: every event has its client, workspace and network, refusals of strangers are counted, no secret is in it', async () => {
  await using pharlo = await startPharlo();
  const network = fromElsewhere()['x-forwarded-for'];
  const from = { 'x-forwarded-for': network };
  const registered = await register(pharlo, { redirect_uris: [redirectUri], client_name: 'Audited' }, from);
  const id = String(registered.json.client_id);
  const page = await begin(pharlo, id, { resource });
  for (let n = 0; n < 3; n++) await decide(pharlo, page, 'authorize', planted, from);
  await decide(pharlo, page, 'deny', '', from);
  const narrow = await pharlo.newKey({ scopes: ['stats:read'] });
  await decide(pharlo, await begin(pharlo, id, { scope: 'platforms:read' }), 'authorize', narrow, from);
  const obtain = async () => {
    const decided = await decide(pharlo, await begin(pharlo, id, { resource }), 'authorize', pharlo.key, from);
    const code = new URL(decided.headers.get('location') ?? '').searchParams.get('code') ?? '';
    return { code, tokens: tokensOf(await exchangeFrom(pharlo, id, code, from)) };
  };
  const renew = (secret: string) =>
    token(pharlo, { grant_type: 'refresh_token', client_id: id, refresh_token: secret }, from);
  const replayed = await obtain();
  await exchangeFrom(pharlo, id, replayed.code, from);
  const reused = await obtain();
  const second = tokensOf(await renew(reused.tokens.refresh_token));
  const third = tokensOf(await renew(second.refresh_token));
  await renew(reused.tokens.refresh_token);
  const revoked = await obtain();
  await post(pharlo, '/oauth/mcp/revoke', { client_id: id, token: revoked.tokens.refresh_token }, from);

  await register(pharlo, { redirect_uris: ['javascript:alert(1)'] }, from);
  await authorize(pharlo, 'mcp_client_unknown', {}, from);
  await authorize(pharlo, id, { redirect_uri: 'https://evil.example/cb' }, from);
  await authorize(pharlo, id, { scope: 'openid' }, from);
  await get(pharlo, page.path, from);
  for (let n = 0; n < 4; n++)
    await token(pharlo, { grant_type: 'refresh_token', client_id: 'x', refresh_token: 'y' }, from);
  await token(pharlo, { client_id: id }, from);
  await post(pharlo, '/oauth/mcp/introspect', { client_id: id, client_secret: 'x', token: 'y' }, from);
  await post(pharlo, '/oauth/mcp/revoke', { token: 'y' }, from);

  for (let n = 0; n < 2; n++) await callMcp(pharlo, 'Bearer mcp_at_unknown', 'tools/list', {}, from);
  await get(pharlo, '/api/v1/platforms', { authorization: 'Bearer ds_live_unknown', ...from });
  await callMcp(pharlo, undefined, 'tools/list', {}, from);

  const lines = await query(
    pharlo,
    `select action, outcome, coalesce(target, '') as target from audit
     where client_id = $1 and workspace_id = $2 and key_id is not null and network = $3 order by id`,
    [id, pharlo.workspaceId, network],
  );
  const line = (row: Row) => `${row.action} ${row.outcome} ${row.target}`.trim();
  const granted = ['oauth.grant ok', 'oauth.exchange ok'];
  assert.deepEqual(lines.map(line), [
    'oauth.grant invalid_scope',
    ...granted,
    'oauth.reuse invalid_grant code',
    'oauth.revoke ok',
    ...granted,
    'oauth.refresh ok',
    'oauth.refresh ok',
    'oauth.reuse invalid_grant refresh_token',
    'oauth.revoke ok',
    ...granted,
    'oauth.revoke ok refresh_token',
  ]);
  const counted = await query(
    pharlo,
    `select action, outcome, client_id, sum(count)::int as n from audit_strangers where network = $1
     group by 1, 2, 3 order by 1, 2, 3`,
    [network],
  );
  assert.deepEqual(
    counted
      .map((row) => `${row.action} ${row.outcome} ${row.client_id === id ? 'known' : row.client_id} ${row.n}`)
      .sort(),
    [
      'oauth.access_refused invalid_token  3',
      'oauth.authorize_refused invalid_client  1',
      'oauth.authorize_refused invalid_redirect_uri known 1',
      'oauth.authorize_refused invalid_scope known 1',
      'oauth.consent_refused access_denied  1',
      'oauth.deny access_denied known 1',
      'oauth.introspect_refused invalid_client known 1',
      'oauth.key_refused access_denied known 3',
      'oauth.register ok known 1',
      'oauth.register_refused invalid_redirect_uri  1',
      'oauth.revoke_refused invalid_request  1',
      'oauth.token_refused invalid_client  4',
      'oauth.token_refused invalid_grant known 2',
      'oauth.token_refused invalid_request known 1',
    ],
  );
  const rows = await query(pharlo, 'select minute, count(*)::int as n from audit_strangers group by 1');
  const minutes = rows.map(({ minute }) => Number(minute) % 60_000);
  assert.ok(rows.length <= 3 && minutes.every((rest) => rest === 0), 'one line per minute');
  const texts = await query(
    pharlo,
    'select t::text as row from audit t union all select t::text from audit_strangers t',
  );
  const secrets = {
    key: pharlo.key,
    planted,
    narrow,
    code: replayed.code,
    old: reused.tokens.refresh_token,
    token: third.access_token,
  };
  assertNowhere(texts.map(({ row }) => row).join('\n'), secrets);
});

test('50 A key that is deleted takes every family along at once; what has expired is purged', async () => {
  await using pharlo = await startPharlo();
  const id = await newClient(pharlo);
  const key = await pharlo.newKey();
  const [a, b, kept] = [
    await getTokens(pharlo, id, {}, key),
    await getTokens(pharlo, id, {}, key),
    await getTokens(pharlo, id),
  ];
  const code = await getCode(pharlo, id, { resource }, key);
  const [row] = await query(pharlo, 'select id from api_keys where key_hash = sha256($1)', [Buffer.from(key)]);
  const { PHARLO_ALLOWED_ORIGINS: _, ...settings } = pharlo.environment;
  const ended = await runCommand(['keys', 'revoke', String(row?.id)], settings);
  assert.equal(ended.code, 0, ended.stderr);
  for (const { access_token, refresh_token } of [a, b]) {
    assert.equal(await mcpStatus(pharlo, access_token), 401);
    assert.deepEqual(outcome(await refresh(pharlo, id, refresh_token)), [400, 'invalid_grant']);
  }
  assert.deepEqual(outcome(await exchange(pharlo, id, code)), [400, 'invalid_grant']);
  assert.equal(await mcpStatus(pharlo, kept.access_token), 200, "another key's");

  const tables = ['oauth_codes', 'oauth_tokens', 'audit_strangers', 'rate_limits'];
  const left = async () => {
    await sweepExpired(pharlo.app.deps.db);
    const counts: number[] = [];
    for (const table of tables) counts.push(Number((await query(pharlo, `select count(*) as n from ${table}`))[0]?.n));
    return counts;
  };
  assert.ok(
    (await left()).every((count) => count > 0),
    'nothing is purged too early',
  );
  await pharlo.advance(119 * 86_400_000);
  const [codes, tokens = 0, ...others] = await left();
  assert.ok(tokens > 0, 'ended tokens stay for 90 days, so that their reuse is seen');
  assert.deepEqual([codes, ...others], [0, 0, 0]);
  await pharlo.advance(2 * 86_400_000);
  assert.deepEqual(await left(), [0, 0, 0, 0]);
});
