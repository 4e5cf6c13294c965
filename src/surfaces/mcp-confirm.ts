import { z } from 'zod';
import type { Ask } from '../domain/conversation.ts';
import { DomainError } from '../domain/errors.ts';
import type { Operation } from '../operation.ts';
import { stateRefused } from './mcp-rounds.ts';

/** Characters of the arguments that a person is shown. */
const maxShown = 1500;

/** A bare `elicitation` means forms; one that names its modes has to name forms. */
const canAsk = z.object({ elicitation: z.looseObject({ form: z.unknown(), url: z.unknown() }).partial() });
const answers = z.object({
  confirm: z.object({ action: z.string(), content: z.record(z.string(), z.unknown()).optional() }),
});

/**
 * Asks the person behind the client before a call that cannot be undone, when the client can ask, the input is good and
 * it is no dry run.
 * Throws `declined`, which costs nothing. It is a courtesy to people, not access control: a client that cannot ask is
 * not stopped.
 */
export function confirmation(op: Operation): Ask {
  return ({ given, capabilities, responses, kept }) => {
    const { elicitation } = canAsk.safeParse(capabilities).data ?? {};
    const forms = elicitation && (elicitation.form !== undefined || elicitation.url === undefined);
    if (!forms || given.dryRun === true || !op.input.safeParse(given).success) return { given };
    if (responses === undefined) return { ask: { confirm: question(op, given) }, keep: 'asked' };
    if (kept === undefined) throw stateRefused();
    const answer = answers.safeParse(responses).data?.confirm;
    if (answer?.action === 'accept' && answer.content?.confirm === true) return { given };
    throw new DomainError('declined', 'The user declined; nothing was done.');
  };
}

function question(op: Operation, given: Record<string, unknown>) {
  const text = JSON.stringify(given, undefined, 1);
  const shown = text.length > maxShown ? `${text.slice(0, maxShown)}… (shortened)` : text;
  return {
    method: 'elicitation/create' as const,
    params: {
      mode: 'form',
      message: `${op.title}? This cannot be undone.\n${shown}`,
      requestedSchema: {
        type: 'object',
        properties: { confirm: { type: 'boolean', title: 'Yes, do it', default: false } },
        required: ['confirm'],
      },
    },
  };
}
