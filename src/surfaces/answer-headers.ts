import type { AllowanceHeaders } from '../allowance.ts';

type Told = { name: string; type: 'integer' | 'number' | 'string'; description: string };

const allowance: Record<keyof AllowanceHeaders, Told> = {
  'ratelimit-limit': { name: 'RateLimit-Limit', type: 'integer', description: 'Calls that may be made at once.' },
  'ratelimit-remaining': { name: 'RateLimit-Remaining', type: 'integer', description: 'Calls left of these now.' },
  'ratelimit-reset': { name: 'RateLimit-Reset', type: 'integer', description: 'Seconds until all of them are back.' },
  'ratelimit-policy': {
    name: 'RateLimit-Policy',
    type: 'string',
    description: 'The limit and its window in seconds, e.g. 200;w=4.',
  },
};

const own: Told[] = [
  { name: 'X-Credits-Used', type: 'number', description: 'Credits this call cost; 0 for one that is free.' },
  { name: 'X-Credits-Balance', type: 'number', description: 'Credits left; absent on an unlimited plan.' },
  { name: 'X-Credits-Required', type: 'number', description: 'Credits the call would have cost.' },
  {
    name: 'Idempotent-Replayed',
    type: 'string',
    description: 'true: the answer of an earlier call with the same idempotency key, free.',
  },
  { name: 'WWW-Authenticate', type: 'string', description: 'The way to authenticate: Bearer.' },
  { name: 'Retry-After', type: 'integer', description: 'Seconds to wait.' },
];

/** Headers of answers, as the OpenAPI document and the reference tell them. */
export const answerHeaders: readonly Told[] = [...own, ...Object.values(allowance)];

const ofStatus: Record<number, string[]> = {
  402: ['X-Credits-Required', 'X-Credits-Balance'],
  429: ['Retry-After'],
  503: ['Retry-After'],
};

/** The names of the headers that an answer with this status has; calls are counted once it is known who makes them. */
export function headersOf(status: number, replayable = false): string[] {
  if (status === 401) return ['WWW-Authenticate'];
  const success = ['X-Credits-Used', 'X-Credits-Balance', ...(replayable ? ['Idempotent-Replayed'] : [])];
  const first = status < 300 ? success : (ofStatus[status] ?? []);
  return [...first, ...Object.values(allowance).map(({ name }) => name)];
}
