import type { Deps } from '../deps.ts';
import { deliverKind } from './deliver-webhook.ts';
import type { Kind } from './engine.ts';
import { publishKind } from './publish.ts';
import { refreshKind } from './refresh-tokens.ts';
import { sweepKind } from './sweep.ts';

/** Every kind of job with its own slots. */
export function jobKinds(deps: Deps): Kind[] {
  return [publishKind(deps, 16), refreshKind(deps, 4), deliverKind(deps, 32), sweepKind(deps)];
}
