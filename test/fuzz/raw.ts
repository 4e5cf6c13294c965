import type { Dice } from './dice.ts';
import type { Wire } from './wire.ts';

/** Requests as no HTTP library sends them; a connection is closed by us once all of it is written. */
export function rawWire(host: string, authorization: string, dice: Dice): Wire {
  const paths = ['/api/v1/assignments', '/_mcp', '/oauth/mcp/token', '/api/v1/platforms', '/'];
  const path = dice.pick(paths);
  const auth = `authorization: ${authorization}\r\n`;
  const json = 'content-type: application/json\r\n';
  const post = (rest: string) => `POST ${path} HTTP/1.1\r\nhost: ${host}\r\n${auth}${json}${rest}`;
  const get = (line: string, rest = '') => `${line}\r\nhost: ${host}\r\n${auth}connection: close\r\n${rest}\r\n`;
  const text = dice.pick([
    () => post('content-length: 1\r\n\r\n{}'),
    () => post('content-length: 100\r\n\r\n{}'),
    () => post('content-length: -1\r\n\r\n{}'),
    () => post('content-length: 2\r\ncontent-length: 3\r\n\r\n{}'),
    () => post('content-length: 2\r\ntransfer-encoding: chunked\r\n\r\n0\r\n\r\n'),
    () => post('content-length: 99999999999999999999\r\n\r\n{}'),
    () => post('transfer-encoding: chunked\r\nconnection: close\r\n\r\n2\r\n{}\r\n0\r\n\r\n'),
    () => post('transfer-encoding: chunked\r\n\r\nzz\r\n{}\r\n0\r\n\r\n'),
    () => post('transfer-encoding: chunked\r\n\r\nfffffffffffffffff\r\n{}'),
    () => post('transfer-encoding: gzip, chunked\r\nconnection: close\r\n\r\n2\r\n{}\r\n0\r\n\r\n'),
    () => get(`GET ${path} HTTP/1.1`),
    () => get(`GET  ${path} HTTP/1.1`),
    () => get(`GET ${path}\0 HTTP/1.1`),
    () => get(`GET ${path}?\x80\xff HTTP/1.1`),
    () => get(`GET ${path} HTTP/9.9`),
    () => get('GET * HTTP/1.1'),
    () => get('OPTIONS * HTTP/1.1'),
    () => get(`GET http://${host}${path} HTTP/1.1`),
    () => get(`GET http:///${path} HTTP/1.1`),
    () => get('GET //[ HTTP/1.1'),
    () => get('GET //:@/ HTTP/1.1'),
    () => get(`CONNECT ${host} HTTP/1.1`),
    () => get(`TRACE ${path} HTTP/1.1`),
    () => get(`BREW ${path} HTTP/1.1`),
    () => get(`GET ${path} HTTP/1.1`, 'upgrade: websocket\r\nconnection: upgrade\r\n'),
    () => get(`GET ${path} HTTP/1.1`, 'upgrade: h2c\r\nhttp2-settings: AAMAAABk\r\nconnection: upgrade\r\n'),
    () => get(`GET ${path} HTTP/1.1`, `x: ${'y'.repeat(40_000)}\r\n`),
    () => get(`GET ${path} HTTP/1.1`, Array.from({ length: 3000 }, (_, index) => `h${index}: 1\r\n`).join('')),
    () => get(`GET ${path} HTTP/1.1`, 'x: a\0b\r\n'),
    () => get(`GET ${path} HTTP/1.1`, ' folded: 1\r\n'),
    () => get(`GET ${path} HTTP/1.1`, `authorization: ${authorization}\r\n`),
    () => get(`GET ${path} HTTP/1.1`, 'host: evil.example\r\n'),
    () => `GET ${path} HTTP/1.1\r\nconnection: close\r\n\r\n`,
    () => `GET ${path} HTTP/1.0\r\n\r\n`,
    () => `GET ${path} HTTP/1.1\nhost: ${host}\n\n`,
    () => `GET ${path} HTTP/1.1\r\nhost: ${host}\r\n`,
    () => `GET ${path}`,
    () => '\r\n\r\n\r\n',
    () => '\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03',
    () => 'PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n',
  ])();
  return { method: 'RAW', path, headers: [], bytes: Buffer.from(text, 'latin1') };
}
