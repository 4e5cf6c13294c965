import { createHash } from 'node:crypto';
import { z } from 'zod';
import type { Deps } from '../deps.ts';
import { handlerVersion, type Media } from '../domain/assignment.ts';
import { price, toCredits } from '../domain/credits.ts';
import { DomainError, notFound } from '../domain/errors.ts';
import { newId } from '../domain/ids.ts';
import { canonicalJson, present } from '../domain/json.ts';
import { type Context, operation, type PrepareContext } from '../operation.ts';
import {
  type AssignmentRow,
  findByIdempotencyKey,
  insertAssignment,
  type NewAssignment,
} from '../store/assignments.ts';
import { type ConnectionRow, findConnection } from '../store/connections.ts';
import type { Queryable } from '../store/db.ts';
import { assignmentShape, describeAssignment, readAssignment, warningShape } from './assignment-shape.ts';
import {
  assertCallback,
  assertUsable,
  contentFields,
  contentSpec,
  duplicateWarnings,
  hashContent,
  parsePayload,
  parseSchedule,
  readMedia,
  type Warning,
} from './content.ts';
import { iso, outInstant, outUuid, text, toDate, uuid } from './fields.ts';

const createInput = z.strictObject({
  connectionId: uuid('Channel to publish on, from list_connections.'),
  type: contentFields.type,
  payload: contentFields.payload,
  mediaUrl: contentFields.mediaUrl
    .meta({
      description:
        'Public http(s) URL of the file; required for types with media. It is fetched when the post is published.',
    })
    .optional(),
  mediaContentType: text('Media type of the file, e.g. video/mp4.', 100).optional(),
  mediaSizeBytes: z
    .int('must be a whole number')
    .min(1, 'must be 1 or more')
    .meta({ description: 'Size of the file.' })
    .optional(),
  scheduledAt: contentFields.scheduledAt
    .meta({ description: 'With offset, within a year, e.g. 2027-12-24T18:00:00+01:00. Left out: now.' })
    .optional(),
  callbackUrl: contentFields.callbackUrl.optional(),
  idempotencyKey: text('Your unique key for this post; a repeat answers the same assignment, free.', 200).optional(),
  externalId: text('Your own id for this post.', 200).optional(),
  dryRun: z
    .boolean('must be true or false')
    .meta({ description: 'Only check everything and tell the price; free, stores nothing.' })
    .optional(),
});

type CreateInput = z.infer<typeof createInput>;

const dryRunShape = z.object({
  dryRun: z.literal(true),
  connectionId: outUuid,
  platform: z.string(),
  type: contentFields.type,
  payload: z.record(z.string(), z.unknown()),
  scheduledAt: outInstant.optional(),
  credits: z.number().meta({ description: 'What the call would cost.' }),
  /** The idempotency key is taken by this assignment, which the call would answer again. */
  assignmentId: outUuid.optional(),
  warnings: z.array(warningShape).optional(),
});

const createOutput = z.union([assignmentShape, dryRunShape]).meta({ type: 'object' });

type CreateOutput = z.infer<typeof createOutput>;

type New = {
  connection: ConnectionRow;
  payload: Record<string, unknown>;
  media: Media[];
  contentHash: Buffer;
  warnings: Warning[];
};

type Prepared = { repeat: AssignmentRow } | ({ repeat?: undefined } & New);

export const createAssignment = operation<CreateInput, CreateOutput, Prepared>({
  name: 'create_assignment',
  title: 'Create assignment',
  description:
    'Publishes a post now, or at scheduledAt. Answers at once with status pending; follow it with get_assignment until ' +
    'published or failed. First read get_platform_capabilities for the payload and confirm channel, content and time ' +
    'with the user. YouTube videos are private unless payload.privacy says otherwise. Pass an idempotencyKey so that a ' +
    'repeated call cannot post twice; dryRun checks everything first.',
  access: 'assignments:write',
  credits: 'PLATFORM',
  hints: { readOnly: false, destructive: true, idempotent: false, openWorld: true },
  input: createInput,
  output: createOutput,
  rest: { method: 'POST', path: '/assignments', status: 201, statusOf: (output) => ('dryRun' in output ? 200 : 201) },
  mcp: { text: (output) => ('dryRun' in output ? describeDryRun(output) : describeAssignment(output)) },
  kind: 'write',
  async prepare(input, context) {
    const { deps, caller } = context;
    const connection = await findConnection(deps.db, caller.workspaceId, input.connectionId, caller.organizationId);
    const repeat = await repeated(context, deps.db, input);
    return repeat ? { repeat } : await prepareNew(input, context, connection);
  },
  async handle(input, context, prepared) {
    const { deps, caller, tx } = context;
    if (input.dryRun) {
      context.nothingDone();
      return prepared.repeat ? repeatedDryRun(prepared.repeat) : dryRun(input, context, prepared);
    }
    const created = prepared.repeat ?? (await insertAssignment(tx, newRow(input, context, prepared)));
    const row = created ?? (await repeated(context, tx, input));
    if (!row) throw new Error('An assignment was neither stored nor found.');
    if (prepared.repeat || !created) {
      context.nothingDone();
      context.replayed();
    } else {
      context.chargeTo(row.id);
      tx.afterCommit(() => deps.nudge('publish'));
    }
    return readAssignment(tx, caller.workspaceId, row.id);
  },
});

