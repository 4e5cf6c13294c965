import type { Dice } from './dice.ts';
import { oddNames, oddText, oddValue, toJson } from './values.ts';

/** One HTTP request before it is sent. `bytes`, if there are any, are sent instead of all else. */
export type Wire = {
  method: string;
  /** Path and query as they stand in the request line. */
  path: string;
  headers: [name: string, value: string][];
  body?: Buffer;
  bytes?: Buffer;
};

/** The request as bytes, for what a client library refuses to send. */
export function toBytes({ method, path, headers, body, bytes }: Wire, host: string): Buffer {
  if (bytes) return bytes;
  const own = [['connection', 'close'], ...(body ? [['content-length', String(body.length)]] : [])];
  const named = headers.some(([name]) => name.toLowerCase() === 'host') ? [] : [['host', host]];
  const lines = [...named, ...own, ...headers].map(([name, value]) => `${name}: ${value}\r\n`);
  const head = Buffer.from(`${method} ${path} HTTP/1.1\r\n${lines.join('')}\r\n`);
  return Buffer.concat([head, body ?? Buffer.alloc(0)]);
}

type Change = (wire: Wire, dice: Dice) => Wire;

const withHeader = (wire: Wire, name: string, value: string): Wire => ({
  ...wire,
  headers: [...without(wire, name), [name, value]],
});
const without = ({ headers }: Wire, name: string) => headers.filter(([known]) => known !== name);
const printable = (text: string) => encodeURI(text.toWellFormed().slice(0, 2000));

const contentTypes = [
  'text/plain',
  'application/jsonp',
  'APPLICATION/JSON; charset=utf-16',
  'application/json, text/plain',
  'application/x-www-form-urlencoded',
  'multipart/form-data; boundary=x',
  'application/octet-stream',
  ';',
  '',
];

const secrets = [
  'ds_live_',
  `ds_live_${'0'.repeat(43)}`,
  `mcp_at_${'x'.repeat(43)}`,
  'eyJhbGciOiJub25lIn0.e30.',
  'eyJhbGciOiJSUzI1NiIsImtpZCI6IngifQ.eyJzdWIiOiJ4In0.AAAA',
  'eyJ',
  'a'.repeat(9000),
  'ä',
];

const headerTricks: readonly Change[] = [
  (wire) => ({ ...wire, headers: without(wire, 'authorization') }),
  (wire, dice) => withHeader(wire, 'authorization', `Bearer ${dice.pick(secrets)}`),
  (wire, dice) => withHeader(wire, 'authorization', dice.pick(['Bearer', 'Bearer ', 'Basic eDp5', 'bearer  x', 'x'])),
  (wire, dice) => withHeader(wire, 'content-type', dice.pick(contentTypes)),
  (wire) => ({ ...wire, headers: without(wire, 'content-type') }),
  (wire, dice) => withHeader(wire, 'content-encoding', dice.pick(['gzip', 'br', 'identity, gzip', 'x'])),
  (wire, dice) => withHeader(wire, 'x-organization-id', printable(oddText(dice))),
  (wire, dice) => withHeader(wire, 'idempotency-key', printable(oddText(dice))),
  (wire, dice) => withHeader(wire, 'idempotency-key', dice.pick(['\xff\xfe', 'a\tb', 'x'.repeat(201), '"quoted"'])),
  (wire, dice) => withHeader(wire, 'accept', dice.pick(['*/*;q=0', 'text/html', 'x', ',,,', ''])),
  (wire, dice) => withHeader(wire, 'origin', dice.pick(['null', 'https://evil.example', 'x', ''])),
  (wire, dice) => withHeader(wire, 'sec-fetch-site', dice.pick(['cross-site', 'none', 'x'])),
  (wire, dice) =>
    withHeader(wire, 'mcp-protocol-version', dice.pick(['2026-07-28', '2025-03-26', '1999-01-01', 'x', ''])),
  (wire, dice) => withHeader(wire, 'mcp-method', dice.pick(['tools/list', 'x', '=?base64?eA==?=', ''])),
  (wire, dice) => withHeader(wire, 'mcp-name', dice.pick(['list_platforms', 'x', '=?base64?////?=', ''])),
  (wire, dice) => withHeader(wire, 'mcp-session-id', printable(oddText(dice))),
  (wire, dice) =>
    withHeader(wire, 'cookie', dice.pick(['pharlo_consent=', 'pharlo_connect=%', '=;=;', 'a=b; '.repeat(500)])),
  (wire, dice) =>
    withHeader(wire, 'host', dice.pick(['evil.example', 'localhost', '[::1]', 'a b', '@', 'localhost:99999'])),
  (wire, dice) => withHeader(wire, 'x-forwarded-for', dice.pick(['1.2.3.4', 'unknown, ::1', 'x', ',,,,'])),
  (wire, dice) => withHeader(wire, 'x-forwarded-host', dice.pick(['evil.example', '', 'a b'])),
  (wire, dice) => withHeader(wire, 'expect', dice.pick(['100-continue', '200-ok'])),
  (wire, dice) => withHeader(wire, 'range', dice.pick(['bytes=0-1', 'x'])),
  (wire) => withHeader(wire, 'x-filler', 'y'.repeat(20_000)),
];

