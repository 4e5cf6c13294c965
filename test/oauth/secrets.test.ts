import assert from 'node:assert/strict';
import { test } from 'node:test';
import { createServer, issuer } from './server.ts';

for (const format of ['opaque', 'jwt'] as const) {
  test(`no secret is at rest or in a log: not the key, not a code, not a token (${format}), in no encoding`, async () => {
    await using server = await createServer({ format });
    const { client_id } = await server.register();
    const { client_id: confidential, client_secret } = await server.register({
      token_endpoint_auth_method: 'client_secret_post',
    });
    await server.revoke(confidential, 'x', { client_secret: String(client_secret) });
    const { key } = await server.addKey();
    const code = await server.getCode(client_id, key, { resource: `${issuer}/_mcp` });
    const first = (await (await server.exchange(client_id, code)).json()) as Record<string, string>;
    const refreshed = await server.refresh(client_id, first.refresh_token ?? '');
    const second = (await refreshed.json()) as Record<string, string>;
    await server.refresh(client_id, first.refresh_token ?? '');
    await server.allow(await server.begin(client_id), 'planted-wrong-key');
    await server.exchange(client_id, code);

    const tables = await server.query(
      `select table_name from information_schema.tables where table_schema = 'public' and table_type = 'BASE TABLE'`,
    );
    let dump = server.lines.join('\n');
    for (const { table_name } of tables) {
      const rows = await server.query(`select t::text as row from "${table_name}" t`);
      dump += rows.map(({ row }) => row).join('\n');
    }
    assert.ok(dump.includes(client_id), 'the dump holds what it should');
    const { access_token, refresh_token } = second;
    const secrets = {
      key,
      client_secret: String(client_secret),
      code,
      a: first.access_token,
      r: first.refresh_token,
      access_token,
      refresh_token,
      wrong: 'planted-wrong-key',
    };
    for (const [name, secret] of Object.entries(secrets)) {
      assert.ok(secret && secret.length > 10);
      const bytes = Buffer.from(secret);
      for (const text of [
        secret,
        bytes.toString('base64').slice(0, -2),
        bytes.toString('hex'),
        encodeURIComponent(secret),
      ]) {
        assert.ok(!dump.includes(text), name);
      }
    }
  });
}
