import { z } from 'zod';
import { present } from '../domain/json.ts';
import { operation } from '../operation.ts';
import { type AuditRow, listAudit } from '../store/lists.ts';
import { instant, iso, outInstant, outUuid, pageFields, readHints, text, toPeriod } from './fields.ts';
import { envelope, listOf, sliceOf } from './paging.ts';

const entryShape = z.object({
  id: z.int(),
  action: z.string().meta({ description: 'Name of the operation, or oauth.…' }),
  outcome: z.string().meta({ description: 'ok, or the code of the refusal.' }),
  target: z.string().optional(),
  keyId: outUuid.optional(),
  grantId: outUuid.optional(),
  clientId: z.string().optional(),
  network: z.string().optional(),
  createdAt: outInstant,
});

export const listAuditEntries = operation({
  name: 'list_audit_entries',
  title: 'List audit entries',
  description: 'Lists what was done in this workspace and by which key, grant and client, newest first.',
  access: 'full_key',
  credits: 'FREE',
  hints: readHints,
  input: z.strictObject({
    action: text('Only this action.', 100).optional(),
    from: instant('At or after.').optional(),
    to: instant('Before.').optional(),
    ...pageFields(),
  }),
  output: listOf(entryShape),
  rest: { method: 'GET', path: '/audit', status: 200 },
  kind: 'read',
  async handle(input, { caller, on }) {
    const slice = sliceOf(input, 'number');
    const { workspaceId, organizationId } = caller;
    const filter = {
      workspaceId,
      organizationId,
      action: input.action,
      ...toPeriod(input),
    };
    return envelope(await listAudit(on, filter, slice), slice, toEntry);
  },
});

function toEntry(row: AuditRow): z.infer<typeof entryShape> {
  const { createdAt, ...rest } = row;
  return present({ ...rest, createdAt: iso(createdAt) }) as z.infer<typeof entryShape>;
}
