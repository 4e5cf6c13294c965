import type { z } from 'zod';
import type { Deps } from './deps.ts';
import { scopes as allScopes, isScope } from './domain/access.ts';
import { type Access, type Caller, isAllowed } from './domain/caller.ts';
import type { Ask, Content } from './domain/conversation.ts';
import { type Hundredths, price, type Tier, toCredits } from './domain/credits.ts';
import { DomainError, type FieldMessages, invalid, notFound } from './domain/errors.ts';
import { insertAudit } from './store/audit.ts';
import type { Queryable, Tx } from './store/db.ts';
import { debit, readCreditsLeft, readKeyBudget, refundReservation, settle } from './store/ledger.ts';
import { findOrganization } from './store/workspaces.ts';

/** What a client may assume about a call; all four are told to MCP clients. */
export type Hints = { readOnly: boolean; destructive: boolean; idempotent: boolean; openWorld: boolean };

/** Where a capability stands in the REST API. Path parameters are named as the input's members, e.g. `{assignmentId}`. */
export type RestFace<O, I = unknown> = {
  method: 'GET' | 'POST' | 'PATCH' | 'DELETE';
  path: string;
  status: SuccessStatus;
  /** Where one output differs from the others, e.g. a dry run that created nothing. */
  statusOf?: (output: O) => SuccessStatus;
  /** How REST takes the input, where its path names things otherwise. */
  input?: z.ZodType<I>;
};

type SuccessStatus = 200 | 201 | 202 | 204;

/** How a capability looks in a conversation. */
export type McpFace<O> = {
  /** The result in one or two short sentences, not the JSON again. */
  text: (output: O) => string;
  /** What is shown beside the text, e.g. a picture. */
  content?: (output: O) => readonly Content[];
  /** What the client is asked before the call runs; without it, calls that cannot be undone ask for a confirmation. */
  ask?: Ask;
};

export type Context = {
  deps: Deps;
  caller: Caller;
  /** Aborted when whoever asked went away; for calls that may be given up half-way. */
  signal: AbortSignal;
  /** Tells whoever waits how far the call is; most doors have nobody who listens. */
  progress: Progress;
};

/** `done` of `total` steps; never less than the time before. */
export type Progress = (step: { done: number; total: number; message: string }) => Promise<void>;

export type PrepareContext = Context & {
  /** Throws `insufficient_credits`; to be asked before anything is fetched for the caller. */
  requireCredits(): Promise<void>;
};

/** Lets a handler of a writing operation say what its charge belongs to. */
export type WriteContext = Context & {
  tx: Tx;
  /** A dry run, or a repeat of an earlier call: free, and no line in the audit trail. */
  nothingDone(): void;
  /** Told to the client beside the result: an earlier answer was given again. */
  replayed(): void;
  /** The assignment whose end decides over this charge. */
  chargeTo(assignmentId: string): void;
  /** What was changed, for the audit trail. */
  about(id: string): void;
};

type Body<I, O, P> =
  /** Reads the store; charged after the read succeeded. */
  | { kind: 'read'; handle(input: I, context: Context & { on: Queryable }): Promise<O> }
  /** Looks outside first if need be (`prepare`), then writes rows, ledger and audit in one transaction. */
  | {
      kind: 'write';
      prepare?(input: I, context: PrepareContext): Promise<P>;
      handle(input: I, context: WriteContext, prepared: P): Promise<O>;
    }
  /** Calls a platform at once, outside any transaction: credits are reserved before, settled or returned after. */
  | { kind: 'outside'; handle(input: I, context: Context): Promise<O> };

export type OperationSpec<I, O, P> = {
  /** verb_noun: at once tool name, OpenAPI operationId, ledger, audit and metric label. */
  name: string;
  title: string;
  description: string;
  access: Access;
  credits: Tier;
  hints: Hints;
  input: z.ZodType<I>;
  output: z.ZodType<O>;
  rest?: RestFace<O, I>;
  mcp?: McpFace<O>;
} & Body<I, O, P>;

// biome-ignore lint/suspicious/noExplicitAny: the one erased type; operation() has checked the members against each other.
export type Operation = OperationSpec<any, any, any>;

/** Fixes the types of one capability; the value is all there is to tell about it. */
export function operation<I, O, P = undefined>(spec: OperationSpec<I, O, P>): OperationSpec<I, O, P> {
  return spec;
}

/** A capability with its input as REST takes it. */
export function atRest(op: Operation): Operation {
  return op.rest?.input ? { ...op, input: op.rest.input } : op;
}

/** `balance` is absent on an unlimited plan. */
export type Outcome = { output: unknown; used: Hundredths; balance?: Hundredths; replayed: boolean };

