/** Headers of answers, as the OpenAPI document and the reference tell them. */
export const answerHeaders = {
  'X-Credits-Used': { type: 'number', description: 'Credits this call cost; 0 for one that is free.' },
  'X-Credits-Balance': { type: 'number', description: 'Credits left; absent on an unlimited plan.' },
  'X-Credits-Required': { type: 'number', description: 'Credits the call would have cost.' },
  'Idempotent-Replayed': {
    type: 'string',
    description: 'true: the answer of an earlier call with the same idempotency key, free.',
  },
  'WWW-Authenticate': { type: 'string', description: 'The way to authenticate: Bearer.' },
  'Retry-After': { type: 'integer', description: 'Seconds to wait.' },
  'RateLimit-Limit': { type: 'integer', description: 'Calls allowed at once.' },
  'RateLimit-Remaining': { type: 'integer', description: 'Calls left now.' },
  'RateLimit-Reset': { type: 'integer', description: 'Seconds until there are as many as allowed again.' },
} as const;

export type AnswerHeader = keyof typeof answerHeaders;

const rateLimit: AnswerHeader[] = ['RateLimit-Limit', 'RateLimit-Remaining', 'RateLimit-Reset'];

/** The headers of a success, and of each status that has its own. */
export function headersOf(status: number, replayable = false): AnswerHeader[] {
  if (status < 300)
    return ['X-Credits-Used', 'X-Credits-Balance', ...(replayable ? ['Idempotent-Replayed' as const] : [])];
  if (status === 401) return ['WWW-Authenticate'];
  if (status === 402) return ['X-Credits-Required', 'X-Credits-Balance'];
  if (status === 429) return ['Retry-After', ...rateLimit];
  return [];
}
