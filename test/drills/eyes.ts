import pg from 'pg';

/** What the drill sees in the database, past the product. */

export type Row = {
  id: string;
  tag: string;
  status: string;
  description: string;
  scheduledAt: Date | null;
  postId: string | null;
  codes: string[];
  events: { sequence: number; status: string; detail: string | null }[];
  /** Hundredths, refunds counted. */
  charge: number;
  /** Deliveries that ended without being taken. */
  givenUp: number;
};

export type Eyes = {
  rows(): Promise<Row[]>;
  /** Hundredths: what the workspace can spend, and the sum of its ledger. */
  account(): Promise<{ balance: number; ledger: number }>;
  /** What is not ended yet. */
  open(): Promise<{ assignments: number; deliveries: number; leased: number; nextInMs: number | null }>;
  workspaceId(): Promise<string>;
  deliveries(): Promise<Record<string, number>>;
  /** Holds an assignment's row. `blocked` resolves when somebody waits for it; disposing lets go. */
  hold(id: string): Promise<AsyncDisposable & { blocked(): Promise<void> }>;
};

const rowsText = `
  select a.id, a.external_id as tag, a.status, a.payload->>'description' as description, a.scheduled_at as "scheduledAt",
         a.platform_post_id as "postId", array(select e->>'code' from jsonb_array_elements(a.errors) e) as codes,
         (select json_agg(json_build_object('sequence', e.sequence, 'status', e.status, 'detail', e.detail) order by e.sequence)
          from assignment_events e where e.assignment_id = a.id) as events,
         (select coalesce(sum(l.amount), 0)::int from ledger l where l.assignment_id = a.id) as charge,
         (select count(*)::int from deliveries d where d.assignment_id = a.id and d.status = 'failed') as "givenUp"
  from assignments a order by a.created_at, a.id`;

const openText = `
  select (select count(*)::int from assignments where due_at is not null) as assignments,
         (select count(*)::int from deliveries where status = 'pending') as deliveries,
         (select count(*)::int from assignments where lease_until > pharlo_now())
           + (select count(*)::int from deliveries where lease_until > pharlo_now()) as leased,
         (select ceil(extract(epoch from min(due) - pharlo_now()) * 1000)::float8 from
           (select min(due_at) as due from assignments union all select min(due_at) from deliveries) as next) as "nextInMs"`;

const accountText = `
  select (allocation_left + topup_left)::float8 as balance,
         (select coalesce(sum(amount), 0)::float8 from ledger where workspace_id = workspaces.id) as ledger
  from workspaces where slug = 'default'`;

/** `url` answers whenever the database is there; every look is a connection of its own, since the database may be killed too. */
export function openEyes(url: string): Eyes {
  const query = async <T extends object>(text: string): Promise<T[]> => {
    await using client = await connect(url);
    return (await client.query<T>(text)).rows;
  };
  const one = async <T extends object>(text: string): Promise<T> => {
    const [row] = await query<T>(text);
    if (!row) throw new Error('There is no such row.');
    return row;
  };
  return {
    rows: () => query(rowsText),
    account: () => one(accountText),
    open: () => one(openText),
    workspaceId: async () => (await one<{ id: string }>(`select id from workspaces where slug = 'default'`)).id,
    async deliveries() {
      const counts = await query<{ status: string; count: number }>(
        'select status, count(*)::int as count from deliveries group by status order by status',
      );
      return Object.fromEntries(counts.map(({ status, count }) => [status, count]));
    },
    async hold(id) {
      const client = await connect(url);
      await client.query('begin');
      await client.query('select 1 from assignments where id = $1 for update', [id]);
      const { rows } = await client.query<{ pid: number }>('select pg_backend_pid() as pid');
      const text = 'select 1 from pg_locks where not granted and $1 = any(pg_blocking_pids(pid))';
      return {
        async blocked() {
          while ((await client.query(text, [rows[0]?.pid])).rowCount === 0);
        },
        [Symbol.asyncDispose]: () => client[Symbol.asyncDispose](),
      };
    },
  };
}

async function connect(url: string): Promise<pg.Client & AsyncDisposable> {
  const client = new pg.Client({ connectionString: url, connectionTimeoutMillis: 20_000 });
  // The database may end under it; whoever waits for an answer hears of it there.
  client.on('error', () => {});
  await client.connect();
  return Object.assign(client, { [Symbol.asyncDispose]: () => client.end().catch(() => {}) });
}
