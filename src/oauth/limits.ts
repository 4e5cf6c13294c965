import type { RateLimit } from '../domain/limits.ts';

/** Those that no operator needs to change; the others stand in the configuration. */
export const limits = {
  /** Fetches of unknown client documents that one network causes, and that one host receives. */
  documentsOfNetwork: { everySeconds: 30, burst: 20 },
  documentsOfHost: { everySeconds: 10, burst: 60 },
  /** Wrong keys of all networks: the ceiling for guesses from many of them at once. */
  wrongKeysOfAll: { everySeconds: 1, burst: 10_000 },
  /** Successful refreshes of one grant. */
  refreshes: { everySeconds: 1, burst: 60 },
} as const satisfies Record<string, RateLimit>;
