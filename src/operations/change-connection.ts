import { z } from 'zod';
import type { Deps } from '../deps.ts';
import { invalid, notFound } from '../domain/errors.ts';
import { operation } from '../operation.ts';
import { appendEvent, cancelAssignment, lockCancellable } from '../store/assignments.ts';
import {
  type ConnectionRow,
  changeConnection,
  deleteConnection as deleteRow,
  findConnection,
  lockConnection,
} from '../store/connections.ts';
import { refundAssignment } from '../store/ledger.ts';
import { wakeAssignments } from '../store/publish-jobs.ts';
import { connectionInactive, revokeTokens } from '../tokens.ts';
import { connectionInput, connectionShape, describeConnection, toConnection } from './connections.ts';
import { text } from './fields.ts';

const updateInput = connectionInput.extend({
  name: text('New name, shown to people only.', 200).optional(),
  isActive: z
    .boolean('must be true or false')
    .meta({ description: 'false hides the channel and holds its posts back; true lets them go on.' })
    .optional(),
  externalId: text('Your own id for this channel; null = none.', 200).nullable().optional(),
});

export const updateConnection = operation({
  name: 'update_connection',
  title: 'Update connection',
  description:
    'Renames a connected channel, switches it off or on, or sets your own externalId. Changes nothing at the platform. Posts ' +
    'of a channel that is off wait up to a day past their time, then fail.',
  access: 'connections:write',
  credits: 'WRITE',
  hints: { readOnly: false, destructive: false, idempotent: true, openWorld: false },
  input: updateInput,
  output: connectionShape,
  rest: { method: 'PATCH', path: '/connections/{connectionId}', status: 200 },
  mcp: { text: describeConnection },
  kind: 'write',
  async handle({ connectionId, ...changes }, { deps, caller, tx, about }) {
    const { name, isActive, externalId } = changes;
    if (Object.keys(changes).length === 0) {
      throw invalid({ body: ['must name at least one of name, isActive, externalId'] });
    }
    const row = await lockConnection(tx, caller.workspaceId, connectionId, caller.organizationId);
    if (!row) throw notFound('connection');
    about(row.id);
    const changed = {
      name: name ?? row.name,
      isActive: isActive ?? row.isActive,
      externalId: externalId === undefined ? row.externalId : externalId,
    };
    await changeConnection(tx, row, changed);
    if (changed.isActive && !row.isActive) {
      await wakeAssignments(tx, row.workspaceId, row.id, connectionInactive);
      tx.afterCommit(() => deps.nudge('publish'));
    }
    return toConnection({ ...row, ...changed }, deps.now());
  },
});

export const deleteConnection = operation<z.infer<typeof connectionInput>, Record<string, never>, undefined>({
  name: 'delete_connection',
  title: 'Delete connection',
  description:
    'Disconnects a channel: its grant is revoked at the platform, its tokens are erased, its assignments that are not being ' +
    'posted yet are cancelled and their credits come back. Connecting the same channel again brings back the same id.',
  access: 'connections:write',
  credits: 'WRITE',
  hints: { readOnly: false, destructive: true, idempotent: false, openWorld: true },
  input: connectionInput,
  output: z.object({}) as z.ZodType<Record<string, never>>,
  rest: { method: 'DELETE', path: '/connections/{connectionId}', status: 204 },
  kind: 'write',
  async prepare({ connectionId }, { deps, caller, requireCredits }) {
    const row = await findConnection(deps.db, caller.workspaceId, connectionId, caller.organizationId);
    if (!row) throw notFound('connection');
    await requireCredits();
    await revoke(deps, row);
    return undefined;
  },
  async handle({ connectionId }, { deps, caller, tx, about }) {
    const row = await lockConnection(tx, caller.workspaceId, connectionId, caller.organizationId);
    if (!row) throw notFound('connection');
    about(row.id);
    await deleteRow(tx, row);
    for (const job of await lockCancellable(tx, row.workspaceId, row.id)) {
      await cancelAssignment(tx, row.workspaceId, job.id);
      await appendEvent(tx, job, 'cancelled', 'connection_deleted');
      await refundAssignment(tx, row.workspaceId, job.id);
    }
    tx.afterCommit(() => deps.nudge('deliver-webhook'));
    return {};
  },
});

/** Best effort: a platform that cannot be reached must not keep a person from disconnecting. */
async function revoke(deps: Deps, row: ConnectionRow): Promise<void> {
  try {
    await revokeTokens(deps, row);
  } catch (error) {
    deps.log.error('revoke_failed', error, { id: row.id });
  }
}
