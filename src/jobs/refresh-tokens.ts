import type { Deps } from '../deps.ts';
import { PlatformFailure } from '../platforms/contract.ts';
import { type ConnectionRow, claimDueRefreshes, postponeRefresh } from '../store/connections.ts';
import { renewClaimed } from '../tokens.ts';
import type { Job, Kind } from './engine.ts';

/** Renews channel tokens before they end. A passing failure never disconnects a channel. */
export function refreshKind(deps: Deps, slots: number): Kind {
  return {
    kind: 'refresh-tokens',
    slots,
    async claim(limit, leaseToken) {
      const rows = await claimDueRefreshes(deps.db, limit, leaseToken);
      return rows.map((row) => jobOf(deps, row, leaseToken));
    },
    nextDue: async () => undefined,
  };
}

function jobOf(deps: Deps, row: ConnectionRow, leaseToken: string): Job {
  return {
    id: row.id,
    async run() {
      try {
        await renewClaimed(deps, row, leaseToken);
      } catch (error) {
        if (!(error instanceof PlatformFailure)) throw error;
        deps.log.info('token_refresh_failed', { id: row.id, code: error.code });
      }
    },
    renew: async () => true,
    abandon: () => postponeRefresh(deps.db, row.id, leaseToken),
  };
}
