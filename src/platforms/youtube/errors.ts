import { z } from 'zod';
import { type FailureKind, PlatformFailure } from '../contract.ts';
import { readJson, retryAfterMs, unexpectedAnswer } from '../http.ts';
import { untilPacificMidnight } from './pacific.ts';

type Verdict = { kind: FailureKind; code: string; message: string; untilMidnight?: true };

const refused = (code: string, message: string): Verdict => ({ kind: 'rejected', code, message });

const scopeMissing = refused(
  'scope_missing',
  'The consent lacks a permission this needs. Connect again and leave every box of the consent page ticked.',
);
const noChannel = refused(
  'no_channel',
  'This account has no YouTube channel. Create one on YouTube, then connect again.',
);
const quota: Verdict = {
  kind: 'retry',
  code: 'quota_exceeded',
  message: 'The daily YouTube quota of this server is used up; it is renewed at midnight Pacific time.',
  untilMidnight: true,
};
const uploadLimit: Verdict = {
  kind: 'retry',
  code: 'upload_limit_reached',
  message: 'This channel has reached the number of videos YouTube allows it per day.',
  untilMidnight: true,
};
const throttled: Verdict = { kind: 'retry', code: 'rate_limited', message: 'YouTube asks to slow down.' };
const metadata = refused('metadata_refused', 'YouTube does not accept the data of this video.');

const byReason: Readonly<Record<string, Verdict>> = {
  invalidTitle: refused('title_refused', 'YouTube does not accept the title.'),
  invalidDescription: refused('description_refused', 'YouTube does not accept the description.'),
  invalidTags: refused('tags_refused', 'YouTube does not accept the tags.'),
  invalidCategoryId: refused('category_refused', 'YouTube does not know the category or does not let it be chosen.'),
  invalidFilename: metadata,
  invalidVideoMetadata: metadata,
  mediaBodyRequired: metadata,
  forbiddenPrivacySetting: refused('privacy_refused', 'YouTube does not allow this privacy setting for the channel.'),
  uploadLimitExceeded: uploadLimit,
  youtubeSignupRequired: noChannel,
  insufficientPermissions: scopeMissing,
  accessNotConfigured: refused(
    'api_disabled',
    'The YouTube Data API is not enabled for the Google project of this server; its operator must enable it.',
  ),
  quotaExceeded: quota,
  dailyLimitExceeded: quota,
  rateLimitExceeded: throttled,
  userRateLimitExceeded: throttled,
};

const errorBody = z.object({
  error: z.object({
    message: z.string().default(''),
    errors: z.array(z.object({ reason: z.string() })).default([]),
  }),
});

function failure({ kind, code, message }: Verdict, waitMs?: number): PlatformFailure {
  return new PlatformFailure(kind, code, message, waitMs);
}

export const missingScope = () => failure(scopeMissing);
export const channelMissing = () => failure(noChannel);

/**
 * What an error answer of a Google API means; reads its body. `now` (epoch ms) is needed for waits until midnight.
 * Only the reason counts, and one phrase: the daily upload limit of a project comes as an ordinary
 * `rateLimitExceeded` whose text alone speaks of a day.
 */
export async function failureOf(
  response: Response,
  { now, signal }: { now?: () => number; signal: AbortSignal },
): Promise<PlatformFailure> {
  const body = errorBody.safeParse(await readJson(response, signal)).data?.error;
  const { status } = response;
  const wait = retryAfterMs(response.headers, now?.());
  if (status >= 500 || status === 408) {
    return new PlatformFailure('retry', 'platform_unavailable', 'YouTube cannot answer at the moment.', wait);
  }
  if (status < 400) return unexpectedAnswer();

  const reason = body?.errors[0]?.reason ?? '';
  const known = Object.hasOwn(byReason, reason) ? byReason[reason] : undefined;
  const verdict = known ?? byStatus(status);
  const daily = verdict === throttled && /\bper day\b/i.test(body?.message ?? '') ? quota : verdict;
  if (daily.kind !== 'retry') return failure(daily);
  return failure(daily, wait ?? (daily.untilMidnight && now ? untilPacificMidnight(now()) : undefined));
}

function byStatus(status: number): Verdict {
  if (status === 429) return throttled;
  if (status === 401) {
    return { kind: 'reauthorize', code: 'token_rejected', message: 'YouTube does not accept the access token.' };
  }
  if (status === 403) return refused('forbidden', 'YouTube does not allow this for the channel.');
  return refused('request_refused', 'YouTube does not accept the request.');
}
