import type { Harness } from '../harness.ts';
import { getToken, toolCall } from '../mcp-client.ts';
import type { Door, Effect } from './journal.ts';
import type { Replica } from './replica.ts';

export type Called = { effect: Effect; body: Record<string, unknown>; replayed: boolean; code?: string };

export type Call = {
  tool: string;
  method: string;
  path: string;
  /** The tool's input; REST takes it without what the path names. */
  input: Record<string, unknown>;
  named?: readonly string[];
};

export type Client = {
  /** Calls by one door, at a replica that is up. */
  call(door: Door, call: Call, options?: { signal?: AbortSignal }): Promise<Called>;
  /** Answers so far, by effect. */
  counts: Record<Effect, number>;
};

/**
 * Somebody's program, which also has an MCP client. Behind a load balancer, so to speak: every replica is called by the
 * public URL.
 */
export async function startClient(
  publicUrl: string,
  key: string,
  replicas: readonly Replica[],
  onCall: () => void,
): Promise<Client> {
  const login = () => getToken({ url: publicUrl, key } as Harness);
  let token = await login();
  const counts: Record<Effect, number> = { done: 0, refused: 0, unknown: 0 };
  let turn = 0;
  const pick = async () => {
    await Promise.any(replicas.map((replica) => replica.up()));
    turn += 1;
    const up = replicas.filter((replica) => replica.isUp());
    return up[turn % Math.max(1, up.length)] ?? replicas[0];
  };
  const host = new URL(publicUrl).host;
  const send = async (door: Door, call: Call, signal: AbortSignal | undefined): Promise<Called> => {
    const replica = await pick();
    const base = `http://127.0.0.1:${replica?.port}`;
    const headers = { 'content-type': 'application/json', 'x-forwarded-host': host };
    onCall();
    if (door === 'rest') return callRest(base, { ...headers, authorization: `Bearer ${key}` }, call, signal);
    for (;;) {
      const called = await callMcp(base, { ...headers, authorization: `Bearer ${token}` }, call, signal);
      if (called !== 'unauthorized') return called;
      // Its hour is over, and nothing was done.
      token = await login();
    }
  };
  return {
    counts,
    async call(door, call, { signal } = {}) {
      const called = await send(door, call, signal).catch(
        (): Called => ({ effect: 'unknown', body: {}, replayed: false }),
      );
      counts[called.effect] += 1;
      onCall();
      return called;
    },
  };
}

function effectOf(status: number): Effect {
  if (status < 300) return 'done';
  return status < 500 ? 'refused' : 'unknown';
}

async function callRest(
  base: string,
  headers: Record<string, string>,
  { method, path, input, named = [] }: Call,
  signal: AbortSignal | undefined,
): Promise<Called> {
  const body = Object.fromEntries(Object.entries(input).filter(([name]) => !named.includes(name)));
  const response = await fetch(`${base}/api/v1${path}`, {
    method,
    headers,
    ...(method !== 'GET' && method !== 'DELETE' && { body: JSON.stringify(body) }),
    ...(signal && { signal }),
  });
  const text = await response.text();
  const answer = (text ? JSON.parse(text) : {}) as Record<string, unknown>;
  const code = (answer.error as { code?: string } | undefined)?.code;
  const replayed = response.headers.get('idempotent-replayed') === 'true';
  return { effect: effectOf(response.status), body: answer, replayed, ...(code && { code }) };
}

async function callMcp(
  base: string,
  headers: Record<string, string>,
  { tool, input }: Call,
  signal: AbortSignal | undefined,
): Promise<Called | 'unauthorized'> {
  const response = await fetch(`${base}/_mcp`, {
    method: 'POST',
    headers: { ...headers, accept: 'application/json, text/event-stream', 'mcp-protocol-version': '2025-06-18' },
    body: JSON.stringify(toolCall(tool, input)),
    ...(signal && { signal }),
  });
  const text = await response.text();
  if (response.status === 401) return 'unauthorized';
  const { result } = JSON.parse(text) as { result?: Record<string, unknown> };
  if (!result) return { effect: effectOf(response.status === 200 ? 400 : response.status), body: {}, replayed: false };
  const meta = result._meta as { 'pharlo.io/error'?: { code: string }; 'pharlo.io/replayed'?: boolean };
  const error = meta['pharlo.io/error'];
  const isOurs = error && ['internal', 'unavailable'].includes(error.code);
  return {
    effect: !result.isError ? 'done' : isOurs || !error ? 'unknown' : 'refused',
    body: (result.structuredContent ?? {}) as Record<string, unknown>,
    replayed: meta['pharlo.io/replayed'] === true,
    ...(error && { code: error.code }),
  };
}
