import type { Config } from './config.ts';
import type { Random } from './domain/ids.ts';
import type { Log } from './log.ts';
import type { Outgoing } from './net/outgoing.ts';
import type { Platforms } from './platforms/index.ts';
import type { Db } from './store/db.ts';
import type { Vault } from './vault.ts';

/** What handlers receive. Everything that touches the world is in here, so a test can replace it. */
export type Deps = {
  config: Config;
  db: Db;
  /** Epoch ms. */
  now: () => number;
  random: Random;
  vault: Vault;
  outgoing: Outgoing;
  platforms: Platforms;
  log: Log;
  /** A hint that a job of this kind may be due; the poll is the truth. */
  nudge: (kind: JobKind) => void;
};

export type JobKind = 'publish' | 'refresh-tokens' | 'deliver-webhook' | 'sweep';
