import { price, toCredits } from '../domain/credits.ts';
import type { Operation } from '../operation.ts';
import { schemasOf } from './schemas.ts';

/** Every MCP tool with what it needs, costs, takes and gives, as `/mcp-tools.json` and docs/mcp-tools.json tell it. */
export function toolCatalog(operations: readonly Operation[]) {
  const tools = operations
    .filter(({ mcp }) => mcp)
    .map((op) => ({
      name: op.name,
      title: op.title,
      description: op.description,
      scope: op.access,
      tier: op.credits,
      credits: creditsOf(op),
      ...(op.rest && { rest: `${op.rest.method} /api/v1${op.rest.path}` }),
      hints: op.hints,
      inputSchema: schemasOf(op).input,
      outputSchema: schemasOf(op).output,
    }));
  return { tools };
}

/** What one call costs, by its door. */
export function creditsOf(op: Operation): { rest: number; mcp: number } {
  return { rest: toCredits(price(op.credits, 'rest')), mcp: toCredits(price(op.credits, 'mcp')) };
}
