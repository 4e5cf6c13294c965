import type { ConnectionRow } from './connections.ts';
import { named, type Queryable } from './db.ts';

const facts = named<[], { version: number }>(
  'health_server',
  `select current_setting('server_version_num')::int as version`,
);

/** The server's version, e.g. 180004. */
export async function serverVersion(on: Queryable): Promise<number> {
  return (await facts(on))[0]?.version ?? 0;
}

const clock = named<[], { ms: number }>('health_clock', 'select extract(epoch from pharlo_now())::float8 * 1000 as ms');

/** The database's time, epoch ms. */
export async function databaseTime(on: Queryable): Promise<number> {
  return (await clock(on))[0]?.ms ?? 0;
}

export type Sealed = Pick<ConnectionRow, 'id' | 'workspaceId' | 'tokens'>;

const sealed = named<[number], Sealed>(
  'health_sealed_tokens',
  `select id, workspace_id as "workspaceId", tokens from connections where tokens is not null
   order by created_at desc, id desc limit $1`,
);

/** The newest sealed tokens, to try a key on. */
export function sampleTokens(on: Queryable, limit: number): Promise<Sealed[]> {
  return sealed(on, limit);
}

const secrets = named<[number], { workspaceId: string }>(
  'health_sealed_secrets',
  'select workspace_id as "workspaceId" from webhook_secrets order by workspace_id limit $1',
);

/** Workspaces that have a webhook secret, to try a key on. */
export function sampleSecrets(on: Queryable, limit: number): Promise<{ workspaceId: string }[]> {
  return secrets(on, limit);
}

export type Backlog = {
  /** Unclaimed assignments of active workspaces that were due more than a minute ago. */
  overdue: number;
  /** Live channels whose authorization is gone or dead. */
  broken: number;
  /** Deliveries given up within a day, and those that wait after three tries or more. */
  undelivered: number;
};

const backlog = named<[], Backlog>(
  'health_backlog',
  `select
     (select count(*) from assignments a join workspaces w on w.id = a.workspace_id
      where a.due_at < pharlo_now() - interval '1 minute' and (a.lease_until is null or a.lease_until <= pharlo_now())
        and w.status = 'active') as overdue,
     (select count(*) from connections
      where deleted_at is null and is_active and (tokens is null or token_revoked_at is not null)) as broken,
     (select count(*) from deliveries
      where status = 'failed' and last_attempt_at > pharlo_now() - interval '1 day'
        or status = 'pending' and attempts >= 3) as undelivered`,
);

/** What waits for somebody. */
export async function readBacklog(on: Queryable): Promise<Backlog> {
  const [row] = await backlog(on);
  return row ?? { overdue: 0, broken: 0, undelivered: 0 };
}
