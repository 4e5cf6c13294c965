import type { Config } from '../config.ts';
import type { Random } from '../domain/ids.ts';
import type { Store } from '../store/open.ts';

export type OpenedStore = AsyncDisposable & { store: Store; now: () => number; random: Random };

/** What a command may use of the world. */
export type Io = {
  out(line: string): void;
  openStore(config: Config): Promise<OpenedStore>;
};

export type Command = {
  name: string;
  usage: readonly string[];
  run(args: string[], io: Io, config: Config): Promise<void>;
};

/** The words of a command were off; without a message its usage is shown. */
export class UsageError extends Error {}
