import type { RateLimit } from '../domain/limits.ts';

const hour = 3600;

export const limits = {
  /** New registrations of one network. */
  registration: { everySeconds: hour / 300, burst: 300 },
  /** Fetches of unknown client documents that one network causes, and that one host receives. */
  documentsOfNetwork: { everySeconds: 30, burst: 20 },
  documentsOfHost: { everySeconds: 10, burst: 60 },
  /** Keys tried on one consent page; none comes back before the page has expired. */
  keysPerRequest: { everySeconds: hour, burst: 10 },
  /** Wrong keys of one network, and of all: the ceiling for guesses from many networks at once. */
  wrongKeys: { everySeconds: hour / 30, burst: 30 },
  wrongKeysOfAll: { everySeconds: 1, burst: 10_000 },
  /** Refused token requests of one client from one network. */
  tokenFailures: { everySeconds: 1 / 10, burst: 200 },
  /** Successful refreshes of one grant. */
  refreshes: { everySeconds: 1, burst: 60 },
} as const satisfies Record<string, RateLimit>;