/** Something asked for by the edge beside the input. */
export type Asked = {
  /** Narrows a workspace-wide caller to one organization. */
  organizationId?: string | undefined;
  /** Aborted when the caller went away: what is not committed by then never is, and costs nothing. */
  signal?: AbortSignal | undefined;
  /** Looks at the output before anything is charged; what it throws ends the call, and the call is free. */
  accept?: ((output: unknown) => void) | undefined;
  progress?: Progress | undefined;
};

/**
 * The one road from every surface to every handler: access, parsing, credits, handler, output check, audit.
 * Throws `call_cancelled` when the caller went away first.
 */
export async function execute(
  deps: Deps,
  op: Operation,
  rawInput: unknown,
  caller: Caller,
  asked: Asked = {},
): Promise<Outcome> {
  assertAccess(op.access, caller);
  const input = parseInput(op.input, rawInput);
  const signal = asked.signal ?? new AbortController().signal;
  const { progress = async () => {} } = asked;
  const context: Context = { deps, caller: await narrow(deps, caller, asked.organizationId), signal, progress };
  return run(op, input, context, asked);
}

function assertAccess(access: Access, caller: Caller): void {
  if (isAllowed(caller, access)) return;
  if (access === 'session') throw new DomainError('session_required', 'This takes a person who is logged in, no key.');
  if (!isScope(access) && caller.grantId !== undefined) {
    throw new DomainError('key_required', 'This takes a ds_live_ key, no access token.');
  }
  if (!isScope(access)) {
    throw new DomainError('insufficient_scope', 'This takes a key with every scope.', { scopes: allScopes });
  }
  const scopes = [...caller.scopes, access];
  throw new DomainError('insufficient_scope', `This call needs the scope ${access}.`, { scopes });
}

/** Asked before anything is started outside, charged or committed; what is done is never undone. */
function stopIfGone(signal: AbortSignal): void {
  if (signal.aborted) throw new DomainError('call_cancelled', 'The call was cancelled; nothing was done.');
}

/** Checked before anything is charged or committed. */
function checked(op: Operation, output: unknown): unknown {
  const parsed = op.output.safeParse(output);
  if (!parsed.success) throw new Error(`${op.name} answered something its output schema does not know.`);
  return parsed.data;
}

async function run(op: Operation, input: unknown, context: Context, { accept }: Asked): Promise<Outcome> {
  const { deps, caller, signal } = context;
  const amount = price(op.credits, caller.via);
  if (op.kind === 'read') {
    const output = checked(op, await op.handle(input, { ...context, on: deps.db }));
    accept?.(output);
    stopIfGone(signal);
    return { output, replayed: false, ...(await charge(deps, op, caller, amount)) };
  }
  if (op.kind === 'outside') return runOutside(op, input, context, amount, accept);
  const requireCredits = () => assertAffordable(deps.db, caller, amount);
  const prepared = await op.prepare?.(input, { ...context, requireCredits });
  stopIfGone(signal);
  return deps.db.transaction(async (tx) => {
    const told = {
      amount,
      done: true,
      replayed: false,
      assignmentId: undefined as string | undefined,
      target: undefined as string | undefined,
    };
    const output = await op.handle(
      input,
      {
        ...context,
        tx,
        nothingDone: () => {
          told.amount = 0;
          told.done = false;
        },
        replayed: () => {
          told.replayed = true;
        },
        chargeTo: (id) => {
          told.assignmentId = id;
          told.target = id;
        },
        about: (id) => {
          told.target = id;
        },
      },
      prepared,
    );
    const cost = await charge({ db: tx }, op, caller, told.amount, told.assignmentId);
    if (told.done) await insertAudit(tx, auditOf(op, caller, told.target));
    const answer = checked(op, output);
    accept?.(answer);
    stopIfGone(signal);
    return { output: answer, replayed: told.replayed, ...cost };
  });
}

async function runOutside(
  op: Extract<Operation, { kind: 'outside' }>,
  input: unknown,
  context: Context,
  amount: Hundredths,
  accept: Asked['accept'],
): Promise<Outcome> {
  const { deps, caller, signal } = context;
  stopIfGone(signal);
  const entry = amount > 0 ? await debit(deps.db, { caller, operation: op.name, amount, reserve: true }) : undefined;
  if (amount > 0 && !entry) throw await insufficient(deps.db, caller, amount);
  try {
    const output = checked(op, await op.handle(input, context));
    if (op.hints.readOnly) {
      accept?.(output);
      stopIfGone(signal);
    }
    await deps.db.transaction(async (tx) => {
      if (entry) await settle(tx, entry.id);
      if (!op.hints.readOnly) await insertAudit(tx, auditOf(op, caller));
    });
    const balance = entry ? entry.balance : await readCreditsLeft(deps.db, caller.workspaceId);
    return { output, used: amount, replayed: false, ...(balance !== undefined && { balance }) };
  } catch (error) {
    if (entry) await refundReservation(deps.db, entry.id);
    if (op.hints.readOnly) stopIfGone(signal);
    throw error;
  }
}

