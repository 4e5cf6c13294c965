import type { Deps } from './deps.ts';
import { newId } from './domain/ids.ts';
import { takeFromLimit } from './store/rate-limits.ts';

/** A state that travels through a client and counts once: sealed, bound to a context, with an end. */

type Needs = Pick<Deps, 'db' | 'now' | 'random' | 'vault'>;

/** Text for a client to keep. `context` names everything it is bound to. */
export function sealOnce(deps: Needs, context: string, lifeMs: number): string {
  const state = { id: newId(deps.now(), deps.random), until: deps.now() + lifeMs };
  return deps.vault.seal(context, JSON.stringify(state)).toString('base64url');
}

/** True the first time such a text comes back, within its life and for the same context. */
export async function redeemOnce(
  deps: Needs,
  context: string,
  text: string | undefined,
  lifeMs: number,
): Promise<boolean> {
  const plain = text === undefined ? undefined : deps.vault.open(context, Buffer.from(text, 'base64url'));
  if (plain === undefined) return false;
  const { id, until } = JSON.parse(plain) as { id: string; until: number };
  if (until <= deps.now()) return false;
  return (await takeFromLimit(deps.db, `once:${id}`, { everySeconds: lifeMs / 1000, burst: 1 })) === 0;
}
