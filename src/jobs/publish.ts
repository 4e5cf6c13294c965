import type { Deps } from '../deps.ts';
import { handlerVersion } from '../domain/assignment.ts';
import { canonicalJson } from '../domain/json.ts';
import { openMedia } from '../media.ts';
import {
  type Connector,
  type Draft,
  type FindResult,
  type Network,
  PlatformFailure,
  type Progress,
  type StepIo,
  type StepResult,
} from '../platforms/contract.ts';
import type { AssignmentRow } from '../store/assignments.ts';
import { type ConnectionRow, findConnection } from '../store/connections.ts';
import { type ClaimedAssignment, claimAssignments, msUntilNextDue } from '../store/publish-claims.ts';
import { abandonAssignment, commitIntent, releaseAssignment, renewLease, saveProgress } from '../store/publish-jobs.ts';
import { channelOf, freshTokens, refreshRunning, renewTokens } from '../tokens.ts';
import { ClaimLost, type Job, type Kind } from './engine.ts';
import {
  endStep,
  fail,
  failUnmade,
  isMade,
  lookLater,
  maxRetries,
  openMemory,
  resumeAfterLook,
  retryLater,
  sealMemory,
  type Work,
  waitForActivation,
  waitForReconnect,
  waitForRefresh,
} from './outcome.ts';

/** Seconds the call that makes the post may take. */
const onceStepSeconds = 20;

/** Publishing: claims due assignments and does one platform step after another, each outcome saved before the next. */
export function publishKind(deps: Deps, slots: number): Kind {
  const held = new Map<string, number>();
  const count = (workspaceId: string, by: number) => {
    const jobs = (held.get(workspaceId) ?? 0) + by;
    if (jobs > 0) held.set(workspaceId, jobs);
    else held.delete(workspaceId);
  };
  // A quarter is kept free of any one workspace, so that others need not wait for its long uploads.
  const asking = { handlerVersion, held, perWorkspace: Math.max(1, slots - Math.floor(slots / 4)) };
  return {
    kind: 'publish',
    slots,
    async claim(limit, leaseToken) {
      const rows = await claimAssignments(deps.db, asking, { limit, leaseToken });
      for (const { workspaceId } of rows) count(workspaceId, 1);
      if (rows.some(({ callbackUrl }) => callbackUrl !== null)) deps.nudge('deliver-webhook');
      return rows.map((row) => jobOf(deps, row, () => count(row.workspaceId, -1)));
    },
    nextDue: () => msUntilNextDue(deps.db, asking),
  };
}

type Signals = { stop: AbortSignal; lost: AbortSignal };

type Channel = { connection: ConnectionRow; connector: Connector; network: Network; accessToken: string };

function jobOf(deps: Deps, row: ClaimedAssignment, done: () => void): Job {
  const memory = openMemory(deps, row);
  const work: Work = { deps, row, sent: {}, memory: memory ?? { step: {} } };
  return {
    id: row.id,
    run: (signals) => (memory ? run(work, signals) : failUnreadable(work)).finally(done),
    renew: () => renewLease(deps.db, row, work.sent),
    abandon: () => abandonAssignment(deps.db, row),
  };
}

function failUnreadable(work: Work): Promise<void> {
  const text = 'What was saved of this job cannot be read: the secret key of this server was changed.';
  return fail(work, 'progress_unreadable', text, true);
}

/** Work that never comes back ends, unless the post is or may be made: looking does no harm, and its end would be wrong. */
function stalled(work: Work): Promise<void> {
  const text = 'Working on this stopped without a word, three times.';
  if (!work.row.intentDeadline && !isMade(work)) return fail(work, 'internal_crash', text, true);
  return retryLater(work, { code: 'internal_crash', message: text, afterMs: undefined });
}

async function run(work: Work, signals: Signals): Promise<void> {
  const { deps, row } = work;
  if (row.missed && !isMade(work)) {
    return fail(work, 'schedule_missed', 'The time to publish passed while this server could not work.', true);
  }
  if (row.stalls > 3) return stalled(work);
  if (row.lookInMs !== null && row.lookInMs > 0) return lookLater(work, row.lookInMs);
  if (row.retries > maxRetries) {
    const text = 'The platform did not answer when it was asked to make the post. No post was made.';
    return fail(work, 'answer_lost', text, true);
  }
  try {
    const connection = await findConnection(deps.db, row.workspaceId, row.connectionId);
    if (!connection) return await fail(work, 'connection_gone', 'The channel is no longer there.', false);
    if (!connection.isActive && !row.intentDeadline && !isMade(work)) return await waitForActivation(work);
    const { connector, network } = channelOf(deps, connection);
    const { accessToken } = await freshTokens(deps, connection);
    delete work.memory.waitingSince;
    await step(work, { connection, connector, network, accessToken }, signals);
  } catch (error) {
    await settleFailure(work, error, signals);
  }
}

async function step(work: Work, channel: Channel, signals: Signals): Promise<void> {
  const { row, memory } = work;
  const { connector } = channel;
  const draft = draftOf(row, channel.connection);
  const passing = AbortSignal.any([signals.stop, signals.lost]);
  if (row.intentDeadline) {
    const found = await connector.find(draft, memory.step, ioOf(work, channel, passing));
    return settleFind(work, found);
  }
  if (isMade(work)) {
    return endStep(work, await connector.check(draft, memory.step, ioOf(work, channel, passing)));
  }
  const ready = connector.upload
    ? await connector.upload(draft, memory.step, ioOf(work, channel, passing))
    : ({ state: 'ready', progress: memory.step } as const);
  if (ready.state !== 'ready') return endStep(work, ready);
  return publishOnce(work, draft, channel, ready.progress, signals);
}

