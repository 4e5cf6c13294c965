import type { Deps } from './deps.ts';
import type { Caller } from './domain/caller.ts';
import { findAssignmentVersions } from './store/assignments.ts';

const everyMs = 1000;

/** Tells when assignments change, whichever replica changed them: looks once a second, only while somebody watches. */
export type AssignmentWatcher = {
  /** Watches until the answer is called; every change after it resolved is told. */
  watch(ids: readonly string[]): Promise<() => void>;
};

/** True when the caller may see every one of these assignments. */
export async function maySee(deps: Pick<Deps, 'db'>, caller: Caller, ids: readonly string[]): Promise<boolean> {
  if (ids.length === 0) return true;
  const { workspaceId, organizationId } = caller;
  const found = await findAssignmentVersions(deps.db, ids, { workspaceId, organizationId });
  return found.length === new Set(ids).size;
}

export function watchAssignments(deps: Pick<Deps, 'db' | 'log'>, changed: (id: string) => void): AssignmentWatcher {
  const watched = new Map<string, { watchers: number; version?: string }>();
  let timer: NodeJS.Timeout | undefined;
  const look = async (ids: readonly string[]) => {
    for (const { id, version } of await findAssignmentVersions(deps.db, ids)) {
      const known = watched.get(id);
      if (known?.version !== undefined && known.version !== version) changed(id);
      if (known) known.version = version;
    }
  };
  const lookAtAll = async () => {
    timer = undefined;
    await look([...watched.keys()]).catch((error) => deps.log.error('watch_failed', error));
    plan();
  };
  const plan = () => {
    if (timer === undefined && watched.size > 0) timer = setTimeout(lookAtAll, everyMs).unref();
  };
  return {
    async watch(ids) {
      for (const id of ids) {
        const entry = watched.get(id) ?? { watchers: 0 };
        entry.watchers += 1;
        watched.set(id, entry);
      }
      const stop = () => {
        for (const id of ids) {
          const entry = watched.get(id);
          if (entry) entry.watchers -= 1;
          if (entry?.watchers === 0) watched.delete(id);
        }
        if (watched.size > 0) return;
        clearTimeout(timer);
        timer = undefined;
      };
      try {
        if (ids.length > 0) await look(ids);
      } catch (error) {
        stop();
        throw error;
      }
      plan();
      return stop;
    },
  };
}
