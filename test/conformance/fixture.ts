import { z } from 'zod';
import { type McpFace, type Operation, operation } from '../../src/operation.ts';

/** A free tool that everybody may call. */
export function fixture<I extends object>(
  name: string,
  input: z.ZodType<I>,
  say: (input: I) => string,
  face: Omit<McpFace<{ text: string }>, 'text'> = {},
): Operation {
  return operation<I, { text: string }>({
    name,
    title: name,
    description: 'What the conformance tool calls by this name.',
    access: 'platforms:read',
    credits: 'FREE',
    hints: { readOnly: true, destructive: false, idempotent: true, openWorld: false },
    input,
    output: z.object({ text: z.string() }),
    mcp: { text: ({ text }) => text, ...face },
    kind: 'read',
    handle: async (given) => ({ text: say(given) }),
  });
}
