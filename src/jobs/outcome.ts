import type { Deps } from '../deps.ts';
import { type AssignmentStatus, pathTo } from '../domain/assignment.ts';
import type { Progress, StepResult } from '../platforms/contract.ts';
import { appendEvent } from '../store/assignments.ts';
import type { Tx } from '../store/db.ts';
import { keepOneCharge, refundAssignment } from '../store/ledger.ts';
import type { ClaimedAssignment } from '../store/publish-claims.ts';
import { moveAssignment, type Sent, type Transition } from '../store/publish-jobs.ts';
import { connectionInactive, reconnectRequired, refreshRunning } from '../tokens.ts';

/** What survives a crash between two steps, sealed: upload URLs are secrets. */
export type Memory = {
  /** The connector's own. */
  step: Progress;
  /** Epoch ms at which the post was made. */
  madeAt?: number;
  /** Epoch ms since which the platform is asked how far it is. */
  checkingSince?: number;
  /** Epoch ms since which the job waits for a person to re-connect the channel. */
  waitingSince?: number;
  /** Looks for the post, or at how far it is, that failed in a row; `since` is epoch ms of the first. */
  failedLooks?: { since: number; count: number };
  /** By file: the version the first part was read from. */
  versions?: (string | null)[];
  /** The most bytes ever sent: only getting beyond them makes a failure the first one again. */
  furthest?: number;
};

export type Work = {
  deps: Deps;
  row: ClaimedAssignment;
  memory: Memory;
  /** Bytes told by the connector in this step. */
  sent: Sent;
};

const dayMs = 24 * 3600 * 1000;
export const maxRetries = 12;
const context = (row: ClaimedAssignment) => `assignment:${row.workspaceId}:${row.id}:progress`;

/** Undefined when the key that sealed it is gone: what cannot be read must not be taken for nothing. */
export function openMemory(deps: Deps, row: ClaimedAssignment): Memory | undefined {
  if (!row.progress) return { step: {} };
  const plain = deps.vault.open(context(row), row.progress);
  return plain === undefined ? undefined : (JSON.parse(plain) as Memory);
}

export function sealMemory(deps: Deps, row: ClaimedAssignment, memory: Memory): Buffer {
  return deps.vault.seal(context(row), JSON.stringify(memory));
}

/**
 * Writes a transition, its timeline and its refund in one transaction, if the claim still stands. An intent found at
 * the claim stays until somebody says that its outcome is known.
 */
async function move(
  work: Work,
  to: Omit<Transition, 'progress' | 'sent'>,
  options: { keep?: boolean; charges?: (tx: Tx) => Promise<void>; detail?: string } = {},
): Promise<void> {
  const { deps, row, memory, sent } = work;
  const ended = to.dueInMs === undefined;
  await deps.db.transaction(async (tx) => {
    const progress = ended && !options.keep ? null : sealMemory(deps, row, memory);
    const keepIntent = to.keepIntent ?? row.intentDeadline !== null;
    if (!(await moveAssignment(tx, row, { ...to, progress, keepIntent, sent }))) return;
    const passed: AssignmentStatus[] = to.status === row.status ? [] : pathTo(row.status, to.status);
    for (const status of passed) await appendEvent(tx, row, status, status === to.status ? options.detail : undefined);
    await options.charges?.(tx);
    if (!ended) tx.afterCommit(() => deps.nudge('publish'));
    if (row.callbackUrl !== null && passed.length > 0) tx.afterCommit(() => deps.nudge('deliver-webhook'));
  });
}

/** True once the platform has the post, whatever becomes of it there. */
export function isMade({ row, memory }: Work): boolean {
  return memory.madeAt !== undefined || row.platformPostId !== null || row.status === 'uploaded';
}

/** A step came to an end the connector foresaw. */
export async function endStep(work: Work, result: StepResult): Promise<void> {
  const { memory, deps, row } = work;
  delete memory.failedLooks;
  const charges = row.intentDeadline ? onePaid(row, result.state === 'ready' ? 'last' : 'first') : {};
  if (result.state === 'ready') {
    memory.step = result.progress;
    return move(work, { status: row.status, dueInMs: 0, keepIntent: false, retries: row.retries }, charges);
  }
  const { postId } = result;
  if (result.state === 'published') {
    return move(work, { status: 'published', postId, url: result.url, keepIntent: false }, charges);
  }
  memory.step = result.progress;
  memory.madeAt ??= deps.now();
  memory.checkingSince ??= deps.now();
  if (deps.now() - memory.checkingSince > dayMs) return failProcessing(work);
  return move(work, { status: result.state, postId, dueInMs: result.afterMs, keepIntent: false }, charges);
}

/** A look ended a doubt: of what was paid before and for the retry one charge stands. */
function onePaid(row: ClaimedAssignment, which: 'first' | 'last') {
  return { charges: (tx: Tx) => keepOneCharge(tx, row, which) };
}

function failProcessing(work: Work): Promise<void> {
  const text = `The platform did not finish working on the ${work.row.type} within a day.`;
  return fail(work, 'processing_timeout', text, true);
}

/**
 * Ends the job. Its credits come back, except while nobody knows whether the post was made: a failure with an open
 * intent is always told as `outcome_unknown`. What leads to a post that was or may have been made is kept, so that a
 * retry goes on from it and never makes a second one.
 */
