import assert from 'node:assert/strict';
import { test } from 'node:test';
import { failureOf } from '../../src/platforms/youtube/errors.ts';
import { untilPacificMidnight } from '../../src/platforms/youtube/pacific.ts';
import { googleError, signal } from './world.ts';

const hour = 3_600_000;
/** 20:00 in Los Angeles, four hours before the quotas are renewed. */
const evening = Date.UTC(2030, 0, 2, 4);
const context = { now: () => evening, signal };

const cases: [status: number, reason: string, kind: string, code: string, waitMs?: number][] = [
  [400, 'invalidTitle', 'rejected', 'title_refused'],
  [400, 'invalidDescription', 'rejected', 'description_refused'],
  [400, 'invalidTags', 'rejected', 'tags_refused'],
  [400, 'invalidCategoryId', 'rejected', 'category_refused'],
  [400, 'invalidVideoMetadata', 'rejected', 'metadata_refused'],
  [400, 'uploadLimitExceeded', 'retry', 'upload_limit_reached', 4 * hour],
  [400, 'toString', 'rejected', 'request_refused'],
  [401, 'authError', 'reauthorize', 'token_rejected'],
  [401, 'youtubeSignupRequired', 'rejected', 'no_channel'],
  [403, 'quotaExceeded', 'retry', 'quota_exceeded', 4 * hour],
  [403, 'dailyLimitExceeded', 'retry', 'quota_exceeded', 4 * hour],
  [403, 'rateLimitExceeded', 'retry', 'rate_limited'],
  [403, 'userRateLimitExceeded', 'retry', 'rate_limited'],
  [403, 'forbidden', 'rejected', 'forbidden'],
  [403, 'forbiddenPrivacySetting', 'rejected', 'privacy_refused'],
  [403, 'insufficientPermissions', 'rejected', 'scope_missing'],
  [403, 'accessNotConfigured', 'rejected', 'api_disabled'],
  [404, 'videoNotFound', 'rejected', 'request_refused'],
  [429, 'somethingNew', 'retry', 'rate_limited'],
  [500, 'backendError', 'retry', 'platform_unavailable'],
  [503, 'quotaExceeded', 'retry', 'platform_unavailable'],
];

for (const [status, reason, kind, code, waitMs] of cases) {
  test(`${status} ${reason} is ${kind} ${code}`, async () => {
    const failure = await failureOf(googleError(status, reason, 'upstream words'), context);
    const { retryAfterMs } = failure;
    assert.deepEqual({ kind: failure.kind, code: failure.code, retryAfterMs }, { kind, code, retryAfterMs: waitMs });
    assert.doesNotMatch(failure.message, /upstream|words/);
  });
}

test('the daily upload limit of a project hides behind an ordinary reason', async () => {
  const message = "Quota exceeded for quota metric 'Video Uploads' and limit 'Video Uploads per day' of service";
  const failure = await failureOf(googleError(429, 'rateLimitExceeded', message), context);
  assert.equal(failure.code, 'quota_exceeded');
  assert.equal(failure.retryAfterMs, 4 * hour);
});

test('Retry-After is honoured as seconds or date, and never longer than a day', async () => {
  const waitOf = async (status: number, value: string) =>
    (await failureOf(googleError(status, 'quotaExceeded', '', { 'Retry-After': value }), context)).retryAfterMs;
  assert.equal(await waitOf(403, '90'), 90_000);
  assert.equal(await waitOf(503, new Date(evening + hour).toUTCString()), hour);
  assert.equal(await waitOf(503, new Date(evening - hour).toUTCString()), 0);
  assert.equal(await waitOf(503, '999999999'), 24 * hour);
  assert.equal(await waitOf(403, 'soon'), 4 * hour);
});

test('a body that is no JSON, not of Google or endless still gives a failure by its status', async () => {
  const endless = new ReadableStream({ pull: (controller) => controller.enqueue(new Uint8Array(16_384)) });
  for (const body of ['<html>', '[]', '{"error":"text"}', endless]) {
    const failure = await failureOf(new Response(body, { status: 403 }), context);
    assert.deepEqual([failure.kind, failure.code], ['rejected', 'forbidden']);
  }
});

test('midnight Pacific follows summer time and its changes', () => {
  assert.equal(untilPacificMidnight(Date.UTC(2030, 0, 2, 8)), 24 * hour);
  assert.equal(untilPacificMidnight(Date.UTC(2030, 0, 2, 7, 59, 59, 999)), 1);
  assert.equal(untilPacificMidnight(Date.UTC(2030, 6, 2, 6)), hour);
  // 10 March 2030 has 23 hours, 3 November 25; both asked half an hour after their midnight.
  assert.equal(untilPacificMidnight(Date.UTC(2030, 2, 10, 8, 30)), 22.5 * hour);
  assert.equal(untilPacificMidnight(Date.UTC(2030, 10, 3, 7, 30)), 24.5 * hour);
});
