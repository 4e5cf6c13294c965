import type { Scope } from '../domain/access.ts';
import { named, type Queryable, type Tx } from './db.ts';
import { type GrantRow, grantColumns, liveGrant } from './oauth-grants.ts';

export type NewToken = {
  hash: Buffer;
  scopes: readonly Scope[];
  resource: string | null;
  lifetimeSeconds: number;
};

type Insert = [Buffer, string, 'access' | 'refresh', readonly Scope[], string | null, number];

const insert = named<Insert, never>(
  'oauth_tokens_insert',
  `insert into oauth_tokens (token_hash, grant_id, kind, scopes, resource, expires_at)
   values ($1, $2, $3, $4, $5, pharlo_now() + make_interval(secs => $6))`,
);

export async function insertToken(tx: Tx, grantId: string, kind: 'access' | 'refresh', token: NewToken): Promise<void> {
  await insert(tx, token.hash, grantId, kind, token.scopes, token.resource, token.lifetimeSeconds);
}

const rotate = named<[Buffer, string], GrantRow>(
  'oauth_tokens_rotate',
  `update oauth_tokens t set rotated_at = pharlo_now()
   from ${liveGrant.tables}
   where t.token_hash = $1 and t.kind = 'refresh' and t.rotated_at is null and t.expires_at > pharlo_now()
     and g.id = t.grant_id and g.client_id = $2 and ${liveGrant.condition}
   returning ${grantColumns}`,
);

/** Uses a refresh token up. Exactly one of any number of parallel callers gets the grant. */
export async function rotateRefreshToken(tx: Tx, hash: Buffer, clientId: string): Promise<GrantRow | undefined> {
  return (await rotate(tx, hash, clientId))[0];
}

const setSuccessor = named<[Buffer, Buffer], never>(
  'oauth_tokens_set_successor',
  `update oauth_tokens set successor = $2 where token_hash = $1`,
);

/** Keeps what a rotated token was exchanged for, sealed, until the sweep empties it. */
export async function keepSuccessor(tx: Tx, hash: Buffer, sealed: Buffer): Promise<void> {
  await setSuccessor(tx, hash, sealed);
}

const findSuccessor = named<[Buffer, string, number], GrantRow & { successor: Buffer }>(
  'oauth_tokens_find_successor',
  `select ${grantColumns}, t.successor
   from oauth_tokens t, ${liveGrant.tables}
   where t.token_hash = $1 and t.kind = 'refresh' and t.successor is not null
     and t.rotated_at >= pharlo_now() - make_interval(secs => $3)
     and g.id = t.grant_id and g.client_id = $2 and ${liveGrant.condition}`,
);

/** The grant and the sealed successor of a token of that client which was rotated at most `seconds` ago. */
export async function findKeptSuccessor(
  on: Queryable,
  hash: Buffer,
  clientId: string,
  seconds: number,
): Promise<(GrantRow & { successor: Buffer }) | undefined> {
  return (await findSuccessor(on, hash, clientId, seconds))[0];
}

export type UnusedPair = { scopes: Scope[]; resource: string | null; secondsLeft: number };

const findUnused = named<[Buffer, Buffer], UnusedPair>(
  'oauth_tokens_find_unused_pair',
  `select a.scopes, a.resource, ceil(extract(epoch from a.expires_at - pharlo_now()))::float8 as "secondsLeft"
   from oauth_tokens a join oauth_tokens r on r.grant_id = a.grant_id
   where a.token_hash = $1 and a.kind = 'access' and a.expires_at > pharlo_now()
     and r.token_hash = $2 and r.kind = 'refresh' and r.rotated_at is null and r.expires_at > pharlo_now()`,
);

/** The access token of a pair, if it has not ended and its refresh token was not used. */
export async function findUnusedPair(on: Queryable, access: Buffer, refresh: Buffer): Promise<UnusedPair | undefined> {
  return (await findUnused(on, access, refresh))[0];
}

export type SpentToken = {
  grantId: string;
  clientId: string;
  rotated: boolean;
  /** Rotated within the given time, for the given scopes, and its successor was not rotated since. */
  fresh: boolean;
};

