import type { Deps } from '../deps.ts';
import { expireReservations, refundUnknownOutcomes } from '../store/ledger.ts';
import { sweepExpired } from '../store/sweep.ts';
import type { Kind } from './engine.ts';

const everyMs = 60_000;

/** House-keeping once a minute: reservations nobody settled, outcomes nobody knows, ended tickets, codes, tokens, rate-limit buckets and counts of strangers. */
export function sweepKind(deps: Deps): Kind {
  let nextAt = 0;
  return {
    kind: 'sweep',
    slots: 1,
    async claim() {
      if (performance.now() < nextAt) return [];
      nextAt = performance.now() + everyMs;
      const run = async () => {
        await expireReservations(deps.db);
        await refundUnknownOutcomes(deps.db);
        await sweepExpired(deps.db);
      };
      return [{ id: 'sweep', run, renew: async () => true, abandon: async () => {} }];
    },
    nextDue: async () => nextAt - performance.now(),
  };
}
