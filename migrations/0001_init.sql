-- Time in SQL is the database's; tests replace this function to move the clock.
create function pharlo_now() returns timestamptz
  language sql stable parallel safe as 'select statement_timestamp()';

-- A time-ordered UUID (version 7, RFC 9562 §5.7), in order to the microsecond, for rows that SQL itself makes.
create function pharlo_new_id() returns uuid
  language sql volatile as $$
    select encode(overlay(uuid_send(gen_random_uuid())
      placing substring(int8send(us / 1000) from 3) || int2send((28672 + us % 1000 * 4)::int2) from 1 for 8), 'hex')::uuid
    from (select (extract(epoch from pharlo_now()) * 1000000)::bigint as us) as clock
  $$;

-- Credits are hundredths throughout; monthly_credits null = unlimited.
create table plans (
  slug text primary key,
  name text not null,
  monthly_credits bigint check (monthly_credits >= 0)
);

create table workspaces (
  id uuid primary key,
  slug text not null constraint workspaces_slug unique,
  name text not null,
  status text not null default 'active' check (status in ('active', 'suspended')),
  plan text not null references plans (slug),
  allocation_left bigint not null default 0 check (allocation_left >= 0),
  topup_left bigint not null default 0 check (topup_left >= 0),
  cycle_started_at timestamptz not null,
  cycle_resets_at timestamptz not null,
  created_at timestamptz not null default pharlo_now()
);

create table organizations (
  id uuid primary key,
  workspace_id uuid not null references workspaces (id),
  name text not null,
  slug text not null,
  created_at timestamptz not null default pharlo_now(),
  unique (workspace_id, id),
  constraint organizations_slug unique (workspace_id, slug)
);

create table api_keys (
  id uuid primary key,
  workspace_id uuid not null references workspaces (id),
  -- null = the whole workspace
  organization_id uuid,
  name text not null,
  -- the last four characters, to tell keys apart
  hint text not null,
  key_hash bytea not null constraint api_keys_hash unique,
  scopes text[] not null,
  -- the most it may spend in one cycle, with the grants it gave; null = as much as the workspace has
  spending_limit bigint check (spending_limit >= 0),
  -- spent in the cycle that began at spent_since, refunds taken off; kept only under a limit
  spent bigint not null default 0,
  spent_since timestamptz,
  expires_at timestamptz,
  revoked_at timestamptz,
  created_at timestamptz not null default pharlo_now(),
  unique (workspace_id, id),
  foreign key (workspace_id, organization_id) references organizations (workspace_id, id)
);

-- The authorization server ---------------------------------------------------------------------------------------

create table oauth_clients (
  id text primary key,
  name text not null,
  redirect_uris text[] not null,
  grant_types text[] not null,
  auth_method text not null,
  -- null = a public client
  secret_hash bytea,
  -- space separated, as registered; null = none was registered
  scope text,
  -- equal for equal registrations of public clients, so that registering again answers the same client
  fingerprint bytea constraint oauth_clients_fingerprint unique,
  -- ever sent `resource`: it is answered with the error codes MCP clients recover from
  mcp_profile boolean not null default false,
  -- when the metadata document at the id was read last; null = a registered client
  document_fetched_at timestamptz,
  created_at timestamptz not null default pharlo_now(),
  -- null = never received a code; only such clients are ever swept
  last_code_at timestamptz
);

create table oauth_grants (
  id uuid primary key,
  workspace_id uuid not null references workspaces (id),
  key_id uuid not null,
  client_id text not null references oauth_clients (id),
  client_name text not null,
  redirect_host text not null,
  -- granted scopes, expanded
  scopes text[] not null,
  -- the scope text answered to the client (aliases left whole are echoed as asked)
  scope_text text not null,
  -- null = no resource was named: serves /_mcp and /api/v1
  resource text,
  revoked_at timestamptz,
  revoked_reason text,
  last_used_at timestamptz,
  -- whole milliseconds: list cursors carry no more
  created_at timestamptz not null default date_trunc('milliseconds', pharlo_now()),
  unique (workspace_id, id),
  foreign key (workspace_id, key_id) references api_keys (workspace_id, id)
);
create index oauth_grants_workspace on oauth_grants (workspace_id, created_at desc, id desc);
create index oauth_grants_key on oauth_grants (key_id);
create index oauth_grants_client on oauth_grants (client_id);