const findSpent = named<[Buffer, number, readonly Scope[] | null], SpentToken>(
  'oauth_tokens_find_refresh',
  `select t.grant_id as "grantId", g.client_id as "clientId", t.rotated_at is not null as rotated,
          coalesce(t.rotated_at >= pharlo_now() - make_interval(secs => $2), false)
            and not exists (select from oauth_tokens s where s.grant_id = t.grant_id and s.rotated_at > t.rotated_at)
            and exists (
              select from oauth_tokens a
              where a.grant_id = t.grant_id and a.kind = 'access' and a.created_at >= t.rotated_at
                and a.scopes = coalesce($3, t.scopes)
            ) as fresh
   from oauth_tokens t join oauth_grants g on g.id = t.grant_id
   where t.token_hash = $1 and t.kind = 'refresh'`,
);

/** What is known of a refresh token that could not be rotated. Scopes null = all of the grant's. Undefined = never seen. */
export async function findRefreshToken(
  on: Queryable,
  hash: Buffer,
  fresh: { seconds: number; scopes: readonly Scope[] | null },
): Promise<SpentToken | undefined> {
  return (await findSpent(on, hash, fresh.seconds, fresh.scopes))[0];
}

export type AccessRow = {
  grantId: string;
  workspaceId: string;
  keyId: string;
  organizationId: string | null;
  scopes: Scope[];
  keyScopes: Scope[];
  resource: string | null;
  expiresAt: Date;
  /** The grant's last use was noted more than a minute ago. */
  stale: boolean;
  /** The public key of that id, where one was asked for and is known. */
  publicJwk: Record<string, unknown> | null;
};

const findAccess = named<[Buffer, string | null], AccessRow>(
  'oauth_tokens_find_access',
  `select g.id as "grantId", g.workspace_id as "workspaceId", k.id as "keyId", k.organization_id as "organizationId",
          t.scopes, k.scopes as "keyScopes", t.resource,
          t.expires_at as "expiresAt",
          coalesce(g.last_used_at < pharlo_now() - interval '1 minute', true) as stale,
          s.public_jwk as "publicJwk"
   from oauth_tokens t left join oauth_signing_keys s on s.kid = $2, ${liveGrant.tables}
   where t.token_hash = $1 and t.kind = 'access' and t.expires_at > pharlo_now() and g.id = t.grant_id
     and ${liveGrant.condition}`,
);

/**
 * All there is to know about an access token that is valid now: token, grant, key and workspace in one statement, and
 * the signing key that a JWT names.
 */
export async function findAccessToken(
  on: Queryable,
  hash: Buffer,
  signingKeyId: string | null,
): Promise<AccessRow | undefined> {
  return (await findAccess(on, hash, signingKeyId))[0];
}

export type OwnedToken = { kind: 'access' | 'refresh'; grantId: string; workspaceId: string; keyId: string };

const findOf = named<[Buffer, string], OwnedToken>(
  'oauth_tokens_find_of',
  `select t.kind, t.grant_id as "grantId", g.workspace_id as "workspaceId", g.key_id as "keyId"
   from oauth_tokens t join oauth_grants g on g.id = t.grant_id
   where t.token_hash = $1 and g.client_id = $2`,
);

/** A token of that client, ended or not. */
export async function findTokenOf(on: Queryable, hash: Buffer, clientId: string): Promise<OwnedToken | undefined> {
  return (await findOf(on, hash, clientId))[0];
}

const endAccess = named<[Buffer], { ended: true }>(
  'oauth_tokens_end_access',
  `update oauth_tokens set expires_at = pharlo_now()
   where token_hash = $1 and kind = 'access' and expires_at > pharlo_now()
   returning true as ended`,
);

/** Ends one access token from the next request on. False when it had ended before. */
export async function endAccessToken(on: Queryable, hash: Buffer): Promise<boolean> {
  return (await endAccess(on, hash)).length > 0;
}

export type LiveToken = {
  kind: 'access' | 'refresh';
  workspaceId: string;
  scopes: Scope[];
  keyScopes: Scope[];
  resource: string | null;
  createdAt: Date;
  expiresAt: Date;
};

const findLiveOf = named<[Buffer, string], LiveToken>(
  'oauth_tokens_find_live_of',
  `select t.kind, g.workspace_id as "workspaceId", t.scopes, k.scopes as "keyScopes", t.resource,
          t.created_at as "createdAt", t.expires_at as "expiresAt"
   from oauth_tokens t, ${liveGrant.tables}
   where t.token_hash = $1 and t.rotated_at is null and t.expires_at > pharlo_now()
     and g.id = t.grant_id and g.client_id = $2 and ${liveGrant.condition}`,
);

/** An access or refresh token of that client, if it may be used now. */
export async function findLiveTokenOf(on: Queryable, hash: Buffer, clientId: string): Promise<LiveToken | undefined> {
  return (await findLiveOf(on, hash, clientId))[0];
}
