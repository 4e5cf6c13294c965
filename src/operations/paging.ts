import { z } from 'zod';
import type { Caller } from '../domain/caller.ts';
import { invalid, notFound } from '../domain/errors.ts';
import { isUuid } from '../domain/ids.ts';
import { countLimit, type Listing, type Slice } from '../store/lists.ts';

type Asked = { page?: number | undefined; limit?: number | undefined; cursor?: string | undefined };

/** The organization a list is narrowed to: the caller's own, or the one asked for. Throws `not_found` for another one. */
export function organizationOf(caller: Caller, asked: string | undefined): string | undefined {
  if (caller.organizationId && asked && asked !== caller.organizationId) throw notFound('organization');
  return caller.organizationId ?? asked;
}

/** The envelope of every list. */
export function listOf<T extends z.ZodType>(item: T) {
  return z.object({
    items: z.array(item),
    total: z.int(),
    totalIsMinimum: z.boolean().optional(),
    page: z.int(),
    limit: z.int(),
    nextCursor: z.string().optional(),
  });
}

/**
 * Where in the list the asker stands, whose rows have ids of that kind. Throws `validation_failed` for page and cursor
 * together or a foreign cursor.
 */
export function sliceOf(asked: Asked, ids: 'uuid' | 'number' = 'uuid'): Slice & { page: number } {
  const page = asked.page ?? 1;
  const limit = asked.limit ?? 20;
  if (asked.cursor === undefined) return { page, limit, offset: (page - 1) * limit };
  if (asked.page !== undefined) throw invalid({ cursor: ['give either page or cursor'] });
  return { page, limit, offset: 0, after: decode(asked.cursor, ids) };
}

/** A page of rows in the envelope; `limit + 1` rows are not needed, a full page may have a next one. */
export function envelope<R extends { createdAt: Date; id: string | number }, T>(
  listing: Listing<R>,
  slice: Slice & { page: number },
  toItem: (row: R) => T,
) {
  const last = listing.rows.at(-1);
  const capped = listing.total > countLimit;
  return {
    items: listing.rows.map(toItem),
    total: Math.min(listing.total, countLimit),
    ...(capped && { totalIsMinimum: true }),
    page: slice.page,
    limit: slice.limit,
    ...(last && listing.rows.length === slice.limit && { nextCursor: encode(last) }),
  };
}

function encode(row: { createdAt: Date; id: string | number }): string {
  return Buffer.from(`${row.createdAt.getTime()}.${row.id}`).toString('base64url');
}

function decode(cursor: string, ids: 'uuid' | 'number'): { createdAt: Date; id: string } {
  // 13 digits reach the year 2286; more than PostgreSQL's calendar holds would be an error there.
  const [, ms, id] = /^(\d{1,13})\.(.+)$/.exec(Buffer.from(cursor, 'base64url').toString()) ?? [];
  const fits = id !== undefined && (ids === 'uuid' ? isUuid(id) : /^\d{1,15}$/.test(id));
  if (!fits) {
    throw invalid({ cursor: ['must be the nextCursor of an earlier page'] });
  }
  return { createdAt: new Date(Number(ms)), id };
}
