/** `burst` at once, then one more every `everySeconds`. */
export type RateLimit = { everySeconds: number; burst: number };

const seconds = { s: 1, m: 60, h: 3600 } as const;

/** What an operator may change, by the names of the setting. */
export const defaultLimits = {
  /** Calls of one key, or of one grant. */
  api: '50/s:200',
  /** Refused token requests of one client from one network. */
  token: '10/s:200',
  /** New registrations of one network. */
  registration: '300/h',
  /** Wrong keys of one network. */
  wrongKeys: '30/h',
  /** Keys tried on one consent page; none comes back before the page has expired. */
  keysPerConsent: '1/h:10',
} as const;

export type LimitName = keyof typeof defaultLimits;

export type Limits = Readonly<Record<LimitName, RateLimit>>;

/** `50/s`, `300/h`, `10/s:200` (the last number is the burst; without it, as many as before the slash). */
function parseLimit(text: string): RateLimit | undefined {
  const [, count, unit, burst] = /^(\d{1,7})\/([smh])(?::(\d{1,7}))?$/.exec(text) ?? [];
  if (Number(count ?? 0) < 1 || Number(burst ?? 1) < 1) return undefined;
  return { everySeconds: seconds[unit as keyof typeof seconds] / Number(count), burst: Number(burst ?? count) };
}

/** Reads `name=limit` pairs, comma separated; what is not named keeps its default. Undefined where it cannot be read. */
export function parseLimits(text: string): Limits | undefined {
  const given = new Map<string, string>(Object.entries(defaultLimits));
  for (const pair of text.split(',').filter((part) => part.trim() !== '')) {
    const [, name = '', limit = ''] = /^\s*([A-Za-z]+)\s*=\s*(\S+)\s*$/.exec(pair) ?? [];
    if (!given.has(name)) return undefined;
    given.set(name, limit);
  }
  const parsed = [...given].map(([name, limit]) => [name, parseLimit(limit)] as const);
  return parsed.every(([, limit]) => limit) ? (Object.fromEntries(parsed) as Limits) : undefined;
}
