import {
  DummyDriver,
  Kysely,
  PostgresAdapter,
  PostgresIntrospector,
  PostgresQueryCompiler,
  type RawBuilder,
  sql,
} from 'kysely';
import type { Scope } from '../domain/access.ts';
import type { Via } from '../domain/caller.ts';
import type { Hundredths } from '../domain/credits.ts';
import { keyIsLive } from './api-keys.ts';
import type { AssignmentRow } from './assignments.ts';
import { assignmentColumns } from './assignments.ts';
import { type ConnectionRow, connectionColumns } from './connections.ts';
import type { Queryable } from './db.ts';
import { type DeliveryRow, deliveryColumns } from './deliveries.ts';

/** Composes SQL only; statements are sent by the caller's own connection. */
const compiler = new Kysely<unknown>({
  dialect: {
    createAdapter: () => new PostgresAdapter(),
    createDriver: () => new DummyDriver(),
    createIntrospector: (db) => new PostgresIntrospector(db),
    createQueryCompiler: () => new PostgresQueryCompiler(),
  },
});

type Fragment = RawBuilder<unknown>;

/** Newest first. `after` continues behind a row (stable while rows are added); otherwise `offset` counts rows. */
export type Slice = { limit: number; offset: number; after?: { createdAt: Date; id: string | number } };

export type Listing<R> = { rows: R[]; total: number };

/** Totals are exact up to here; above, counting would cost more than it tells. */
export const countLimit = 10_000;

async function list<R>(
  on: Queryable,
  table: string,
  columns: string,
  where: Fragment[],
  slice: Slice,
): Promise<Listing<R>> {
  const conditions = sql.join(where, sql` and `);
  const position = slice.after ? sql`and (created_at, id) < (${slice.after.createdAt}, ${slice.after.id})` : sql``;
  const page = sql`select ${sql.raw(columns)} from ${sql.table(table)} where ${conditions} ${position}
    order by created_at desc, id desc limit ${slice.limit} offset ${slice.after ? 0 : slice.offset}`;
  const count = sql`select count(*) as total
    from (select 1 from ${sql.table(table)} where ${conditions} limit ${countLimit + 1}) as counted`;
  const [rows, totals] = await Promise.all([send<R>(on, page), send<{ total: number }>(on, count)]);
  return { rows, total: totals[0]?.total ?? 0 };
}

function send<R>(on: Queryable, query: Fragment): Promise<R[]> {
  const { sql: text, parameters } = query.compile(compiler);
  return on.query<R>({ text, values: [...parameters] });
}

export type AssignmentFilter = {
  workspaceId: string;
  organizationId?: string | undefined;
  status?: string | undefined;
  connectionId?: string | undefined;
  platform?: string | undefined;
  externalId?: string | undefined;
  scheduledFrom?: Date | undefined;
  scheduledTo?: Date | undefined;
};

export function listAssignments(
  on: Queryable,
  filter: AssignmentFilter,
  slice: Slice,
): Promise<Listing<AssignmentRow>> {
  const where = [sql`workspace_id = ${filter.workspaceId}`];
  if (filter.organizationId) where.push(sql`organization_id = ${filter.organizationId}`);
  if (filter.status) where.push(sql`status = ${filter.status}`);
  if (filter.connectionId) where.push(sql`connection_id = ${filter.connectionId}`);
  if (filter.platform) where.push(sql`platform = ${filter.platform}`);
  if (filter.externalId) where.push(sql`external_id = ${filter.externalId}`);
  if (filter.scheduledFrom) where.push(sql`scheduled_at >= ${filter.scheduledFrom}`);
  if (filter.scheduledTo) where.push(sql`scheduled_at <= ${filter.scheduledTo}`);
  return list(on, 'assignments', assignmentColumns, where, slice);
}

export type ConnectionFilter = {
  workspaceId: string;
  organizationId?: string | undefined;
  platform?: string | undefined;
  externalId?: string | undefined;
  includeInactive?: boolean | undefined;
};

export function listConnections(
  on: Queryable,
  filter: ConnectionFilter,
  slice: Slice,
): Promise<Listing<ConnectionRow>> {
  const where = [sql`workspace_id = ${filter.workspaceId}`];
  if (filter.organizationId) where.push(sql`organization_id = ${filter.organizationId}`);
  if (filter.platform) where.push(sql`platform = ${filter.platform}`);
  if (filter.externalId) where.push(sql`external_id = ${filter.externalId}`);
  where.push(filter.includeInactive ? sql`deleted_at is null` : sql`is_active`);
  return list(on, 'connections', connectionColumns, where, slice);
}

