import type { Dice } from './dice.ts';

export type Json = null | boolean | number | string | Json[] | { [name: string]: Json };

/** JSON that JSON.stringify cannot write: its mark stands in a value until `toJson` puts the text there. */
const written: readonly string[] = [
  '1e999',
  '-1e999',
  '-0',
  '123456789012345678901234567890123456789012345678901234567890',
  '0.1e-400',
  `1${'0'.repeat(400)}`,
  '{"a":1,"a":2}',
  '{"__proto__":{"scopes":["all"]},"constructor":{"prototype":{"x":1}}}',
  ...[40, 1000, 20_000, 200_000].map((depth) => '['.repeat(depth) + ']'.repeat(depth)),
  ...[40, 1000, 20_000].map((depth) => `${'{"a":'.repeat(depth)}1${'}'.repeat(depth)}`),
];

const mark = (index: number) => `@@written ${index}@@`;

/** The text of a value, marks replaced by what they stand for. */
export function toJson(value: Json): string {
  return JSON.stringify(value).replace(/"@@written (\d+)@@"/g, (whole, index) => written[Number(index)] ?? whole);
}

/** A value as a form or a query tells it: text as it is, the rest as JSON; well-formed. */
export function toText(value: Json): string {
  return (typeof value === 'string' ? value : toJson(value)).toWellFormed();
}

const oddTexts: readonly string[] = [
  '',
  ' ',
  '\0',
  'a\0b',
  '\ud800',
  'a\udc00b',
  '\u202eesrever',
  '\u200b\u200f\u2066',
  '\ufeff',
  '\uffff',
  'e\u0301'.repeat(80),
  '😀'.repeat(120),
  'ﷺ'.repeat(60),
  'null',
  'undefined',
  'NaN',
  'true',
  '-1',
  '0x10',
  '1e400',
  '[object Object]',
  '__proto__',
  'constructor',
  'toString',
  'hasOwnProperty',
  '../../../etc/passwd',
  '%00',
  '%2e%2e%2f',
  '%',
  '%zz',
  '#{7*7}',
  '{{7*7}}',
  "' or '1'='1",
  "'; drop table assignments; --",
  '\\',
  '"',
  '<script>alert(1)</script>',
  '\r\nX-Injected: 1',
  '{"a":1}',
  '[]',
  '{',
  'javascript:alert(1)',
  'file:///etc/passwd',
  'http://[::1]:1/x',
  'http://127.0.0.1:1/',
  'http://2130706433/',
  'https://user:secret@example.com/',
  'https://xn--/',
  'https://exa mple.com/',
  `https://example.com/${'a'.repeat(3000)}`,
  'https://no-such-host.invalid/video.mp4',
  'http:',
  '//',
  '00000000-0000-0000-0000-000000000000',
  'FFFFFFFF-FFFF-FFFF-FFFF-FFFFFFFFFFFF',
  '01900000-0000-7000-8000-000000000000\n',
  '{01900000-0000-7000-8000-000000000000}',
  '2027-02-30T10:00:00Z',
  '0000-01-01T00:00:00Z',
  '9999-12-31T23:59:60Z',
  '+275760-09-13T00:00:00.000Z',
  '-000001-01-01T00:00:00Z',
  '2027-01-01T00:00:00.123456789012345678901234567890Z',
  '2027-01-01T00:00:00+99:99',
  '2027-01-01t00:00:00z',
  'x'.repeat(300),
  'x'.repeat(5001),
  'x'.repeat(70_000),
  'OS4w',
  'OTk5OTk5OTk5OTk5OS4wMTkwMDAwMC0wMDAwLTcwMDAtODAwMC0wMDAwMDAwMDAwMDA',
  'LTEuMDE5MDAwMDAtMDAwMC03MDAwLTgwMDAtMDAwMDAwMDAwMDAw',
  'MTcwMDAwMDAwMDAwMC45OTk5OTk5OTk5OTk5OTk',
];

const oddNumbers: readonly number[] = [
  0,
  -1,
  1.5,
  101,
  10_001,
  1_000_001,
  -(2 ** 31),
  2 ** 31,
  2 ** 32,
  2 ** 53,
  2 ** 63,
  1e21,
  1e300,
  -1e300,
  5e-324,
  0.1,
];

const oddShapes: readonly Json[] = [
  null,
  true,
  false,
  [],
  {},
  [[]],
  [null],
  { '': '' },
  { toString: 1 },
  { length: 9 },
];

export const oddNames: readonly string[] = [
  '__proto__',
  'constructor',
  'prototype',
  'toString',
  'valueOf',
  'hasOwnProperty',
  'then',
  'toJSON',
  '',
  ' ',
  'a\0b',
  '\ud800',
  'id',
  'workspaceId',
  'organizationId',
  'x'.repeat(2000),
];

/** A value that hardly anybody expects. */
export function oddValue(dice: Dice): Json {
  const kind = dice.int(10);
  if (kind < 5) return oddText(dice);
  if (kind < 7) return dice.pick(oddNumbers);
  if (kind < 9) return structuredClone(dice.pick(oddShapes));
  return mark(dice.int(written.length));
}

export function oddText(dice: Dice): string {
  return dice.pick(oddTexts);
}
