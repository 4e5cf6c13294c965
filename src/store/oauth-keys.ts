import { named, type Queryable } from './db.ts';

/** One key signs for this long; time is cut into periods of it since 1970. */
export const keyPeriodSeconds = 90 * 24 * 3600;

export type SigningKeyRow = {
  kid: string;
  period: number;
  publicJwk: Record<string, unknown>;
  /** Sealed. */
  privateKey: Buffer;
};

type Listed = { now: number } & (SigningKeyRow | { kid: null });

const list = named<[], Listed>(
  'oauth_signing_keys_list',
  `select extract(epoch from t.now)::float8 as now, k.kid, k.period, k.public_jwk as "publicJwk",
          k.private_key as "privateKey"
   from (select pharlo_now() as now) t left join oauth_signing_keys k
     on k.period >= floor(extract(epoch from t.now) / ${keyPeriodSeconds}) - 1
   order by k.period`,
);

/** The database's time in epoch seconds, and every key from the period before the current one on. */
export async function listSigningKeys(on: Queryable): Promise<{ now: number; keys: SigningKeyRow[] }> {
  const rows = await list(on);
  return { now: rows[0]?.now ?? 0, keys: rows.filter((row) => row.kid !== null) };
}

const insert = named<[string, number, string, Buffer, string | null], never>(
  'oauth_signing_keys_insert',
  `insert into oauth_signing_keys as k (kid, period, public_jwk, private_key) values ($1, $2, $3, $4)
   on conflict (period) do update
     set kid = excluded.kid, public_jwk = excluded.public_jwk, private_key = excluded.private_key
     where k.kid = $5`,
);

/** Stores the key of a period, unless there is one already that is not the replaced one. */
export async function insertSigningKey(on: Queryable, key: SigningKeyRow, replaced: string | null): Promise<void> {
  await insert(on, key.kid, key.period, JSON.stringify(key.publicJwk), key.privateKey, replaced);
}
