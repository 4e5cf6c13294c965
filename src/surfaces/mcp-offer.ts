import type { Scope } from '../domain/access.ts';
import { type Caller, scopeLacking } from '../domain/caller.ts';
import type { McpFace, Operation } from '../operation.ts';
import type { Catalog } from './catalog.ts';
import type { Prompt } from './mcp-prompts.ts';
import { type Resource, resourceOperation } from './mcp-resources.ts';
import { schemasOf, shallow } from './schemas.ts';

/** An operation as tools/list and tools/call have it. */
export type Tool = { op: Operation; face: McpFace<unknown>; listed: object };

/** What the endpoint serves. */
export type Offer = {
  tools: ReadonlyMap<string, Tool>;
  prompts: readonly Prompt[];
  resources: readonly Resource[];
};

/** Every tool with its list entry, built once. */
export function offerOf({ operations, prompts, resources }: Catalog): Offer {
  const tools = operations.flatMap((op): [string, Tool][] =>
    op.mcp ? [[op.name, { op, face: op.mcp, listed: listEntry(op) }]] : [],
  );
  return { tools: new Map(tools), prompts, resources };
}

/** The scopes a caller lacks for a message, checked before dispatch; read from the body, never from a header. */
export function lackingScopes(
  { tools, prompts, resources }: Offer,
  message: { method?: unknown; params?: { name?: unknown; uri?: unknown } },
  caller: Caller,
): Scope[] {
  const { name, uri } = message.params ?? {};
  if (message.method === 'prompts/get') {
    const prompt = prompts.find((candidate) => candidate.name === name);
    return prompt?.scopes.filter((scope) => !caller.scopes.has(scope)) ?? [];
  }
  const tool = message.method === 'tools/call' && typeof name === 'string' ? tools.get(name)?.op : undefined;
  const op = tool ?? (message.method === 'resources/read' ? resourceOperation(resources, uri) : undefined);
  const lacking = op && scopeLacking(caller, op.access);
  return lacking ? [lacking] : [];
}

/** Some clients send objects as JSON text; both are accepted where the schema names an object. */
export function objectsFromText(op: Operation, given: Record<string, unknown>): Record<string, unknown> {
  const { properties = {} } = schemasOf(op).input;
  const entries = Object.entries(given).map(([name, value]) => {
    if (typeof value !== 'string' || properties[name]?.type !== 'object') return [name, value];
    try {
      return [name, JSON.parse(value)];
    } catch {
      return [name, value];
    }
  });
  return Object.fromEntries(entries);
}

function listEntry(op: Operation): object {
  const { readOnly, destructive, idempotent, openWorld } = op.hints;
  const { input, output } = schemasOf(op);
  return {
    name: op.name,
    title: op.title,
    description: op.description,
    inputSchema: input,
    outputSchema: shallow(output),
    annotations: {
      title: op.title,
      readOnlyHint: readOnly,
      destructiveHint: destructive,
      idempotentHint: idempotent,
      openWorldHint: openWorld,
    },
  };
}
