import { parseArgs } from 'node:util';
import { expandScopes, requestableScopes, scopes } from '../domain/access.ts';
import { hashSecret, isUuid, newApiKey, newId, type Random } from '../domain/ids.ts';
import { insertKey, listKeys, revokeKey } from '../store/api-keys.ts';
import { insertAudit } from '../store/audit.ts';
import type { Db } from '../store/db.ts';
import { findOrganization } from '../store/workspaces.ts';
import { type Command, type Io, parseCredits, requireWorkspace, UsageError } from './command.ts';

export type Making = { db: Db; now: () => number; random: Random };

/** Makes a key of a workspace; the only time it is seen. */
export async function makeKey(
  { db, now, random }: Making,
  key: {
    workspaceId: string;
    name: string;
    organizationId?: string;
    scopes?: readonly string[];
    /** Hundredths of a credit in one cycle. */
    spendingLimit?: number;
  },
): Promise<{ id: string; key: string }> {
  const secret = newApiKey(random);
  const id = newId(now(), random);
  await insertKey(db, {
    id,
    workspaceId: key.workspaceId,
    name: key.name,
    hint: secret.slice(-4),
    keyHash: hashSecret(secret),
    scopes: key.scopes ? expandScopes(key.scopes) : scopes,
    ...(key.organizationId && { organizationId: key.organizationId }),
    ...(key.spendingLimit !== undefined && { spendingLimit: key.spendingLimit }),
  });
  return { id, key: secret };
}

/** `pharlo keys create|list|revoke`: works on the store itself, with or without a running server. */
export const keysCommand: Command = {
  name: 'keys',
  usage: [
    'keys create [--workspace <slug>] [--name <text>] [--organization <id>] [--scopes <a,b>] [--spending-limit <credits>] [--json]',
    'keys list [--workspace <slug>] [--json]',
    'keys revoke <id> [--workspace <slug>] [--json]',
  ],
  async run(args, io, config) {
    const { values, positionals } = parseArgs({
      args,
      allowPositionals: true,
      options: {
        workspace: { type: 'string', default: 'default' },
        name: { type: 'string', default: 'Command line' },
        organization: { type: 'string' },
        scopes: { type: 'string' },
        'spending-limit': { type: 'string' },
        json: { type: 'boolean', default: false },
      },
    });
    const [action, id] = positionals;
    if (!['create', 'list', 'revoke'].includes(action ?? '')) throw new UsageError();
    await using opened = await io.openStore(config);
    const { db } = opened.store;
    const workspace = await requireWorkspace(db, values.workspace);
    // Awaited here: the store must not close before they are done.
    if (action === 'list') await list(io, db, workspace.id, values.json);
    else if (action === 'revoke') await revoke(io, db, workspace.id, id, values.json);
    else await create(io, { ...opened, db }, workspace.id, values);
  },
};

type Values = {
  name: string;
  organization?: string | undefined;
  scopes?: string | undefined;
  'spending-limit'?: string | undefined;
  json: boolean;
};

async function create(io: Io, making: Making, workspaceId: string, values: Values): Promise<void> {
  const asked = values.scopes?.split(',').map((name) => name.trim());
  const unknown = asked?.filter((name) => !requestableScopes.includes(name)) ?? [];
  if (unknown.length > 0) throw new UsageError(`--scopes knows ${requestableScopes.join(', ')}.`);
  const { organization } = values;
  const known =
    organization === undefined ||
    (isUuid(organization) && (await findOrganization(making.db, workspaceId, organization)));
  if (!known) throw new UsageError('--organization must be the id of an organization of that workspace.');
  const most = values['spending-limit'];
  const made = await makeKey(making, {
    workspaceId,
    name: values.name,
    ...(organization && { organizationId: organization }),
    ...(asked && { scopes: asked }),
    ...(most !== undefined && { spendingLimit: parseCredits(most, '--spending-limit') }),
  });
  await insertAudit(making.db, { workspaceId, action: 'operator.create_key', outcome: 'ok', target: made.id });
  io.out(values.json ? JSON.stringify({ key: made.key, id: made.id }) : made.key);
}

async function list(io: Io, db: Db, workspaceId: string, json: boolean): Promise<void> {
  const keys = await listKeys(db, workspaceId);
  const state = (revokedAt: Date | null) => (revokedAt ? 'revoked' : 'live');
  if (json) {
    const items = keys.map(({ id, name, hint, scopes, revokedAt, createdAt }) => ({
      id,
      name,
      hint,
      scopes,
      state: state(revokedAt),
      createdAt: createdAt.toISOString(),
    }));
    return io.out(JSON.stringify({ items }));
  }
  for (const key of keys) io.out(`${key.id}  …${key.hint}  ${state(key.revokedAt)}  ${key.name}`);
}

async function revoke(io: Io, db: Db, workspaceId: string, id: string | undefined, json: boolean): Promise<void> {
  const done = id !== undefined && isUuid(id) && (await revokeKey(db, workspaceId, id));
  if (done) await insertAudit(db, { workspaceId, action: 'operator.revoke_key', outcome: 'ok', target: id });
  if (!done) throw new UsageError('There is no live key of that id.');
  io.out(json ? JSON.stringify({ id, state: 'revoked' }) : `Revoked ${id}.`);
}
