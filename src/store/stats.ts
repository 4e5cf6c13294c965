import type { StatsGroup, StatusCount } from '../domain/stats.ts';
import { named, type Queryable } from './db.ts';

/** Which assignments are counted: by the time they ended, while they are open by the time they were made. */
export type StatsFilter = { workspaceId: string; organizationId?: string | undefined; from: Date; to: Date };

const countStatement = named<[string, string | null, Date, Date, StatsGroup | null], StatusCount>(
  'stats_count',
  `with counted as (
     select organization_id, connection_id, platform, status, ended_at as at from assignments
     where workspace_id = $1 and ended_at >= $3 and ended_at < $4
     union all
     select organization_id, connection_id, platform, status, created_at from assignments
     where workspace_id = $1 and status in ('pending', 'uploading', 'uploaded', 'processing')
       and created_at >= $3 and created_at < $4
   )
   select case $5 when 'day' then to_char(at at time zone 'UTC', 'YYYY-MM-DD')
                  when 'platform' then platform
                  when 'connection' then connection_id::text
                  when 'status' then status else '' end as key,
          status, count(*) as count
   from counted
   where $2::uuid is null or organization_id = $2
   group by key, status
   order by key, status`,
);

/** Assignments by group and status, ordered by key; without a group, by status alone under an empty key. */
export function countAssignments(on: Queryable, filter: StatsFilter, groupBy?: StatsGroup): Promise<StatusCount[]> {
  const { workspaceId, organizationId, from, to } = filter;
  return countStatement(on, workspaceId, organizationId ?? null, from, to, groupBy ?? null);
}

const medianStatement = named<[string, string | null, Date, Date], { seconds: number | null }>(
  'stats_median_to_publish',
  `select percentile_cont(0.5) within group (
            order by greatest(0, extract(epoch from ended_at - coalesce(scheduled_at, created_at)))::float8) as seconds
   from assignments
   where workspace_id = $1 and ended_at >= $3 and ended_at < $4 and status = 'published'
     and ($2::uuid is null or organization_id = $2)`,
);

/** Median seconds from the time a post was due until it was published; undefined when none was. */
export async function medianSecondsToPublish(on: Queryable, filter: StatsFilter): Promise<number | undefined> {
  const { workspaceId, organizationId, from, to } = filter;
  return (await medianStatement(on, workspaceId, organizationId ?? null, from, to))[0]?.seconds ?? undefined;
}
