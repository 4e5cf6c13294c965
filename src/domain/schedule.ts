const rfc3339 = /^(\d{4})-(\d{2})-(\d{2})[Tt](\d{2}):(\d{2}):(\d{2})(\.\d{1,9})?([Zz]|[+-]\d{2}:\d{2})$/;

const yearMs = 366 * 24 * 3600 * 1000;

/** Epoch ms of an RFC 3339 time with offset, or undefined (no offset, no such day, no time at all). */
export function parseInstant(text: string): number | undefined {
  const match = rfc3339.exec(text);
  if (!match) return undefined;
  const [, year, month, day, hour, minute, second] = match.map(Number);
  const date = new Date(Date.UTC(year ?? 0, (month ?? 0) - 1, day));
  const exists = date.getUTCMonth() === (month ?? 0) - 1 && date.getUTCDate() === day;
  if (!exists || (hour ?? 24) > 23 || (minute ?? 60) > 59 || (second ?? 60) > 59) return undefined;
  const ms = Date.parse(text);
  return Number.isNaN(ms) ? undefined : ms;
}

/** Why a publishing time cannot be taken, or undefined when it can. Both in epoch ms. */
export function scheduleProblem(at: number, now: number): string | undefined {
  if (at <= now) return 'must be in the future; leave it out to publish now';
  if (at > now + yearMs) return 'must be within one year';
  return undefined;
}
