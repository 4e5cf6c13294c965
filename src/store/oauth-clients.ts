import { named, type Queryable } from './db.ts';

export type ClientRow = {
  id: string;
  name: string;
  redirectUris: string[];
  grantTypes: string[];
  authMethod: string;
  /** Null = a public client. */
  secretHash: Buffer | null;
  scope: string | null;
  mcpProfile: boolean;
  /** Of a client whose id is the URL of its metadata document: when that was read. */
  documentFetchedAt: Date | null;
  createdAt: Date;
};

/** `fingerprint` null = never taken for another registration. */
export type NewClient = Omit<ClientRow, 'mcpProfile' | 'documentFetchedAt' | 'createdAt'> & {
  fingerprint: Buffer | null;
};

const columns = `id, name, redirect_uris as "redirectUris", grant_types as "grantTypes", auth_method as "authMethod",
  secret_hash as "secretHash", scope, mcp_profile as "mcpProfile",
  document_fetched_at as "documentFetchedAt", created_at as "createdAt"`;

const find = named<[string], ClientRow>('oauth_clients_find', `select ${columns} from oauth_clients where id = $1`);

export async function findClient(on: Queryable, id: string): Promise<ClientRow | undefined> {
  return (await find(on, id))[0];
}

const findByFingerprint = named<[Buffer], ClientRow>(
  'oauth_clients_find_by_fingerprint',
  `select ${columns} from oauth_clients where fingerprint = $1`,
);

export async function findClientByFingerprint(on: Queryable, fingerprint: Buffer): Promise<ClientRow | undefined> {
  return (await findByFingerprint(on, fingerprint))[0];
}

type Insert = [string, string, string[], string[], string, Buffer | null, string | null, Buffer | null];

const insert = named<Insert, ClientRow>(
  'oauth_clients_insert',
  `insert into oauth_clients (id, name, redirect_uris, grant_types, auth_method, secret_hash, scope, fingerprint)
   values ($1, $2, $3, $4, $5, $6, $7, $8)
   on conflict on constraint oauth_clients_fingerprint do update set fingerprint = excluded.fingerprint
   returning ${columns}`,
);

/** Stores a client, or answers the one an identical registration made before. */
export async function insertClient(on: Queryable, client: NewClient): Promise<ClientRow> {
  const { id, name, redirectUris, grantTypes, authMethod, secretHash, scope, fingerprint } = client;
  const [row] = await insert(on, id, name, redirectUris, grantTypes, authMethod, secretHash, scope, fingerprint);
  if (!row) throw new Error('The client was not stored.');
  return row;
}

type SaveDocument = [string, string, string[], string[], string | null, Date | null];

const saveDocument = named<SaveDocument, never>(
  'oauth_clients_save_document',
  `insert into oauth_clients as c (id, name, redirect_uris, grant_types, auth_method, scope, mcp_profile, document_fetched_at)
   values ($1, $2, $3, $4, 'none', $5, true, $6)
   on conflict (id) do update
     set name = excluded.name, redirect_uris = excluded.redirect_uris, grant_types = excluded.grant_types,
         scope = excluded.scope, document_fetched_at = excluded.document_fetched_at
     where c.document_fetched_at < excluded.document_fetched_at`,
);

/** Stores what a metadata document says, unless a newer copy is there. */
export async function saveDocumentClient(on: Queryable, client: ClientRow): Promise<void> {
  const { id, name, redirectUris, grantTypes, scope, documentFetchedAt } = client;
  await saveDocument(on, id, name, redirectUris, grantTypes, scope, documentFetchedAt);
}

const noteCode = named<[string, boolean], never>(
  'oauth_clients_note_code',
  `update oauth_clients set last_code_at = pharlo_now(), mcp_profile = mcp_profile or $2 where id = $1`,
);

/** Remembers that the client received a code, and whether it named a resource for it. */
export async function noteCodeGiven(on: Queryable, id: string, namedResource: boolean): Promise<void> {
  await noteCode(on, id, namedResource);
}

const setMcpProfile = named<[string], never>(
  'oauth_clients_set_mcp_profile',
  `update oauth_clients set mcp_profile = true where id = $1 and not mcp_profile`,
);

export async function markMcpProfile(on: Queryable, id: string): Promise<void> {
  await setMcpProfile(on, id);
}