/** What the same input always gives, whatever door it came through and whether defaults were written out. */
function hashInput(input: CreateInput, payload: unknown): Buffer {
  const { idempotencyKey: _, dryRun: __, scheduledAt, ...rest } = input;
  const meant = { ...rest, payload, ...(scheduledAt && { scheduledAt: iso(toDate(scheduledAt)) }) };
  return createHash('sha256').update(canonicalJson(meant)).digest();
}

/** The payload as it would be stored; as it came where it cannot be parsed. */
function parsedPayload(deps: Deps, input: CreateInput, platform: string): unknown {
  const parsed = deps.platforms.find(platform)?.content[input.type]?.payload.safeParse(input.payload);
  return parsed?.success ? parsed.data : input.payload;
}

/** The assignment that holds the key, whatever became of its channel. Throws `idempotency_conflict` for other input. */
async function repeated(
  { deps, caller }: Context,
  on: Queryable,
  input: CreateInput,
): Promise<AssignmentRow | undefined> {
  if (input.idempotencyKey === undefined) return undefined;
  const row = await findByIdempotencyKey(on, caller.workspaceId, input.idempotencyKey);
  if (!row) return undefined;
  const visible = caller.organizationId === undefined || row.organizationId === caller.organizationId;
  const same =
    row.givenHash.equals(hashInput(input, input.payload)) ||
    row.inputHash.equals(hashInput(input, parsedPayload(deps, input, row.platform)));
  if (visible && same) return row;
  throw new DomainError('idempotency_conflict', 'This idempotency key belongs to another assignment with other input.');
}

async function prepareNew(
  input: CreateInput,
  context: PrepareContext,
  connection: ConnectionRow | undefined,
): Promise<New> {
  const { deps, signal } = context;
  if (!connection) throw notFound('connection');
  assertUsable(connection);
  const spec = contentSpec(deps, connection.platform, input.type);
  const payload = parsePayload(spec, input.payload);
  if (input.scheduledAt) parseSchedule(deps, input.scheduledAt);
  assertCallback(deps, input.callbackUrl);
  await context.requireCredits();
  await context.progress({ done: 0, total: 2, message: 'Checking the post and its file.' });
  const media = await readMedia(deps, input, { spec, type: input.type, sandbox: connection.sandbox, signal });
  await context.progress({ done: 1, total: 2, message: 'Checked.' });
  const contentHash = hashContent({ type: input.type, payload, media });
  const place = { workspaceId: connection.workspaceId, connectionId: connection.id };
  return { connection, payload, media, contentHash, warnings: await duplicateWarnings(deps.db, place, contentHash) };
}

function newRow(input: CreateInput, { deps, caller }: Context, prepared: New): NewAssignment {
  const { connection, payload, media, contentHash, warnings } = prepared;
  return {
    id: newId(deps.now(), deps.random),
    workspaceId: caller.workspaceId,
    organizationId: connection.organizationId,
    connectionId: connection.id,
    sandbox: connection.sandbox,
    platform: connection.platform,
    type: input.type,
    payload,
    media,
    contentHash,
    warnings,
    callbackUrl: input.callbackUrl ?? null,
    externalId: input.externalId ?? null,
    idempotencyKey: input.idempotencyKey ?? null,
    inputHash: hashInput(input, payload),
    givenHash: hashInput(input, input.payload),
    scheduledAt: input.scheduledAt ? toDate(input.scheduledAt) : null,
    keyId: caller.keyId,
    grantId: caller.grantId ?? null,
    handlerVersion,
  };
}

function dryRun(input: CreateInput, { caller }: Context, { connection, payload, warnings }: New): CreateOutput {
  return present({
    dryRun: true as const,
    connectionId: connection.id,
    platform: connection.platform,
    type: input.type,
    payload,
    scheduledAt: input.scheduledAt && iso(toDate(input.scheduledAt)),
    credits: toCredits(price('PLATFORM', caller.via)),
    warnings: warnings.length > 0 ? warnings : undefined,
  }) as CreateOutput;
}

function repeatedDryRun(row: AssignmentRow): CreateOutput {
  return present({
    dryRun: true as const,
    connectionId: row.connectionId,
    platform: row.platform,
    type: row.type,
    payload: row.payload,
    scheduledAt: row.scheduledAt && iso(row.scheduledAt),
    credits: 0,
    assignmentId: row.id,
  }) as CreateOutput;
}

function describeDryRun(one: z.infer<typeof dryRunShape>): string {
  const what = one.assignmentId ? `It would answer assignment ${one.assignmentId} again.` : 'Everything is in order.';
  const warnings = (one.warnings ?? []).map(({ message }) => message);
  return [`Dry run: nothing was stored. ${what} Price: ${one.credits} credits.`, ...warnings].join(' ');
}
