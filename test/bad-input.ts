/** One create_assignment that must be refused: what differs from a good one, and how the answer looks. */
export type BadInput = {
  name: string;
  change: Record<string, unknown>;
  status?: number;
  code?: string;
  field?: string;
};

const video = (payload: Record<string, unknown>) => ({ payload: { title: 'A title', ...payload } });

const day = 24 * 3600 * 1000;
const at = (ms: number) => new Date(ms).toISOString();

const times: [string, unknown][] = [
  ['no offset', '2027-03-01T10:00:00'],
  ['a date only', '2027-03-01'],
  ['a day that does not exist', '2027-02-30T10:00:00Z'],
  ['a month that does not exist', '2027-13-01T10:00:00Z'],
  ['an hour that does not exist', '2027-03-01T25:00:00Z'],
  ['no separator', '2027-03-01 10:00:00Z'],
  ['words', 'tomorrow'],
  ['a number', 1_800_000_000],
  ['null', null],
  ['an object', {}],
];

const strings = ['externalId', 'idempotencyKey', 'mediaUrl', 'mediaContentType', 'callbackUrl'] as const;

const callbacks = [
  'http://example.com/hook',
  'https://user:pw@example.com/',
  'https://10.0.0.8/',
  'https://localhost/',
  'hook',
];

const nested = (depth: number): unknown => JSON.parse('['.repeat(depth) + ']'.repeat(depth));

/** Bad input that every door must refuse alike; `now` is epoch ms. */
export function badInputs(now: number): BadInput[] {
  return [
    { name: 'an unknown field', change: { titel: 'x' }, field: 'titel' },
    { name: 'a field named constructor', change: { constructor: 1 }, field: 'constructor' },
    { name: 'a field named toString', change: { toString: 1 }, field: 'toString' },
    { name: 'a field named __proto__', change: JSON.parse('{"__proto__":{"type":"text"}}'), field: '__proto__' },
    { name: 'no connection', change: { connectionId: undefined }, field: 'connectionId' },
    { name: 'a connection id that is none', change: { connectionId: '42' }, field: 'connectionId' },
    { name: 'a connection id of another type', change: { connectionId: ['a'] }, field: 'connectionId' },
    {
      name: 'a connection nobody has',
      change: { connectionId: '01900000-0000-7000-8000-000000000000' },
      status: 404,
      code: 'not_found',
    },
    { name: 'a type nobody knows', change: { type: 'hologram' }, field: 'type' },
    { name: 'a type of another type', change: { type: 7 }, field: 'type' },
    { name: 'a type the platform lacks', change: { type: 'text' }, status: 422, code: 'type_unsupported' },
    { name: 'no payload', change: { payload: undefined }, field: 'payload' },
    { name: 'a payload that is a list', change: { payload: [] }, field: 'payload' },
    { name: 'a payload that is null', change: { payload: null }, field: 'payload' },
    { name: 'an unknown payload field', change: video({ colour: 'red' }), field: 'payload.colour' },
    { name: 'a payload field named constructor', change: video({ constructor: 1 }), field: 'payload.constructor' },
    { name: 'no title', change: { payload: {} }, field: 'payload.title' },
    { name: 'an empty title', change: video({ title: '  ' }), field: 'payload.title' },
    { name: 'a title that is a number', change: video({ title: 5 }), field: 'payload.title' },
    { name: 'a title with markup', change: video({ title: 'a <b>' }), field: 'payload.title' },
    { name: 'a title of 101 characters', change: video({ title: 'x'.repeat(101) }), field: 'payload.title' },
    {
      name: 'a description of 5001 bytes',
      change: video({ description: 'x'.repeat(5001) }),
      field: 'payload.description',
    },
    {
      name: 'tags of 501 characters',
      change: video({ tags: ['x'.repeat(250), 'y'.repeat(250)] }),
      field: 'payload.tags',
    },
    { name: 'a privacy nobody knows', change: video({ privacy: 'friends' }), field: 'payload.privacy' },
    { name: 'a flag that is text', change: video({ madeForKids: 'yes' }), field: 'payload.madeForKids' },
    { name: 'NUL in the payload', change: video({ title: 'a\0b' }), field: 'payload' },
    { name: 'a lone surrogate in the payload', change: video({ title: 'a\ud800b' }), field: 'payload' },
    { name: 'a payload without bottom', change: video({ title: nested(1000) }), field: 'payload' },
    { name: 'a video without media', change: { mediaUrl: undefined }, field: 'mediaUrl' },
    { name: 'a media type the platform lacks', change: { mediaContentType: 'image/png' }, field: 'mediaContentType' },
    { name: 'a size of nothing', change: { mediaSizeBytes: 0 }, field: 'mediaSizeBytes' },
    { name: 'a broken size', change: { mediaSizeBytes: 1.5 }, field: 'mediaSizeBytes' },
    { name: 'a size beyond numbers', change: { mediaSizeBytes: 1e300 }, field: 'mediaSizeBytes' },
    { name: 'a size beyond the platform', change: { mediaSizeBytes: 2 ** 50 }, field: 'mediaSizeBytes' },
    { name: 'a size in text', change: { mediaSizeBytes: '5' }, field: 'mediaSizeBytes' },
    { name: 'a time now', change: { scheduledAt: at(now) }, field: 'scheduledAt' },
    { name: 'a time long past', change: { scheduledAt: '1999-01-01T00:00:00Z' }, field: 'scheduledAt' },
    { name: 'a time over a year ahead', change: { scheduledAt: at(now + 367 * day) }, field: 'scheduledAt' },
    ...times.map(([name, scheduledAt]) => ({
      name: `a time with ${name}`,
      change: { scheduledAt },
      field: 'scheduledAt',
    })),
    ...callbacks.map((callbackUrl) => ({
      name: `${callbackUrl} to call back`,
      change: { callbackUrl },
      field: 'callbackUrl',
    })),
    ...strings.flatMap((field) => [
      { name: `${field} of another type`, change: { [field]: 5 }, field },
      { name: `${field} null`, change: { [field]: null }, field },
      { name: `${field} empty`, change: { [field]: '' }, field },
      { name: `${field} too long`, change: { [field]: 'x'.repeat(4001) }, field },
      { name: `${field} with NUL`, change: { [field]: 'a\0b' }, field },
      { name: `${field} with a lone surrogate`, change: { [field]: 'a\udc00b' }, field },
    ]),
  ];
}
