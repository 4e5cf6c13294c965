import { type CallbackAnswer, readWebhookSecrets, sendCallback } from '../callback.ts';
import type { Deps } from '../deps.ts';
import { maxTries, overtakenTries, retryDelayMs } from '../domain/delivery.ts';
import {
  abandonDelivery,
  type ClaimedDelivery,
  claimDeliveries,
  endDelivered,
  endFailed,
  msUntilNextDelivery,
  renewDelivery,
} from '../store/delivery-jobs.ts';
import type { Job, Kind } from './engine.ts';

/** A receiver has this long to answer, ms. */
const answerWithinMs = 10_000;

/** Tells callbacks of transitions, those of one assignment strictly in order, until they answer 2xx or the tries are over. */
export function deliverKind(deps: Deps, slots: number, withinMs = answerWithinMs): Kind {
  return {
    kind: 'deliver-webhook',
    slots,
    async claim(limit, leaseToken) {
      const rows = await claimDeliveries(deps.db, limit, leaseToken);
      return rows.map((row) => jobOf(deps, row, withinMs));
    },
    nextDue: () => msUntilNextDelivery(deps.db),
  };
}

function jobOf(deps: Deps, row: ClaimedDelivery, withinMs: number): Job {
  return {
    id: row.id,
    // A shutdown waits for the answer: what was sent and not recorded would be sent again.
    run: ({ lost }) => run(deps, row, { withinMs, signal: lost }),
    renew: () => renewDelivery(deps.db, row),
    abandon: () => abandonDelivery(deps.db, row),
  };
}

async function run(deps: Deps, row: ClaimedDelivery, limits: { withinMs: number; signal: AbortSignal }): Promise<void> {
  const tries = row.overtaken ? overtakenTries : maxTries(row);
  if (row.attempts > tries) return endTry(deps, row, { error: 'interrupted' });
  const secrets = await readWebhookSecrets(deps, deps.db, row.workspaceId);
  if (!secrets) return endTry(deps, row, { error: 'secret_unreadable' });
  const startedAt = performance.now();
  const answer = await sendCallback(deps, secrets, row, limits);
  return endTry(deps, row, answer, Math.round(performance.now() - startedAt));
}

function endTry(deps: Deps, row: ClaimedDelivery, answer: CallbackAnswer, durationMs = 0): Promise<void> {
  if (answer.error === undefined) return endDelivered(deps.db, row, { httpStatus: answer.httpStatus, durationMs });
  const jitter = (deps.random(1)[0] ?? 0) / 255;
  return endFailed(deps.db, row, {
    error: answer.error,
    httpStatus: answer.httpStatus ?? null,
    durationMs,
    retryInMs: retryDelayMs(row.attempts, jitter, answer.askedMs),
    isLast: { always: row.attempts >= maxTries(row), overtaken: row.attempts >= overtakenTries },
  });
}
