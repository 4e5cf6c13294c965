import type { Deps } from '../deps.ts';
import { toCredits } from '../domain/credits.ts';
import { errorCodes } from '../domain/error-codes.ts';
import { DomainError } from '../domain/errors.ts';
import type { McpFace, Operation, Outcome } from '../operation.ts';
import { errorBody, publicError } from './errors.ts';
import { schemasOf } from './schemas.ts';

/** What one tool result may put into a conversation, in tokens of four characters. */
const maxTokens = 20_000;

/** What a call cost, for `_meta` of its result. */
export function creditsMeta(outcome: Pick<Outcome, 'used' | 'balance'>): Record<string, unknown> {
  const { used, balance } = outcome;
  return {
    'pharlo.io/credits': { used: toCredits(used), ...(balance !== undefined && { balance: toCredits(balance) }) },
  };
}

/** The REST body as structured content and a short text beside it. */
export function toolResult(face: McpFace<unknown>, outcome: Outcome) {
  return {
    content: [{ type: 'text' as const, text: face.text(outcome.output) }, ...(face.content?.(outcome.output) ?? [])],
    structuredContent: outcome.output as Record<string, unknown>,
    _meta: { ...creditsMeta(outcome), ...(outcome.replayed && { 'pharlo.io/replayed': true }) },
  };
}

/** A failed call: sentence and next step for the model, the REST error for programs, no structured content. */
export function toolFailure(deps: Deps, op: Operation, failure: unknown) {
  const { error, incident } = publicError(deps, failure, { operation: op.name });
  return {
    isError: true,
    content: [{ type: 'text' as const, text: errorText(error) }],
    _meta: { 'pharlo.io/error': errorBody(error, incident), ...creditsMeta({ used: 0 }) },
  };
}

/** Throws `result_too_large`, with how to ask for less, when a conversation should not take the answer. */
export function assertFits(op: Operation, face: McpFace<unknown>, output: unknown): void {
  const tokens = Math.ceil((JSON.stringify(output).length + face.text(output).length) / 4);
  if (tokens <= maxTokens) return;
  const text = `The answer would be about ${tokens} tokens and a tool gives at most ${maxTokens}. ${narrower(op, output, tokens)}`;
  throw new DomainError('result_too_large', text);
}

const paging = new Set(['limit', 'page', 'cursor']);

function narrower(op: Operation, output: unknown, tokens: number): string {
  const { properties = {}, required } = schemasOf(op).input;
  const filters = Object.keys(properties).filter(
    (name) => !paging.has(name) && !(required as string[])?.includes(name),
  );
  const { items } = output as { items?: unknown };
  const count = Array.isArray(items) ? items.length : 0;
  const fitting = Math.max(1, Math.floor((0.9 * count * maxTokens) / tokens));
  const ways = [
    ...(properties.limit && count > 1 ? [`with limit ${fitting} and go on with nextCursor`] : []),
    ...(filters.length > 0 ? [`narrowed by ${filters.join(', ')}`] : []),
  ];
  return ways.length > 0 ? `Call again ${ways.join(', or ')}.` : 'The REST API gives it whole.';
}

function errorText(error: DomainError): string {
  const fields = Object.entries(error.extras.details ?? {}).map(([field, texts]) => `${field} ${texts.join(', ')}`);
  const details = fields.length > 0 ? ` (${fields.join('; ')})` : '';
  return `${error.code}: ${error.message}${details} ${errorCodes[error.code].next}`;
}
