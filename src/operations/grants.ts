import { z } from 'zod';
import { scopes } from '../domain/access.ts';
import { notFound } from '../domain/errors.ts';
import { present } from '../domain/json.ts';
import { operation } from '../operation.ts';
import { type GrantListRow, listGrants as selectGrants } from '../store/lists.ts';
import { endGrant } from '../store/oauth-grants.ts';
import { iso, isoOrAbsent, outInstant, outUuid, pageFields, readHints, uuid } from './fields.ts';
import { envelope, listOf, sliceOf } from './paging.ts';

const grantShape = z.object({
  id: outUuid,
  clientId: z.string(),
  clientName: z.string().meta({ description: 'As the client calls itself; nobody has checked it.' }),
  redirectHost: z.string(),
  scopes: z.array(z.enum(scopes)),
  keyId: outUuid,
  isActive: z.boolean(),
  createdAt: outInstant,
  lastUsedAt: outInstant.optional(),
  revokedAt: outInstant.optional(),
});

export const listGrants = operation({
  name: 'list_grants',
  title: 'List connected apps',
  description: 'Lists the consents that were given to MCP clients, newest first, ended ones too.',
  access: 'full_key',
  credits: 'FREE',
  hints: readHints,
  input: z.strictObject(pageFields()),
  output: listOf(grantShape),
  rest: { method: 'GET', path: '/grants', status: 200 },
  kind: 'read',
  async handle(input, { caller, on }) {
    const slice = sliceOf(input);
    return envelope(await selectGrants(on, caller, slice), slice, toGrant);
  },
});

function toGrant(row: GrantListRow): z.infer<typeof grantShape> {
  return present({
    id: row.id,
    clientId: row.clientId,
    clientName: row.clientName,
    redirectHost: row.redirectHost,
    scopes: row.scopes,
    keyId: row.keyId,
    isActive: row.isActive,
    createdAt: iso(row.createdAt),
    lastUsedAt: isoOrAbsent(row.lastUsedAt),
    revokedAt: isoOrAbsent(row.revokedAt),
  }) as z.infer<typeof grantShape>;
}

export const revokeGrant = operation({
  name: 'revoke_grant',
  title: 'Disconnect app',
  description: 'Ends a consent: every token of it stops working with the next request.',
  access: 'full_key',
  credits: 'FREE',
  hints: { readOnly: false, destructive: true, idempotent: false, openWorld: false },
  input: z.strictObject({ grantId: uuid('Id of the grant.') }),
  output: z.object({ id: outUuid }),
  rest: { method: 'DELETE', path: '/grants/{grantId}', status: 204 },
  kind: 'write',
  async handle({ grantId }, { caller, tx, about }) {
    if (!(await endGrant(tx, caller, grantId, 'disconnected'))) throw notFound('grant');
    about(grantId);
    return { id: grantId };
  },
});
