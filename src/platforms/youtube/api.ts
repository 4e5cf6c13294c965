import type { z } from 'zod';
import type { Network } from '../contract.ts';
import { readAnswer, send } from '../http.ts';
import { failureOf } from './errors.ts';

/** Who asks; every StepIo is one. `now` is epoch ms. */
export type Caller = { network: Network; accessToken: string; signal: AbortSignal; now?: () => number };

/** GET of one list of the Data API v3; throws PlatformFailure. */
export async function list<T>(
  caller: Caller,
  resource: 'channels' | 'playlistItems' | 'videos',
  query: Record<string, string>,
  schema: z.ZodType<T>,
): Promise<T> {
  const { network, accessToken, signal } = caller;
  const url = `${network.bases.api}/youtube/v3/${resource}?${new URLSearchParams(query)}`;
  const response = await send(network, url, {
    headers: { Authorization: `Bearer ${accessToken}`, Accept: 'application/json' },
    signal,
  });
  if (!response.ok) throw await failureOf(response, caller);
  return readAnswer(response, schema, signal);
}