create table oauth_codes (
  code_hash bytea primary key,
  grant_id uuid not null references oauth_grants (id) on delete cascade,
  client_id text not null,
  redirect_uri text not null,
  code_challenge text not null,
  expires_at timestamptz not null,
  used_at timestamptz,
  created_at timestamptz not null default pharlo_now()
);

create table oauth_tokens (
  token_hash bytea primary key,
  grant_id uuid not null references oauth_grants (id) on delete cascade,
  kind text not null check (kind in ('access', 'refresh')),
  -- within the grant's: an access token may be narrower, a refresh token never is
  scopes text[] not null,
  resource text,
  expires_at timestamptz not null,
  -- set when a refresh token was exchanged for its successor
  rotated_at timestamptz,
  -- what it was exchanged for, sealed under the token itself; emptied 30 s later
  successor bytea,
  created_at timestamptz not null default pharlo_now()
);
create index oauth_tokens_grant on oauth_tokens (grant_id);
create index oauth_tokens_expiry on oauth_tokens (expires_at);
create index oauth_tokens_successor on oauth_tokens (rotated_at) where successor is not null;
create index oauth_codes_grant on oauth_codes (grant_id);
create index oauth_codes_expiry on oauth_codes (expires_at);

-- Keys of access tokens in JWT format: one for each period of ninety days since 1970.
create table oauth_signing_keys (
  kid text primary key,
  period int not null unique,
  public_jwk jsonb not null,
  -- sealed
  private_key bytea not null,
  created_at timestamptz not null default pharlo_now()
);

-- Leaky buckets (GCRA): one row per subject, the time at which its bucket is empty again.
create unlogged table rate_limits (
  subject text primary key,
  empty_at timestamptz not null
);

-- Channels ---------------------------------------------------------------------------------------------------------

create table connections (
  id uuid primary key,
  workspace_id uuid not null references workspaces (id),
  organization_id uuid not null,
  key_id uuid,
  grant_id uuid,
  platform text not null,
  -- a connection keeps the network it was made on
  sandbox boolean not null,
  account_id text not null,
  name text not null,
  -- as the platform said last; another name is its owner's
  account_name text not null,
  handle text,
  thumbnail_url text,
  external_id text,
  is_active boolean not null default true,
  -- sealed; null = missing
  tokens bytea,
  token_expires_at timestamptz,
  -- the platform refused the refresh token: only a person can repair it
  token_revoked_at timestamptz,
  refresh_due_at timestamptz,
  lease_until timestamptz,
  lease_token uuid,
  attempts int not null default 0,
  -- disconnected: hidden, but its assignments still refer to it
  deleted_at timestamptz,
  -- whole milliseconds: list cursors carry no more
  created_at timestamptz not null default date_trunc('milliseconds', pharlo_now()),
  unique (workspace_id, id),
  constraint connections_account unique (organization_id, platform, sandbox, account_id),
  foreign key (workspace_id, organization_id) references organizations (workspace_id, id)
);
create index connections_list on connections (workspace_id, created_at desc, id desc);
create index connections_refresh_due on connections (refresh_due_at) where refresh_due_at is not null;