/**
 * The once-step: the intent is committed first, with its deadline; a lost claim (or a cancel) keeps the post unmade. Its
 * time is counted from before the commit, so that a worker that was frozen sends nothing once others may look.
 */
async function publishOnce(
  work: Work,
  draft: Draft,
  channel: Channel,
  progress: Progress,
  signals: Signals,
): Promise<void> {
  const { deps, row, memory } = work;
  if (signals.stop.aborted) return releaseAssignment(deps.db, row);
  memory.step = progress;
  const endsAt = performance.now() + onceStepSeconds * 1000;
  if (!(await commitIntent(deps.db, row, sealMemory(deps, row, memory), onceStepSeconds))) throw new ClaimLost();
  const leftMs = Math.max(0, Math.floor(endsAt - performance.now()));
  const signal = AbortSignal.any([AbortSignal.timeout(leftMs), signals.lost]);
  let result: StepResult;
  try {
    result = await channel.connector.publish(draft, progress, ioOf(work, withDeadline(channel, endsAt), signal));
  } catch (error) {
    const certain = error instanceof PlatformFailure && error.kind !== 'unknown';
    if (!certain) return lookLater(work, (onceStepSeconds + 5) * 1000);
    throw error;
  }
  await endStep(work, result);
}

/** Timers of a process that was frozen fire late; the clock does not. */
function withDeadline(channel: Channel, endsAt: number): Channel {
  const { network } = channel;
  const tooLate = () => Object.assign(new Error('The time of the step is over.'), { sent: false });
  const fetch: Network['fetch'] = async (url, init) => {
    if (performance.now() >= endsAt) throw tooLate();
    return network.fetch(url, init);
  };
  return { ...channel, network: { ...network, fetch } };
}

function settleFind(work: Work, found: FindResult): Promise<void> {
  // What was saved before a restore is no proof that nothing was posted after.
  const isClear = !work.row.restored || (found.state !== 'absent' && found.state !== 'ready');
  if (found.state === 'unclear' || !isClear)
    return fail(work, 'outcome_unknown', 'It cannot be told whether the post was made.', false);
  if (found.state === 'absent') return resumeAfterLook(work, found.progress);
  return endStep(work, found);
}

async function settleFailure(work: Work, error: unknown, signals: Signals): Promise<void> {
  const { deps, row } = work;
  if (signals.lost.aborted) return;
  if (signals.stop.aborted && !(error instanceof PlatformFailure)) return releaseAssignment(deps.db, row);
  if (!(error instanceof PlatformFailure)) throw error;
  switch (error.kind) {
    case 'rejected':
      // The file is the caller's: next time it may be there, or be another one.
      return fail(work, error.code, error.message, error.code.startsWith('media_'));
    case 'unmade':
      return failUnmade(work, error.code, error.message);
    case 'retry':
    case 'unknown':
      return passing(work, error);
    case 'reauthorize':
      return reauthorize(work, error, signals.stop);
  }
}

function passing(work: Work, { code, message, retryAfterMs }: PlatformFailure): Promise<void> {
  if (code === refreshRunning) return waitForRefresh(work);
  return retryLater(work, { code, message, afterMs: retryAfterMs });
}

/**
 * The access token was refused: renew it and go on from the saved progress; a dead grant waits for a person. A shutdown
 * leaves the renewal to the next claim.
 */
async function reauthorize(work: Work, { code, message }: PlatformFailure, stop: AbortSignal): Promise<void> {
  const { deps, row } = work;
  if (stop.aborted) return releaseAssignment(deps.db, row);
  const connection = await findConnection(deps.db, row.workspaceId, row.connectionId);
  if (!connection || connection.tokenRevokedAt) return waitForReconnect(work);
  try {
    await renewTokens(deps, connection);
  } catch (error) {
    if (!(error instanceof PlatformFailure)) throw error;
    return error.kind === 'reauthorize' ? waitForReconnect(work) : passing(work, error);
  }
  return retryLater(work, { code, message, afterMs: undefined });
}

function draftOf(row: AssignmentRow, connection: ConnectionRow): Draft {
  return {
    assignmentId: row.id,
    publicName: `pharlo-${row.id}`,
    type: row.type,
    payload: row.payload,
    accountId: connection.accountId,
  };
}

function ioOf(work: Work, channel: Channel, signal: AbortSignal): StepIo {
  const { deps, row, memory, sent } = work;
  return {
    network: channel.network,
    accessToken: channel.accessToken,
    signal,
    now: deps.now,
    async openMedia(index, offset) {
      const media = row.media[index];
      if (!media) throw new PlatformFailure('rejected', 'media_missing', 'The post has no such file.');
      const place = { url: media.url, sandbox: row.sandbox };
      const contentType = media.contentType ?? 'application/octet-stream';
      const version = memory.versions?.[index] ?? undefined;
      const opened = await openMedia(deps, place, { contentType, offset, version, signal });
      memory.versions ??= row.media.map(() => null);
      memory.versions[index] = opened.version ?? null;
      return opened;
    },
    async save(progress) {
      const moved = canonicalJson(progress) !== canonicalJson(memory.step);
      memory.step = progress;
      const saved = await saveProgress(deps.db, row, sealMemory(deps, row, memory), { moved, sent });
      if (!saved) throw new ClaimLost();
    },
    report(bytes, total) {
      sent.bytes = bytes;
      if (total !== undefined) sent.total = total;
    },
  };
}
