import { type Db, named, type Queryable, type Tx } from './db.ts';

export type PlanRow = { slug: string; name: string; monthly: number | null };

const upsertPlan = named<[string, string, number | null], never>(
  'workspaces_upsert_plan',
  `insert into plans (slug, name, monthly_credits) values ($1, $2, $3)
   on conflict (slug) do update set name = excluded.name, monthly_credits = excluded.monthly_credits
   where (plans.name, plans.monthly_credits) is distinct from (excluded.name, excluded.monthly_credits)`,
);

/** Makes the configured plans known. Plans no longer configured stay for the workspaces that have them. */
export async function savePlans(db: Db, plans: readonly PlanRow[]): Promise<void> {
  for (const plan of plans) await upsertPlan(db, plan.slug, plan.name, plan.monthly);
}

export type NewWorkspace = { id: string; slug: string; name: string; plan: string; organizationId: string };

const insertWorkspaceStatement = named<[string, string, string, string], { id: string }>(
  'workspaces_insert',
  `insert into workspaces (id, slug, name, plan, allocation_left, cycle_started_at, cycle_resets_at)
   select $1, $2, $3, p.slug, coalesce(p.monthly_credits, 0), date_trunc('month', pharlo_now(), 'UTC'),
          date_trunc('month', pharlo_now(), 'UTC') + interval '1 month'
   from plans p where p.slug = $4
   on conflict on constraint workspaces_slug do nothing
   returning id`,
);

const insertOrganization = named<[string, string, string, string], never>(
  'workspaces_insert_organization',
  `insert into organizations (id, workspace_id, name, slug) values ($1, $2, $3, $4)`,
);

/** Makes a workspace with its first organization. False when the slug is taken. */
export async function insertWorkspace(tx: Tx, workspace: NewWorkspace): Promise<boolean> {
  const rows = await insertWorkspaceStatement(tx, workspace.id, workspace.slug, workspace.name, workspace.plan);
  if (rows.length === 0) return false;
  await insertOrganization(tx, workspace.organizationId, workspace.id, workspace.name, workspace.slug);
  return true;
}

export type WorkspaceRow = { id: string; slug: string; name: string; status: string };

const findBySlug = named<[string], WorkspaceRow>(
  'workspaces_find_by_slug',
  `select id, slug, name, status from workspaces where slug = $1`,
);

export async function findWorkspace(on: Queryable, slug: string): Promise<WorkspaceRow | undefined> {
  return (await findBySlug(on, slug))[0];
}

export type OrganizationRow = { id: string; name: string };

const findOrganizationStatement = named<[string, string | null], OrganizationRow>(
  'workspaces_find_organization',
  `select id, name from organizations where workspace_id = $1 and ($2::uuid is null or id = $2)
   order by created_at, id limit 1`,
);

/** One organization of a workspace, the first one when no id is given. */
export async function findOrganization(
  on: Queryable,
  workspaceId: string,
  organizationId?: string,
): Promise<OrganizationRow | undefined> {
  return (await findOrganizationStatement(on, workspaceId, organizationId ?? null))[0];
}

const listStatement = named<[], WorkspaceRow & { plan: string; createdAt: Date }>(
  'workspaces_list',
  `select id, slug, name, status, plan, created_at as "createdAt" from workspaces order by created_at, id`,
);

export function listWorkspaces(on: Queryable): Promise<(WorkspaceRow & { plan: string; createdAt: Date })[]> {
  return listStatement(on);
}

const setStatusStatement = named<[string, string], never>(
  'workspaces_set_status',
  'update workspaces set status = $2 where id = $1',
);

/** A suspended workspace's keys and tokens are refused from the next request on; what it has scheduled waits. */
export async function setWorkspaceStatus(on: Queryable, id: string, status: 'active' | 'suspended'): Promise<void> {
  await setStatusStatement(on, id, status);
}