create table connect_tickets (
  id uuid primary key,
  workspace_id uuid not null references workspaces (id),
  organization_id uuid not null,
  key_id uuid,
  grant_id uuid,
  platform text not null,
  sandbox boolean not null,
  -- set when an existing connection is to be repaired
  connection_id uuid,
  redirect_url text,
  secret_hash bytea not null constraint connect_tickets_secret unique,
  -- of the attempt that pressed Continue last; state is the platform's, browser is the cookie's
  state_hash bytea constraint connect_tickets_state unique,
  browser_hash bytea,
  code_verifier bytea,
  status text not null default 'pending' check (status in ('pending', 'success', 'failed')),
  connection_ids uuid[] not null default '{}',
  error_code text,
  expires_at timestamptz not null,
  created_at timestamptz not null default pharlo_now(),
  foreign key (workspace_id, organization_id) references organizations (workspace_id, id)
);

-- Publishing jobs: the row is the job -----------------------------------------------------------------------------

create table assignments (
  id uuid primary key,
  workspace_id uuid not null references workspaces (id),
  organization_id uuid not null,
  connection_id uuid not null,
  key_id uuid,
  grant_id uuid,
  sandbox boolean not null,
  platform text not null,
  type text not null,
  status text not null default 'pending',
  payload jsonb not null,
  media jsonb not null default '[]',
  -- where each transition is told
  callback_url text,
  external_id text,
  idempotency_key text,
  -- SHA-256 of the parsed input, to tell a repeat from a conflict
  input_hash bytea not null,
  -- the same of the input as it came, which no change of a default or of the channel alters
  given_hash bytea not null,
  -- SHA-256 of what is posted, to warn of the same post on one channel
  content_hash bytea not null,
  warnings jsonb not null default '[]',
  scheduled_at timestamptz,
  platform_post_id text,
  platform_url text,
  errors jsonb not null default '[]',
  waiting_reason text,
  -- sealed: what the connector must know to go on (it may hold upload secrets)
  progress bytea,
  bytes_sent bigint,
  bytes_total bigint,
  -- committed before the call that makes the post; nobody looks for the post before it has passed
  intent_deadline timestamptz,
  -- came out of a backup and may have been posted since it was made: only a look that finds the post ends the doubt
  restored boolean not null default false,
  due_at timestamptz,
  lease_until timestamptz,
  lease_token uuid,
  attempts int not null default 0,
  -- claims that never came back since the last progress: three end the job
  stalls int not null default 0,
  -- healable failures in a row, for the back-off
  retries int not null default 0,
  handler_version int not null,
  -- whole milliseconds: list cursors carry no more
  created_at timestamptz not null default date_trunc('milliseconds', pharlo_now()),
  updated_at timestamptz not null default pharlo_now(),
  -- an ended row is not touched again, so its last change is its end
  ended_at timestamptz generated always as
    (case when status in ('published', 'failed', 'cancelled') then updated_at end) stored,
  unique (workspace_id, id),
  constraint assignments_idempotency unique (workspace_id, idempotency_key),
  foreign key (workspace_id, organization_id) references organizations (workspace_id, id),
  foreign key (workspace_id, connection_id) references connections (workspace_id, id)
);
create index assignments_list on assignments (workspace_id, created_at desc, id desc);
create index assignments_status on assignments (workspace_id, status, created_at desc, id desc);
create index assignments_connection on assignments (workspace_id, connection_id, created_at desc, id desc);
-- statistics read the index alone; rows enter it when they end, so that running jobs do not write to it
create index assignments_ended on assignments (workspace_id, ended_at)
  include (organization_id, connection_id, platform, status, scheduled_at, created_at) where ended_at is not null;
create index assignments_content on assignments (connection_id, content_hash, created_at);
create index assignments_due on assignments (due_at) where due_at is not null;
create index assignments_open on assignments (connection_id, due_at) where due_at is not null;
create index assignments_leased on assignments (lease_until) where lease_until is not null;

-- The timeline: one row per transition, numbered without gaps.
create table assignment_events (
  workspace_id uuid not null,
  assignment_id uuid not null,
  sequence int not null,
  status text not null,
  detail text,
  at timestamptz not null default pharlo_now(),
  primary key (assignment_id, sequence),
  foreign key (workspace_id, assignment_id) references assignments (workspace_id, id) on delete cascade
);

