import type { Store } from './store.ts';

export type SandboxOptions = {
  /** Where browsers and connectors reach the sandbox, for example http://127.0.0.1:3000 */
  origin: string;
  /** Folder that belongs to the sandbox alone. */
  dataDir: string;
  /** Epoch milliseconds. */
  now: () => number;
  random: (bytes: number) => Uint8Array;
  /** How long a video stays in processing after its last byte; default 3000. */
  processingMs?: number;
  /** Default 3599, as Google says. */
  accessTokenSeconds?: number;
};

/** What the routes of one sandbox network receive. */
export type SandboxContext = Omit<Required<SandboxOptions>, 'dataDir'> & { store: Store };