async function charge(
  deps: { db: Queryable },
  op: Operation,
  caller: Caller,
  amount: Hundredths,
  assignmentId?: string,
): Promise<{ used: Hundredths; balance?: Hundredths }> {
  const charged = { caller, operation: op.name, amount, ...(assignmentId && { assignmentId }) };
  const entry = amount > 0 ? await debit(deps.db, charged) : undefined;
  if (amount > 0 && !entry) throw await insufficient(deps.db, caller, amount);
  const balance = entry ? entry.balance : await readCreditsLeft(deps.db, caller.workspaceId);
  return { used: amount, ...(balance !== undefined && { balance }) };
}

/** Throws `insufficient_credits` before a call does anything costly that a later debit would refuse. */
async function assertAffordable(on: Queryable, caller: Caller, amount: Hundredths): Promise<void> {
  if (amount === 0) return;
  const left = await readCreditsLeft(on, caller.workspaceId);
  const budget = await readKeyBudget(on, caller.workspaceId, caller.keyId);
  if ((left ?? amount) < amount || (budget?.left ?? amount) < amount) throw await insufficient(on, caller, amount);
}

/** Why a debit was refused: the workspace has too little, or the key has reached its own limit. */
async function insufficient(on: Queryable, caller: Caller, amount: Hundredths): Promise<DomainError> {
  const left = await readCreditsLeft(on, caller.workspaceId);
  const budget = await readKeyBudget(on, caller.workspaceId, caller.keyId);
  const required = toCredits(amount);
  const balance = left === undefined ? {} : { balance: toCredits(left) };
  if (budget && budget.left < amount && (left ?? amount) >= amount) {
    const most = toCredits(budget.most);
    const text = `This call costs ${required} credits; of the ${most} its key may spend in a cycle ${toCredits(budget.left)} are left.`;
    return new DomainError('user_spending_limit_exceeded', text, { required, ...balance });
  }
  const text = `This call costs ${required} credits and ${balance.balance ?? 0} are left.`;
  return new DomainError('insufficient_credits', text, { required, balance: balance.balance ?? 0 });
}

async function narrow(deps: Deps, caller: Caller, organizationId: string | undefined): Promise<Caller> {
  if (organizationId === undefined || organizationId === caller.organizationId) return caller;
  const visible = caller.organizationId === undefined;
  const found = visible && (await findOrganization(deps.db, caller.workspaceId, organizationId));
  if (!found) throw notFound('organization');
  return { ...caller, organizationId };
}

function auditOf(op: Operation, caller: Caller, target?: string) {
  return {
    workspaceId: caller.workspaceId,
    keyId: caller.keyId,
    action: op.name,
    outcome: 'ok',
    ...(caller.grantId && { grantId: caller.grantId }),
    ...(target && { target }),
  };
}

/** Parses once, at the edge. Throws `validation_failed` with messages by field. */
export function parseInput<I>(schema: z.ZodType<I>, raw: unknown): I {
  const parsed = schema.safeParse(raw);
  if (parsed.success) return parsed.data;
  throw invalid(fieldMessages(parsed.error, raw));
}

function fieldMessages(error: z.ZodError, raw: unknown): FieldMessages {
  // A map, since a caller may name a field `constructor` or `__proto__`.
  const details = new Map<string, string[]>();
  const add = (field: string, message: string) => {
    details.set(field, [...(details.get(field) ?? []), message]);
  };
  for (const issue of error.issues) {
    const path = issue.path.map(String);
    if (issue.code === 'unrecognized_keys') {
      for (const key of issue.keys) add([...path, key].join('.'), 'is not a known field');
    } else {
      const missing = path.length > 0 && valueAt(raw, path) === undefined;
      add(path.join('.') || 'body', missing ? 'is required' : lowerFirst(issue.message));
    }
  }
  return Object.fromEntries(details);
}

function valueAt(raw: unknown, path: readonly string[]): unknown {
  return path.reduce<unknown>((value, key) => (value as Record<string, unknown> | undefined)?.[key], raw);
}

function lowerFirst(text: string): string {
  return text.charAt(0).toLowerCase() + text.slice(1);
}