const queryTricks: readonly ((dice: Dice) => string)[] = [
  () => 'limit=1&limit=2',
  () => 'cursor=a&page=1',
  () => 'a[]=1&a[b]=2',
  () => '%00=1',
  () => 'x=%ff%fe',
  () => 'platform=%ED%A0%80',
  () => 'limit=%',
  () => 'limit=1e3',
  () => 'limit=999999999999999',
  () => 'page=1000000&limit=100',
  () => '&&&===&',
  () => '__proto__=1',
  () => 'constructor=1',
  (dice) => `${encodeURIComponent(dice.pick(oddNames).toWellFormed().slice(0, 50))}=1`,
  (dice) => `platform=${encodeURIComponent(oddText(dice).toWellFormed().slice(0, 1000))}`,
  (dice) => `cursor=${encodeURIComponent(oddText(dice).toWellFormed().slice(0, 300))}`,
  (dice) => `from=${encodeURIComponent(oddText(dice).toWellFormed().slice(0, 300))}`,
  (dice) => Array.from({ length: 500 }, () => `p${dice.int(1000)}=1`).join('&'),
];

const pathTricks: readonly ((path: string, dice: Dice) => string)[] = [
  (path) => `${path}/`,
  (path) => `/${path}`,
  (path) => path.replace('/api/', '/api//'),
  (path) => path.replace('/v1/', '/v1/../v1/'),
  (path) => path.replace('/v1/', '/v1/%2e%2e/v1/'),
  (path) => path.toUpperCase(),
  (path, dice) => path.replace(/[^/?]+(?=\?|$)/, () => encodeURIComponent(oddText(dice).toWellFormed().slice(0, 500))),
  (path, dice) =>
    path.replace(/[^/?]+(?=\?|$)/, () => dice.pick(['%00', '%ff', '%', '%E0%A4%A', '..%2f', '%252e', '*', ':'])),
  (path) => path.replace('/', '/%2f'),
  (path) => `http://evil.example${path}`,
  (path) => `${path}#x`,
  (path) => path.replaceAll('-', '%2D'),
];

const bodyTricks: readonly ((body: Buffer, dice: Dice) => Buffer)[] = [
  (body, dice) => body.subarray(0, dice.int(body.length + 1)),
  (body) => Buffer.concat([body, body]),
  (body) => Buffer.concat([Buffer.from([0xef, 0xbb, 0xbf]), body]),
  (body) => Buffer.from(body.toString(), 'utf16le'),
  (body, dice) => Buffer.concat([body.subarray(0, -1), Buffer.from(dice.pick([',}', ']', '\0}', '}}', ' // x\n}']))]),
  (body, dice) => {
    const broken = Buffer.from(body);
    if (broken.length > 0) broken[dice.int(broken.length)] = dice.pick([0xff, 0xc0, 0, 0x80, 0x22, 0x5c]);
    return broken;
  },
  (_body, dice) => Buffer.from(toJson(oddValue(dice))),
  () => Buffer.alloc(0),
  (body, dice) => (dice.chance(0.1) ? Buffer.concat([body, Buffer.alloc(1024 * 1024, ' ')]) : body.subarray(1)),
];

/** The request with one or two things wrong around what it says. */
export function mutateWire(wire: Wire, dice: Dice): Wire {
  const once = mutateOnce(wire, dice);
  return dice.chance(0.3) ? mutateOnce(once, dice) : once;
}

function mutateOnce(wire: Wire, dice: Dice): Wire {
  const kind = dice.int(10);
  if (kind < 4) return dice.pick(headerTricks)(wire, dice);
  if (kind < 6)
    return { ...wire, path: `${wire.path}${wire.path.includes('?') ? '&' : '?'}${dice.pick(queryTricks)(dice)}` };
  if (kind < 7) return { ...wire, path: dice.pick(pathTricks)(wire.path, dice) };
  if (kind < 8)
    return { ...wire, method: dice.pick(['HEAD', 'OPTIONS', 'PUT', 'PATCH', 'DELETE', 'POST', 'GET', 'SEARCH']) };
  return { ...wire, body: dice.pick(bodyTricks)(wire.body ?? Buffer.from('{}'), dice) };
}
