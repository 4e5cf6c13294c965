import type { Config } from '../config.ts';
import type { Hundredths } from '../domain/credits.ts';
import type { Random } from '../domain/ids.ts';
import type { Db } from '../store/db.ts';
import type { Server, Store } from '../store/open.ts';
import { findWorkspace, type WorkspaceRow } from '../store/workspaces.ts';
import type { Vault } from '../vault.ts';

export type OpenedStore = AsyncDisposable & { store: Store; now: () => number; random: Random; vault: Vault };

/** What a command may use of the world. */
export type Io = {
  out(line: string): void;
  /** Epoch ms. */
  now: () => number;
  random: Random;
  nodeVersion: string;
  /** The store, ready for use: its schema up to date, its key made if need be. */
  openStore(config: Config): Promise<OpenedStore>;
  /** The database server with whatever is in it. */
  openServer(config: Config): Promise<Server>;
};

export type Command = {
  name: string;
  usage: readonly string[];
  run(args: string[], io: Io, config: Config): Promise<void>;
  /** What it does instead when the settings cannot be read; `message` names the one that is wrong. */
  settingsRefused?(args: string[], io: Io, message: string): void;
};

/** The workspace of that slug. Throws UsageError when there is none. */
export async function requireWorkspace(db: Db, slug: string): Promise<WorkspaceRow> {
  const workspace = await findWorkspace(db, slug);
  if (!workspace) throw new UsageError(`There is no workspace "${slug}".`);
  return workspace;
}

/** An amount of credits, at most two decimals, as hundredths. Throws UsageError. */
export function parseCredits(text: string | undefined, name: string): Hundredths {
  if (text === undefined || !/^\d{1,9}(\.\d{1,2})?$/.test(text)) {
    throw new UsageError(`${name} must be a number of credits, at most two decimals.`);
  }
  return Math.round(Number(text) * 100);
}

/** The words of a command were off; without a message its usage is shown. */
export class UsageError extends Error {}
