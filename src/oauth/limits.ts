import { type AuditEntry, insertAudit } from '../store/audit.ts';
import { type RateLimit, takeFromLimit } from '../store/rate-limits.ts';
import type { OAuthDeps } from './context.ts';

const hour = 3600;

export const limits = {
  /** New registrations of one network. */
  registration: { everySeconds: hour / 300, burst: 300 },
  /** Fetches of unknown client documents that one network causes, and that one host receives. */
  documentsOfNetwork: { everySeconds: 30, burst: 20 },
  documentsOfHost: { everySeconds: 10, burst: 60 },
  /** Keys tried on one consent page; none comes back before the page has expired. */
  keysPerRequest: { everySeconds: hour, burst: 10 },
  /** Wrong keys of one network. */
  wrongKeys: { everySeconds: hour / 30, burst: 30 },
  /** Refused token requests of one client from one network. */
  tokenFailures: { everySeconds: 1 / 10, burst: 200 },
  /** Successful refreshes of one grant. */
  refreshes: { everySeconds: 1, burst: 60 },
  /** Lines about refused strangers. */
  refusalLines: { everySeconds: 60, burst: 1 },
} as const satisfies Record<string, RateLimit>;

/** Writes down that somebody unknown was refused: one line per network, action and minute, so nobody can flood the trail. */
export async function auditRefusal(deps: OAuthDeps, entry: AuditEntry & { network: string }): Promise<void> {
  const subject = `audit:${entry.action}:${entry.network}`;
  if ((await takeFromLimit(deps.db, subject, limits.refusalLines)) === 0) await insertAudit(deps.db, entry);
}
