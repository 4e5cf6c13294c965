import { named, type Queryable, type Tx } from './db.ts';
import { type GrantRow, grantColumns, liveGrant } from './oauth-grants.ts';

export type NewCode = {
  codeHash: Buffer;
  grantId: string;
  clientId: string;
  redirectUri: string;
  codeChallenge: string;
  lifetimeSeconds: number;
};

const insert = named<[Buffer, string, string, string, string, number], never>(
  'oauth_codes_insert',
  `insert into oauth_codes (code_hash, grant_id, client_id, redirect_uri, code_challenge, expires_at)
   values ($1, $2, $3, $4, $5, pharlo_now() + make_interval(secs => $6))`,
);

export async function insertCode(tx: Tx, code: NewCode): Promise<void> {
  const { codeHash, grantId, clientId, redirectUri, codeChallenge, lifetimeSeconds } = code;
  await insert(tx, codeHash, grantId, clientId, redirectUri, codeChallenge, lifetimeSeconds);
}

export type CodeUse = { codeHash: Buffer; clientId: string; redirectUri: string; codeChallenge: string };

/** Everything a code is bound to stands in the condition, so whoever holds only the code can neither use nor burn it. */
const take = named<[Buffer, string, string, string], GrantRow>(
  'oauth_codes_take',
  `update oauth_codes c set used_at = pharlo_now()
   from ${liveGrant.tables}
   where c.code_hash = $1 and c.client_id = $2 and c.redirect_uri = $3 and c.code_challenge = $4
     and c.used_at is null and c.expires_at > pharlo_now() and g.id = c.grant_id and ${liveGrant.condition}
   returning ${grantColumns}`,
);

/** Uses a code up. Exactly one of any number of parallel callers gets the grant. */
export async function takeCode(tx: Tx, use: CodeUse): Promise<GrantRow | undefined> {
  return (await take(tx, use.codeHash, use.clientId, use.redirectUri, use.codeChallenge))[0];
}

const findUsed = named<[Buffer], { grantId: string }>(
  'oauth_codes_find_used',
  `select grant_id as "grantId" from oauth_codes where code_hash = $1 and used_at is not null`,
);

/** The grant a code was used for already. */
export async function findGrantOfUsedCode(on: Queryable, codeHash: Buffer): Promise<string | undefined> {
  return (await findUsed(on, codeHash))[0]?.grantId;
}
