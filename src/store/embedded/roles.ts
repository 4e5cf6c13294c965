import pg from 'pg';
import { hasCode } from './binaries.ts';
import type { Passwords } from './passwords.ts';

/** Where a server listens: a socket folder or an address, and the port. */
export type Address = { host: string; port: number };

const DATABASE = 'pharlo';

/** Connection URL that both pg and libpq read; a socket folder goes into the query, so that any URL parser can. */
export function databaseUrl({ host, port }: Address, role: string, password: string, database = DATABASE): string {
  const socket = host.startsWith('/');
  const url = new URL(`postgresql://${role}:${password}@${socket ? 'localhost' : host}:${port}/${database}`);
  if (socket) url.searchParams.set('host', host);
  return url.href;
}

/** True when the application role can log in, which is the last thing `createRoles` allows. */
export async function isPrepared(address: Address, passwords: Passwords): Promise<boolean> {
  const client = new pg.Client(databaseUrl(address, 'pharlo_app', passwords.app));
  client.on('error', () => {});
  try {
    await client.connect();
    return true;
  } catch (error) {
    if (hasCode(error, '28P01', '28000', '3D000', '42501')) return false;
    throw error;
  } finally {
    await client.end();
  }
}

/**
 * Makes the database and its two roles, neither a superuser: `pharlo_owner` runs migrations, `pharlo_app` serves.
 * May be repeated after a crash at any point.
 */
export async function createRoles(address: Address, passwords: Passwords): Promise<void> {
  const client = new pg.Client(databaseUrl(address, 'postgres', passwords.superuser, 'postgres'));
  await client.connect();
  try {
    const { rows } = await client.query<{ name: string }>(
      `select rolname as name from pg_roles where rolname like 'pharlo_%' union all select datname from pg_database`,
    );
    const missing = (name: string) => !rows.some((row) => row.name === name);
    if (missing('pharlo_owner')) await client.query('create role pharlo_owner nologin');
    if (missing('pharlo_app')) await client.query('create role pharlo_app nologin');
    if (missing(DATABASE)) await client.query(`create database ${DATABASE} owner pharlo_owner`);
    await client.query(
      `begin;
       revoke all on database ${DATABASE}, postgres, template1 from public;
       grant connect on database ${DATABASE} to pharlo_app;
       alter role pharlo_owner login password '${passwords.owner}';
       alter role pharlo_app login password '${passwords.app}';
       commit`,
    );
  } finally {
    await client.end();
  }
}
