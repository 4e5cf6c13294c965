import type { Deps } from './deps.ts';
import { newId } from './domain/ids.ts';
import { takeFromLimit } from './store/rate-limits.ts';

/** A state that travels through a client and counts once: sealed, bound to a context, with an end. */

type Needs = Pick<Deps, 'db' | 'now' | 'random' | 'vault'>;

/** Text for a client to keep. `context` names everything it is bound to; `kept` is JSON that comes back with it. */
export function sealOnce(deps: Needs, context: string, lifeMs: number, kept: unknown): string {
  const state = { id: newId(deps.now(), deps.random), until: deps.now() + lifeMs, kept };
  return deps.vault.seal(context, JSON.stringify(state)).toString('base64url');
}

/** What was kept, the first time such a text comes back within its life and for the same context. */
export async function redeemOnce(
  deps: Needs,
  context: string,
  text: string,
  lifeMs: number,
): Promise<{ kept: unknown } | undefined> {
  const plain = deps.vault.open(context, Buffer.from(text, 'base64url'));
  if (plain === undefined) return undefined;
  const { id, until, kept } = JSON.parse(plain) as { id: string; until: number; kept: unknown };
  if (until <= deps.now()) return undefined;
  const wait = await takeFromLimit(deps.db, `once:${id}`, { everySeconds: lifeMs / 1000, burst: 1 });
  return wait === 0 ? { kept } : undefined;
}
