import assert from 'node:assert/strict';
import { join } from 'node:path';
import { test } from 'node:test';
import pg from 'pg';
import { checkout, runCommand } from '../command.ts';
import { type Place, startWorld } from './world.ts';

const rows = 50_000;
const rowBytes = 1024;

async function query(place: Place, text: string): Promise<Record<string, unknown>[]> {
  const client = new pg.Client(place.database?.ownerUrl);
  await client.connect();
  try {
    return (await client.query(text)).rows;
  } finally {
    await client.end();
  }
}

test('a backup and its restore hold some rows at a time, not the store', async () => {
  await using world = await startWorld();
  const from = await world.place('DATABASE_URL');
  await from.told('workspaces', 'list');
  await query(
    from,
    `insert into audit (action, outcome, target)
     select 'filled', i::text, repeat(md5(i::text), ${rowBytes} / 32) from generate_series(1, ${rows}) i`,
  );
  // All rows together would not fit into what the process may have.
  const [node, ...main] = checkout;
  const frugal = [node, '--max-old-space-size=40', ...main] as const;
  const file = join(world.folder, 'big');
  const taken = await runCommand(['backup', file, '--json'], from.environment, frugal);
  assert.equal(taken.code, 0, taken.stderr);
  const to = await world.place('DATABASE_URL');
  const put = await runCommand(['restore', file, '--json'], to.environment, frugal);
  assert.equal(put.code, 0, put.stderr);
  assert.equal(JSON.parse(put.stdout).rows, JSON.parse(taken.stdout).rows);
  const digest = `select count(*)::int, md5(string_agg(id || target, ',' order by id)) from audit where action = 'filled'`;
  assert.deepEqual(await query(to, digest), await query(from, digest));
  await query(to, `insert into audit (action, outcome) values ('after', 'ok')`);
});
