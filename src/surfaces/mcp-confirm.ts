import { createHash } from 'node:crypto';
import { type InputRequiredResult, inputRequired } from '@modelcontextprotocol/server';
import { z } from 'zod';
import type { Deps } from '../deps.ts';
import type { Caller } from '../domain/caller.ts';
import { DomainError } from '../domain/errors.ts';
import { canonicalJson } from '../domain/json.ts';
import { redeemOnce, sealOnce } from '../once.ts';
import type { Operation } from '../operation.ts';

/** What a client sent beside the arguments in the 2026-07-28 era; absent in the older one. */
export type Round = { capabilities: unknown; responses: unknown; state: string | undefined };

const lifeMs = 5 * 60_000;

const canAsk = z.object({ elicitation: z.looseObject({ form: z.unknown().optional() }) });
const answers = z.object({
  confirm: z.object({ action: z.string(), content: z.record(z.string(), z.unknown()).optional() }),
});

/**
 * Asks the person behind the client before a call that cannot be undone, when the client can ask. Answers the question
 * to send, or undefined when the call may go on. Throws `confirmation_invalid` or `declined`; both cost nothing.
 * It is a courtesy to people, not access control: a client that cannot ask is not stopped.
 */
export async function confirmationOf(
  deps: Deps,
  caller: Caller,
  op: Operation,
  given: Record<string, unknown>,
  round: Round,
): Promise<InputRequiredResult | undefined> {
  if (!op.hints.destructive || !canAsk.safeParse(round.capabilities).success) return undefined;
  if (!op.input.safeParse(given).success) return undefined;
  const context = contextOf(caller, op, given);
  if (round.responses === undefined) return question(deps, context, op, given);
  if (!(await redeemOnce(deps, context, round.state, lifeMs))) {
    const text = 'This confirmation is over or belongs to another call. Call the tool again.';
    throw new DomainError('confirmation_invalid', text);
  }
  const answer = answers.safeParse(round.responses);
  const agreed =
    answer.success && answer.data.confirm.action === 'accept' && answer.data.confirm.content?.confirm === true;
  if (!agreed) throw new DomainError('declined', 'The user declined; nothing was done.');
  return undefined;
}

/** Binds the sealed state to the principal, the tool and its arguments. */
function contextOf(caller: Caller, op: Operation, given: Record<string, unknown>): string {
  const input = createHash('sha256').update(canonicalJson(given)).digest('hex');
  return ['mcp-confirm', caller.workspaceId, caller.keyId, caller.grantId ?? '', op.name, input].join(':');
}

function question(deps: Deps, context: string, op: Operation, given: Record<string, unknown>): InputRequiredResult {
  const shown = JSON.stringify(given, undefined, 1).slice(0, 1500);
  return inputRequired({
    inputRequests: {
      confirm: inputRequired.elicit({
        message: `${op.title}? This cannot be undone.\n${shown}`,
        requestedSchema: {
          type: 'object',
          properties: { confirm: { type: 'boolean', title: 'Yes, do it', default: false } },
          required: ['confirm'],
        },
      }),
    },
    requestState: sealOnce(deps, context, lifeMs),
  });
}
