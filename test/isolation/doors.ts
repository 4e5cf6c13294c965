import type { RestFace } from '../../src/operation.ts';
import type { Harness } from '../harness.ts';

export type Input = Record<string, unknown>;

/** All that a caller is told, byte for byte; what differs from call to call is left out. */
export type Seen = { status: number; headers: [string, string][]; text: string };

/** The time, the limit's counters and the credits left say nothing of what was asked for. */
const passing = /^(date|ratelimit-.*|x-credits-balance|keep-alive|connection)$/;

async function seen(response: Response): Promise<Seen> {
  const headers = [...response.headers].filter(([name]) => !passing.test(name));
  return { status: response.status, headers, text: await response.text() };
}

/** The call of an operation at REST. */
export async function callRest(
  { url }: Harness,
  secret: string,
  { method, path }: Pick<RestFace<unknown>, 'method' | 'path'>,
  input: Input,
  headers: Record<string, string> = {},
): Promise<Seen> {
  const rest = { ...input };
  const at = path.replace(/\{(\w+)\}/g, (_, name: string) => {
    const value = String(rest[name]);
    delete rest[name];
    return encodeURIComponent(value);
  });
  const inQuery = method === 'GET' || method === 'DELETE';
  const query =
    inQuery && Object.keys(rest).length > 0 ? `?${new URLSearchParams(rest as Record<string, string>)}` : '';
  const body = inQuery ? {} : { body: JSON.stringify(rest) };
  const response = await fetch(`${url}/api/v1${at}${query}`, {
    method,
    headers: { authorization: `Bearer ${secret}`, ...(!inQuery && { 'content-type': 'application/json' }), ...headers },
    ...body,
  });
  return seen(response);
}

export type Era = '2025-06-18' | '2026-07-28';

export const eras: readonly Era[] = ['2025-06-18', '2026-07-28'];

/** One message to `/_mcp` in one of the two eras. */
export async function callMcp(
  { url }: Harness,
  secret: string,
  era: Era,
  method: string,
  params: Input,
): Promise<Seen> {
  const modern = era === '2026-07-28';
  const name = params.name ?? params.uri;
  const _meta = {
    'io.modelcontextprotocol/protocolVersion': era,
    'io.modelcontextprotocol/clientCapabilities': {},
  };
  const response = await fetch(`${url}/_mcp`, {
    method: 'POST',
    headers: {
      authorization: `Bearer ${secret}`,
      'content-type': 'application/json',
      accept: 'application/json, text/event-stream',
      'mcp-protocol-version': era,
      ...(modern && { 'mcp-method': method }),
      ...(modern && typeof name === 'string' && { 'mcp-name': name }),
    },
    body: JSON.stringify({ jsonrpc: '2.0', id: 1, method, params: modern ? { ...params, _meta } : params }),
  });
  if (method !== 'subscriptions/listen' || response.status !== 200) return seen(response);
  // A stream goes on for ever: that it was opened is all there is to see.
  await response.body?.cancel();
  return { status: 200, headers: [], text: 'stream' };
}

/** The same with every id that was asked for under one name. */
export function without({ status, headers, text }: Seen, ids: readonly string[]): Seen {
  const blind = (given: string) => ids.reduce((left, id) => left.replaceAll(id, 'ID'), given);
  return { status, headers: headers.map(([name, value]) => [name, blind(value)]), text: blind(text) };
}
