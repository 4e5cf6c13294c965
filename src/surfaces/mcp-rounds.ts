import { createHash } from 'node:crypto';
import {
  type InputRequests,
  type InputRequiredResult,
  inputRequired,
  ProtocolError,
  ProtocolErrorCode,
} from '@modelcontextprotocol/server';
import type { Deps } from '../deps.ts';
import type { Caller } from '../domain/caller.ts';
import type { Ask } from '../domain/conversation.ts';
import { canonicalJson, isDeeper } from '../domain/json.ts';
import { redeemOnce, sealOnce } from '../once.ts';

/** What a client sent beside the arguments in the 2026-07-28 era. */
export type Told = {
  capabilities: Record<string, unknown>;
  responses: Record<string, unknown> | undefined;
  state: string | undefined;
};

const lifeMs = 5 * 60_000;
const maxDepth = 64;

/**
 * One round of asking the client: the questions to send, or the arguments to go on with. What is kept between rounds is
 * sealed, bound to the principal, the call and its arguments, lives 5 minutes and counts once; anything else is -32602.
 */
export async function roundOf(
  deps: Deps,
  caller: Caller,
  call: { name: string; ask: Ask; given: Record<string, unknown> },
  told: Told,
): Promise<{ question: InputRequiredResult } | { given: Record<string, unknown> }> {
  const { ask, given } = call;
  const { capabilities, responses, state } = told;
  const redeemed = state === undefined ? undefined : await redeemOnce(deps, contextOf(caller, call), state, lifeMs);
  if (state !== undefined && !redeemed) throw stateRefused();
  const next = ask({ given, capabilities, responses, kept: redeemed?.kept });
  if ('given' in next) return next;
  const sealed = (kept: unknown) => sealOnce(deps, contextOf(caller, call), lifeMs, kept);
  const requestState = next.keep === undefined ? {} : { requestState: sealed(next.keep) };
  return { question: inputRequired({ inputRequests: next.ask as InputRequests, ...requestState }) };
}

/** An answer without the state it belongs to, or with one that is over, was used or belongs to another call. */
export function stateRefused(): ProtocolError {
  const text = 'This answer is over or belongs to another call. Make the call again.';
  return new ProtocolError(ProtocolErrorCode.InvalidParams, text, { reason: 'invalid_request_state' });
}

function contextOf(caller: Caller, { name, given }: { name: string; given: Record<string, unknown> }): string {
  // No question is ever asked about such an input, and the hash of it would have no end.
  if (isDeeper(given, maxDepth)) throw stateRefused();
  const input = createHash('sha256').update(canonicalJson(given)).digest('hex');
  return ['mcp-round', caller.workspaceId, caller.keyId, caller.grantId ?? '', name, input].join(':');
}
