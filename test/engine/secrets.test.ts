import assert from 'node:assert/strict';
import { test } from 'node:test';
import { isSessionStart } from './platform.ts';
import { ended, startRig } from './rig.ts';

const MiB = 1024 * 1024;

test('tokens and upload addresses are nowhere in plain text, neither in the database nor in the log', async () => {
  const secrets = new Map<string, string>();
  await using rig = await startRig({ mediaBytes: 20 * MiB });
  rig.platform.around = async (call, next) => {
    const bearer = call.request.headers.get('authorization')?.replace('Bearer ', '');
    if (bearer) secrets.set('access token', bearer);
    const sent = call.name === 'POST /youtube/token' ? await call.request.clone().formData() : undefined;
    const refreshToken = sent?.get('refresh_token');
    if (typeof refreshToken === 'string') secrets.set('refresh token', refreshToken);
    const response = await next();
    const location = isSessionStart(call) ? response.headers.get('location') : null;
    if (location) secrets.set('upload id', new URL(location).searchParams.get('upload_id') ?? '');
    return response;
  };
  const { pharlo, connectionId } = rig;
  assert.equal((await pharlo.rest('POST', `/connections/${connectionId}/refresh-token`)).status, 200);
  rig.media.gate = 12 * MiB;
  const { id } = await rig.create();
  await rig.media.reached();

  const { db } = pharlo.app.deps;
  const tables = await db.query<{ name: string }>({
    text: `select tablename as name from pg_tables where schemaname = 'public'
           and has_table_privilege(format('%I.%I', schemaname, tablename), 'select')`,
    values: [],
  });
  const dumped: string[] = [];
  for (const { name } of tables) {
    const rows = await db.query<{ row: string }>({ text: `select t::text as row from "${name}" t`, values: [] });
    dumped.push(...rows.map(({ row }) => row));
  }
  const database = dumped.join('\n');
  assert.ok(database.includes(id) && database.includes(connectionId), 'the dump holds what it should');
  assert.deepEqual([...secrets.keys()].sort(), ['access token', 'refresh token', 'upload id']);
  for (const [name, secret] of secrets) {
    const bytes = Buffer.from(secret);
    const forms = [
      secret,
      bytes.toString('hex'),
      bytes.toString('base64').replace(/=+$/, ''),
      encodeURIComponent(secret),
    ];
    for (const form of forms) {
      assert.ok(!database.includes(form), `${name} is in the database`);
      assert.ok(!pharlo.logs.join('\n').includes(form), `${name} is in the log`);
    }
  }
  rig.media.open();
  assert.equal((await rig.until(id, ended)).status, 'published');
});