-- Webhooks --------------------------------------------------------------------------------------------------------

-- What a workspace signs its deliveries with, made when it is first needed; all sealed.
create table webhook_secrets (
  workspace_id uuid primary key references workspaces (id),
  secret bytea not null,
  -- signs beside the new one until then
  previous bytea,
  previous_until timestamptz
);
create index webhook_secrets_previous on webhook_secrets (previous_until) where previous is not null;

-- One row per transition and receiver, written with the transition; the row is the job and the log.
create table deliveries (
  id uuid primary key default pharlo_new_id(),
  workspace_id uuid not null references workspaces (id),
  -- null = a test by a caller who sees the whole workspace
  organization_id uuid,
  -- null = a test
  assignment_id uuid,
  url text not null,
  event text not null,
  -- of the assignment's timeline
  sequence int not null,
  -- what is sent and signed, byte for byte
  body text not null,
  status text not null default 'pending' check (status in ('pending', 'delivered', 'failed')),
  -- a newer one of the same assignment waits behind it
  overtaken boolean not null default false,
  http_status int,
  attempts int not null default 0,
  last_attempt_at timestamptz,
  last_error text,
  duration_ms int,
  due_at timestamptz,
  lease_until timestamptz,
  lease_token uuid,
  -- whole milliseconds: list cursors carry no more
  created_at timestamptz not null default date_trunc('milliseconds', pharlo_now()),
  unique (workspace_id, id),
  constraint deliveries_sequence unique (assignment_id, sequence),
  foreign key (workspace_id, organization_id) references organizations (workspace_id, id),
  foreign key (workspace_id, assignment_id) references assignments (workspace_id, id) on delete cascade
);
create index deliveries_list on deliveries (workspace_id, created_at desc, id desc);
create index deliveries_status on deliveries (workspace_id, status, created_at desc, id desc);
create index deliveries_due on deliveries (workspace_id, due_at, id) where due_at is not null;
create index deliveries_leased on deliveries (workspace_id) where lease_until is not null;
create index deliveries_ended on deliveries (created_at) where status <> 'pending';

-- Credits and audit -----------------------------------------------------------------------------------------------

create table ledger (
  id bigint generated always as identity primary key,
  workspace_id uuid not null references workspaces (id),
  key_id uuid,
  grant_id uuid,
  operation text not null,
  via text not null,
  -- negative = spent, positive = returned or bought
  amount bigint not null,
  from_allocation bigint not null,
  from_topup bigint not null,
  state text not null check (state in ('settled', 'reserved', 'refunded')),
  -- reservations nobody settles are returned after this
  expires_at timestamptz,
  assignment_id uuid,
  -- the entry this one returns
  refunds bigint constraint ledger_refunded_once unique references ledger (id),
  -- whole milliseconds: list cursors carry no more
  created_at timestamptz not null default date_trunc('milliseconds', pharlo_now()),
  foreign key (workspace_id, assignment_id) references assignments (workspace_id, id)
);
create index ledger_workspace on ledger (workspace_id, created_at desc, id desc);
create index ledger_assignment on ledger (assignment_id) where assignment_id is not null;
create index ledger_reserved on ledger (expires_at) where state = 'reserved';

create table audit (
  id bigint generated always as identity primary key,
  workspace_id uuid,
  key_id uuid,
  grant_id uuid,
  client_id text,
  action text not null,
  outcome text not null,
  target text,
  network text,
  -- whole milliseconds: list cursors carry no more
  created_at timestamptz not null default date_trunc('milliseconds', pharlo_now())
);
create index audit_workspace on audit (workspace_id, created_at desc, id desc);

-- What was done, and what was refused, before anybody proved who they are: counted per network and minute.
create table audit_strangers (
  minute timestamptz not null,
  network text not null,
  action text not null,
  outcome text not null,
  -- empty = no client that is known here
  client_id text not null,
  count int not null default 1,
  primary key (minute, network, action, outcome, client_id)
);