export function fail(work: Work, code: string, message: string, retryable: boolean): Promise<void> {
  const { row, memory } = work;
  const open = row.intentDeadline !== null;
  const error = open
    ? { code: 'outcome_unknown', message: unknownText, retryable: false }
    : { code, message, retryable };
  for (const passed of ['checkingSince', 'waitingSince', 'failedLooks', 'furthest'] as const) delete memory[passed];
  const keep = open || isMade(work);
  return move(
    work,
    { status: 'failed', errors: [error] },
    { keep, detail: error.code, ...(!open && { charges: refundOf(row) }) },
  );
}

/** Ends the job whose post the platform did away with; nothing of that post is kept, so a retry makes another one. */
export function failUnmade(work: Work, code: string, message: string): Promise<void> {
  const { row } = work;
  const errors = [{ code, message, retryable: false }];
  return move(
    work,
    { status: 'failed', errors, unmade: true, keepIntent: false },
    { detail: code, charges: refundOf(row) },
  );
}

function refundOf(row: ClaimedAssignment): (tx: Tx) => Promise<void> {
  return (tx) => refundAssignment(tx, row.workspaceId, row.id);
}

const unknownText =
  'The platform was asked to make the post and it cannot be told whether it did. Look at the channel before retrying.';

/** The look for the post found nothing, and that is certain: goes on where the platform stands. */
export function resumeAfterLook(work: Work, progress: Progress): Promise<void> {
  work.memory.step = progress;
  delete work.memory.failedLooks;
  const { row, deps } = work;
  const retries = failuresInARow(work);
  const to = { status: row.status, dueInMs: backOffMs(deps, retries), keepIntent: false, retries };
  return move(work, to, onePaid(row, 'last'));
}

/** Waits until nobody can still be making the post, then looks for it. */
export function lookLater(work: Work, afterMs: number): Promise<void> {
  const { status, retries } = work.row;
  return move(work, { status, dueInMs: afterMs, keepIntent: true, waitingReason: 'checking_outcome', retries });
}

type Passing = { code: string; message: string; afterMs: number | undefined };

/**
 * A passing failure: tries again later each time, with jitter. Gives up after a dozen in a row, unless the post may
 * exist: then the job only looks, and it does so for a day.
 */
export function retryLater(work: Work, failure: Passing): Promise<void> {
  if (work.row.intentDeadline !== null || isMade(work)) return lookAgain(work, failure);
  const retries = failuresInARow(work);
  if (retries > maxRetries) return fail(work, failure.code, failure.message, true);
  const dueInMs = Math.max(failure.afterMs ?? 0, backOffMs(work.deps, retries));
  return move(work, { status: work.row.status, dueInMs, waitingReason: failure.code, retries });
}

/** A look is harmless. It is no try at making the post, so it leaves the count of those as it is. */
function lookAgain(work: Work, failure: Passing): Promise<void> {
  const { deps, row, memory } = work;
  const { since, count } = memory.failedLooks ?? { since: deps.now(), count: 0 };
  memory.failedLooks = { since, count: count + 1 };
  const isOver = deps.now() - (memory.checkingSince ?? since) > dayMs;
  if (isOver && isMade(work)) return failProcessing(work);
  if (isOver && count >= maxRetries) return fail(work, failure.code, failure.message, false);
  const dueInMs = Math.max(failure.afterMs ?? 0, backOffMs(deps, count + 1));
  return move(work, { status: row.status, dueInMs, waitingReason: failure.code, retries: row.retries });
}

/** The tokens are just being renewed, which takes seconds and is no failure. */
export function waitForRefresh(work: Work): Promise<void> {
  const { status, retries } = work.row;
  return move(work, { status, dueInMs: 1000, waitingReason: refreshRunning, retries });
}

/** This failure included. A step that saved or sent the same again has made no headway. */
function failuresInARow({ row, memory, sent }: Work): number {
  const { bytes = 0 } = sent;
  if (bytes <= (memory.furthest ?? 0)) return row.retries + 1;
  memory.furthest = bytes;
  return 1;
}

function backOffMs(deps: Deps, retries: number): number {
  const jitter = 0.5 + (deps.random(1)[0] ?? 0) / 512;
  return Math.min(600_000, 1000 * 2 ** (retries - 1)) * jitter;
}

/** The channel's grant is dead: waits up to a day for a person to connect it again, which makes the job due at once. */
export function waitForReconnect(work: Work): Promise<void> {
  return waitForPerson(work, reconnectRequired, 'The channel was not connected again within a day.');
}

/** The channel is switched off: waits up to a day for a person to switch it on, which makes the job due at once. */
export function waitForActivation(work: Work): Promise<void> {
  return waitForPerson(work, connectionInactive, 'The channel was not switched on within a day.');
}

function waitForPerson(work: Work, reason: string, message: string): Promise<void> {
  const { deps, memory, row } = work;
  memory.waitingSince ??= deps.now();
  if (deps.now() - memory.waitingSince > dayMs) return fail(work, reason, message, true);
  return move(work, { status: row.status, dueInMs: 60_000, waitingReason: reason });
}