export type DeliveryFilter = {
  workspaceId: string;
  organizationId?: string | undefined;
  status?: string | undefined;
  assignmentId?: string | undefined;
  from?: Date | undefined;
  to?: Date | undefined;
};

export function listDeliveries(on: Queryable, filter: DeliveryFilter, slice: Slice): Promise<Listing<DeliveryRow>> {
  const where = [sql`workspace_id = ${filter.workspaceId}`];
  if (filter.organizationId) where.push(sql`organization_id = ${filter.organizationId}`);
  if (filter.status) where.push(sql`status = ${filter.status}`);
  if (filter.assignmentId) where.push(sql`assignment_id = ${filter.assignmentId}`);
  if (filter.from) where.push(sql`created_at >= ${filter.from}`);
  if (filter.to) where.push(sql`created_at <= ${filter.to}`);
  return list(on, 'deliveries', deliveryColumns, where, slice);
}

/** `organizationId` narrows to what was done with the keys of one organization. */
type KeyedFilter = {
  workspaceId: string;
  organizationId?: string | undefined;
  from?: Date | undefined;
  to?: Date | undefined;
};

function keyedConditions({ workspaceId, organizationId, from, to }: KeyedFilter): Fragment[] {
  const where = [sql`workspace_id = ${workspaceId}`];
  if (organizationId) {
    where.push(sql`key_id in (select id from api_keys
      where workspace_id = ${workspaceId} and organization_id = ${organizationId})`);
  }
  if (from) where.push(sql`created_at >= ${from}`);
  if (to) where.push(sql`created_at < ${to}`);
  return where;
}

export type LedgerRow = {
  id: number;
  operation: string;
  via: Via | 'operator';
  amount: Hundredths;
  state: 'settled' | 'reserved' | 'refunded';
  assignmentId: string | null;
  keyId: string | null;
  grantId: string | null;
  refunds: number | null;
  createdAt: Date;
};

const ledgerColumns = `id, operation, via, amount, state, assignment_id as "assignmentId", key_id as "keyId",
  grant_id as "grantId", refunds, created_at as "createdAt"`;

export function listLedger(on: Queryable, filter: KeyedFilter, slice: Slice): Promise<Listing<LedgerRow>> {
  return list(on, 'ledger', ledgerColumns, keyedConditions(filter), slice);
}

export type AuditRow = {
  id: number;
  action: string;
  outcome: string;
  target: string | null;
  keyId: string | null;
  grantId: string | null;
  clientId: string | null;
  network: string | null;
  createdAt: Date;
};

const auditColumns = `id, action, outcome, target, key_id as "keyId", grant_id as "grantId", client_id as "clientId",
  network, created_at as "createdAt"`;

export function listAudit(
  on: Queryable,
  filter: KeyedFilter & { action?: string | undefined },
  slice: Slice,
): Promise<Listing<AuditRow>> {
  const where = keyedConditions(filter);
  if (filter.action) where.push(sql`action = ${filter.action}`);
  return list(on, 'audit', auditColumns, where, slice);
}

export type GrantListRow = {
  id: string;
  clientId: string;
  clientName: string;
  redirectHost: string;
  scopes: Scope[];
  keyId: string;
  isActive: boolean;
  createdAt: Date;
  lastUsedAt: Date | null;
  revokedAt: Date | null;
};

const grantListColumns = `id, client_id as "clientId", client_name as "clientName", redirect_host as "redirectHost",
  scopes, key_id as "keyId", created_at as "createdAt", last_used_at as "lastUsedAt", revoked_at as "revokedAt",
  revoked_at is null and exists (
    select from api_keys k join workspaces w on w.id = k.workspace_id where k.id = key_id and ${keyIsLive}
  ) as "isActive"`;

export function listGrants(
  on: Queryable,
  { workspaceId, organizationId }: KeyedFilter,
  slice: Slice,
): Promise<Listing<GrantListRow>> {
  return list(on, 'oauth_grants', grantListColumns, keyedConditions({ workspaceId, organizationId }), slice);
}
