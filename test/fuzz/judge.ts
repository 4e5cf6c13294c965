import assert from 'node:assert/strict';
import { errorCodes } from '../../src/domain/error-codes.ts';
import { oauthStatuses } from '../../src/oauth/errors.ts';
import { assertNoLeak } from '../refusals.ts';
import type { Answer } from './send.ts';
import type { Wire } from './wire.ts';

/** What an answer was: how it is counted, whether it refused, and what it says it cost, in hundredths. */
export type Verdict = { outcome: string; refused: boolean; used: number };

const known = new Set(Object.keys(errorCodes));
const oauthKnown = new Set(Object.keys(oauthStatuses));

type Parsed = { [name: string]: unknown };

/** Fails unless the answer is one that a bad request may get. */
export function judge(wire: Wire, answer: Answer): Verdict {
  const { status, headers, text, raw } = answer;
  assert.notEqual(status, 'late', 'there was no answer in time');
  if (status === 'closed') {
    assert.ok(raw, 'the connection was closed without an answer');
    return { outcome: 'closed', refused: true, used: 0 };
  }
  if (status === 'stream') return { outcome: 'stream', refused: false, used: 0 };
  assert.ok(Number(status) >= 200, `an answer of status ${status}`);
  const used = Math.round(Number(headers.get('x-credits-used') ?? 0) * 100);
  const refused = Number(status) >= 400;
  if (refused) {
    assert.equal(used, 0, 'a refused call cost something');
    assertNoLeak(text);
    assertAllowed(wire, answer);
    return { outcome: String(status), refused, used };
  }
  const messages = rpcMessages(answer);
  const failures = messages.filter(isFailure);
  for (const failure of failures) assertToolFailure(failure);
  const told = messages.reduce((sum, message) => sum + usedOf(message), 0);
  const failed = messages.length > 0 && failures.length === messages.length;
  return { outcome: failed ? `${status} refused` : String(status), refused: failed, used: used + told };
}

function assertAllowed(wire: Wire, { status, headers, text, raw }: Answer): void {
  const type = headers.get('content-type') ?? '';
  const code = wire.method === 'HEAD' || isNoJson(type, text, raw) ? undefined : codeOf(type, text);
  assert.ok(Number(status) < 500 || code === 'platform_unavailable', `${code ?? 'an answer'} of status ${status}`);
}

/** A page, or what the HTTP parser itself answers. */
const isNoJson = (type: string, text: string, raw: boolean) =>
  type.startsWith('text/html') || text === '' || (raw && !type.startsWith('application/json'));

/** The code of an error of ours, of the authorization server or of JSON-RPC. Fails for one that is unknown. */
function codeOf(type: string, text: string): unknown {
  assert.match(type, /^application\/json/, `an error as ${type || 'nothing'}`);
  const { error, jsonrpc } = JSON.parse(text) as Parsed;
  if (typeof error === 'string') {
    assert.ok(oauthKnown.has(error), `an OAuth error of the name ${error}`);
    return error;
  }
  const { code, message } = error as Parsed;
  assert.equal(typeof message, 'string');
  if (jsonrpc !== undefined) assert.ok(Number.isInteger(code), 'a JSON-RPC error without code');
  else assert.ok(known.has(String(code)), `an error of the code ${code}`);
  return code;
}

/** The JSON-RPC answers in a body or a stream, notifications left out. */
function rpcMessages({ headers, text }: Answer): Parsed[] {
  const type = headers.get('content-type') ?? '';
  const texts = type.startsWith('text/event-stream')
    ? [...text.matchAll(/^data: (.+)$/gm)].map(([, data]) => data ?? '')
    : type.startsWith('application/json') && text !== ''
      ? [text]
      : [];
  return texts
    .flatMap((data): Parsed[] => [JSON.parse(data)].flat())
    .filter(
      (message) => message !== null && typeof message === 'object' && 'jsonrpc' in message && !('method' in message),
    );
}

const isFailure = ({ error, result }: Parsed) =>
  error !== undefined || (result as Parsed | undefined)?.isError === true;

function usedOf({ result }: Parsed): number {
  const meta = (result as Parsed | undefined)?._meta as Record<string, { used?: number } | undefined> | undefined;
  return Math.round((meta?.['pharlo.io/credits']?.used ?? 0) * 100);
}

function assertToolFailure(message: Parsed): void {
  assertNoLeak(JSON.stringify(message));
  const { error, result } = message;
  if (error !== undefined) {
    // -32603 is what stands for a failure of ours.
    assert.notEqual((error as Parsed).code, -32603, `JSON-RPC tells an internal error: ${JSON.stringify(error)}`);
    return;
  }
  const told = (result as { _meta?: Record<string, { code?: string } | undefined> })._meta?.['pharlo.io/error'];
  if (told === undefined) return;
  assert.ok(known.has(told.code ?? ''), `a tool error of the code ${told.code}`);
  assert.notEqual(told.code, 'internal', JSON.stringify(told));
  assert.equal(usedOf(message), 0, 'a failed tool cost something');
}
