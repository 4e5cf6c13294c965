import { z } from 'zod';
import { isUuid } from '../domain/ids.ts';
import { parseInstant } from '../domain/schedule.ts';

/** Of operations that only look. */
export const readHints = { readOnly: true, destructive: false, idempotent: true, openWorld: false };

/** Input fields that several operations share. Messages are ours: they reach people and models. */

export const uuid = (description: string) =>
  z.string('must be a UUID').toLowerCase().refine(isUuid, 'must be a UUID').meta({ description, format: 'uuid' });

/** An RFC 3339 time with offset; parsed to a Date. */
export const instant = (description: string) =>
  z
    .string('must be an RFC 3339 time with offset')
    .refine(
      (text) => parseInstant(text) !== undefined,
      'must be an RFC 3339 time with offset, e.g. 2026-12-24T18:00:00+01:00',
    )
    .meta({ description, format: 'date-time' });

/** Epoch ms of a field that has passed `instant`. */
export function toDate(text: string): Date {
  return new Date(parseInstant(text) ?? Number.NaN);
}

/** PostgreSQL takes neither NUL nor half a surrogate pair, in text and in jsonb. */
export const unstorable = 'must not contain NUL characters or lone surrogates';

/** Whether every text in a JSON value can be stored. A value nested deeper than 32 levels is no input of ours. */
export function isStorable(value: unknown, depth = 0): boolean {
  if (typeof value === 'string') return !value.includes('\0') && value.isWellFormed();
  if (value === null || typeof value !== 'object') return true;
  return depth < 32 && Object.entries(value).every(([key, member]) => isStorable(key) && isStorable(member, depth + 1));
}

export const text = (description: string, max: number, min = 1) =>
  z
    .string('must be text')
    .min(min, min > 0 ? 'must not be empty' : undefined)
    .max(max, `must be at most ${max} characters`)
    .refine(isStorable, unstorable)
    .meta({ description });

const page = z
  .int('must be a whole number')
  .min(1, 'must be 1 or more')
  .max(1_000_000, 'must be at most 1000000')
  .meta({ description: 'Page number, from 1. For long lists use cursor.' });

const limit = (max: number) =>
  z
    .int('must be a whole number')
    .min(1, 'must be 1 or more')
    .max(max, `must be at most ${max}`)
    .meta({ description: `Items per page (default 20, at most ${max}).` });

const cursor = text('nextCursor of the page before; stable while items are added.', 200);

/** What every list takes. */
export const pageFields = (max = 100) => ({
  page: page.optional(),
  limit: limit(max).optional(),
  cursor: cursor.optional(),
});

/** The dates of a list's span; absent where nothing is given. */
export function toPeriod({ from, to }: { from?: string | undefined; to?: string | undefined }) {
  return { from: from ? toDate(from) : undefined, to: to ? toDate(to) : undefined };
}

/** Output fields. */
export const outUuid = z.string().meta({ format: 'uuid' });
export const outInstant = z.string().meta({ format: 'date-time' });

/** Times go out as RFC 3339 UTC `Z`. */
export const iso = (date: Date): string => date.toISOString();
export const isoOrAbsent = (date: Date | null | undefined): string | undefined => date?.toISOString();
