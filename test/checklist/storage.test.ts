import assert from 'node:assert/strict';
import { createHash } from 'node:crypto';
import { test } from 'node:test';
import pg from 'pg';
import {
  begin,
  callMcp,
  codeVerifier,
  decide,
  exchange,
  get,
  getCode,
  type Harness,
  introspect,
  mcpStatus,
  newClient,
  query,
  redirectUri,
  refresh,
  register,
  resource,
  revoke,
  startPharlo,
  token,
  tokensOf,
} from './outside.ts';
import { assertNowhere } from './secrets.ts';

// Items 46 and 47 of the security checklist.

const planted = 'ds_live_planted-wrong-key-0123456789';

/** All that a client and a person can do, good and bad; answers every secret that was issued or typed on the way. */
async function liveThrough(pharlo: Harness): Promise<{ clientId: string; secrets: Record<string, string> }> {
  const id = await newClient(pharlo, { client_name: 'Whole flow' });
  const { json } = await register(pharlo, {
    redirect_uris: [redirectUri],
    token_endpoint_auth_method: 'client_secret_basic',
  });
  const [client, client_secret] = [String(json.client_id), String(json.client_secret)];
  const basic = { authorization: `Basic ${btoa(`${client}:${client_secret}`)}` };
  const page = await begin(pharlo, id, { resource });
  await decide(pharlo, page, 'authorize', planted);
  await decide(pharlo, page, 'deny', planted);
  const code = await getCode(pharlo, id, { resource });
  const first = tokensOf(await exchange(pharlo, id, code));
  const second = tokensOf(await refresh(pharlo, id, first.refresh_token));
  tokensOf(await refresh(pharlo, id, first.refresh_token));
  const unused = await getCode(pharlo, id, { resource });
  const confidential = await getCode(pharlo, client);
  const form = { grant_type: 'authorization_code', redirect_uri: redirectUri, code: confidential };
  assert.equal((await token(pharlo, { ...form, code_verifier: 'x'.repeat(43) }, basic)).status, 400);
  const third = tokensOf(await token(pharlo, { ...form, code_verifier: codeVerifier }, basic));
  assert.equal(await mcpStatus(pharlo, second.access_token), 200);
  await callMcp(pharlo, `Bearer ${pharlo.key}`);
  await get(pharlo, `/_mcp?access_token=${second.access_token}`);
  await introspect(pharlo, id, second.access_token);
  await exchange(pharlo, id, code, { code_verifier: 'y'.repeat(43) });
  await revoke(pharlo, id, third.access_token);
  return {
    clientId: id,
    secrets: {
      key: pharlo.key,
      planted,
      code,
      unused,
      confidential,
      client_secret,
      cookie: page.cookie.split('=')[1] ?? '',
      request: page.path.split('/').at(-1) ?? '',
      'first access token': first.access_token,
      'first refresh token': first.refresh_token,
      'second access token': second.access_token,
      'second refresh token': second.refresh_token,
      'third access token': third.access_token,
      'third refresh token': third.refresh_token,
    },
  };
}

/** Every row of every table as text. */
async function dump(pharlo: Harness): Promise<string> {
  const tables = await query(
    pharlo,
    `select table_name as name from information_schema.tables
     where table_schema = 'public' and table_type = 'BASE TABLE'`,
  );
  assert.ok(tables.length > 15);
  const rows: string[] = [];
  for (const { name } of tables) {
    for (const { row } of await query(pharlo, `select t::text as row from "${name}" t`)) rows.push(String(row));
  }
  return rows.join('\n');
}

test('46 At rest: no table holds any secret, in any encoding', async (t) => {
  for (const format of ['opaque', 'jwt']) {
    await t.test(format, async () => {
      await using pharlo = await startPharlo({ environment: { PHARLO_ACCESS_TOKEN_FORMAT: format } });
      const { clientId, secrets } = await liveThrough(pharlo);
      const text = await dump(pharlo);
      assert.ok(text.includes(clientId), 'the dump holds what it should');
      for (const name of ['key', 'unused', 'client_secret', 'second access token', 'second refresh token']) {
        const hash = createHash('sha256')
          .update(secrets[name] ?? '')
          .digest('hex');
        assert.ok(text.includes(hash), `${name} is there as a hash`);
      }
      assertNowhere(text, secrets);
      assert.ok(!text.includes('PRIVATE KEY') && !text.includes(Buffer.from('PRIVATE KEY').toString('hex')));
      assert.throws(() => assertNowhere(`x${Buffer.from(`{"a":"${pharlo.key}"}`).toString('base64')}`, secrets));
    });
  }
});

test('47 Logs: a whole flow with all its failures leaves no secret in any line', async () => {
  await using pharlo = await startPharlo();
  const { clientId, secrets } = await liveThrough(pharlo);
  const code = await getCode(pharlo, clientId);
  const owner = new pg.Client({ connectionString: pharlo.environment.DATABASE_DIRECT_URL });
  await owner.connect();
  await owner.query('alter table oauth_tokens rename to elsewhere');
  await owner.end();
  const failed = await exchange(pharlo, clientId, code);
  assert.deepEqual([failed.status, failed.json.error], [503, 'temporarily_unavailable']);
  assert.ok(Number(failed.headers.get('retry-after')) > 0);
  assert.equal((await callMcp(pharlo, `Bearer ${secrets['second access token']}`)).status, 500);
  const lines = pharlo.logs.join('\n');
  assert.ok(lines.includes('oauth_failed'), 'there is a log');
  assertNowhere(lines, { ...secrets, code });
  assert.doesNotMatch(lines, /ds_live_|mcp_at_|mcp_rt_|mcp_ac_|mcp_cs_|code=|code_verifier|oauth\/mcp\/consent\/[^:]/);
});
