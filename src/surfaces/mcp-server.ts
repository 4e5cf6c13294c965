import { CLIENT_CAPABILITIES_META_KEY, ProtocolError, ProtocolErrorCode, Server } from '@modelcontextprotocol/server';
import type { Deps } from '../deps.ts';
import type { Caller } from '../domain/caller.ts';
import { execute, type McpFace, type Operation } from '../operation.ts';
import { operations } from '../operations/index.ts';
import { confirmationOf, type Round } from './mcp-confirm.ts';
import { complete, getPrompt, listPrompts } from './mcp-prompts.ts';
import { listResources, listResourceTemplates, readResource, resourceOperation } from './mcp-resources.ts';
import { assertFits, toolFailure, toolResult } from './mcp-result.ts';
import { type JsonSchema, schemasOf } from './schemas.ts';

type Tool = { op: Operation; face: McpFace<unknown>; listed: object };

/** Every tool with its list entry, built once. */
const tools: readonly Tool[] = operations.flatMap((op) =>
  op.mcp ? [{ op, face: op.mcp, listed: listEntry(op) }] : [],
);
const byName = new Map(tools.map((tool) => [tool.op.name, tool]));

/** The operation a message would run, for the scope check before dispatch; read from the body, never from a header. */
export function operationOf(message: {
  method?: unknown;
  params?: { name?: unknown; uri?: unknown };
}): Operation | undefined {
  const name = message.params?.name;
  if (message.method === 'tools/call') return typeof name === 'string' ? byName.get(name)?.op : undefined;
  if (message.method === 'resources/read') return resourceOperation(message.params?.uri);
  return undefined;
}

const info = { name: 'pharlo', title: 'Pharlo', version: '0.1.0' };

const instructions = [
  'Pharlo publishes to social-media channels that the user has connected.',
  'Before publishing: list_connections (none? get_oauth_connect_url, give the link to the user, then check_oauth_status),',
  'get_platform_capabilities for the payload, and confirm channel, content and time with the user.',
  'create_assignment answers at once; follow it with get_assignment until published or failed.',
  'Times need an explicit UTC offset. Pass an idempotencyKey so that a repeated call cannot post twice.',
  'Never invent media or metadata, and read the reason of a failure before trying again.',
].join(' ');

const listTtlMs = 300_000;

/** Whose request a server answers. `gone` is aborted when the connection is closed; the newer era tells that itself. */
export type Asking = { caller: Caller } & ({ era: 'legacy'; gone: AbortSignal } | { era: 'modern' });

/** A fresh protocol server for one request of one caller. Changes are streamed in the 2026-07-28 era only. */
export function createServer(deps: Deps, asking: Asking): Server {
  const { caller, era } = asking;
  const hint = { ttlMs: listTtlMs, cacheScope: 'private' as const };
  const server = new Server(info, {
    capabilities: { tools: {}, resources: { subscribe: era === 'modern' }, prompts: {}, completions: {} },
    instructions,
    cacheHints: {
      'tools/list': hint,
      'server/discover': hint,
      'prompts/list': hint,
      'resources/list': hint,
      'resources/templates/list': hint,
      'resources/read': { ttlMs: 0, cacheScope: 'private' },
    },
  });
  const goneSignal = (mcpReq: { signal: AbortSignal }) => (asking.era === 'legacy' ? asking.gone : mcpReq.signal);
  server.setRequestHandler('tools/list', () => ({
    tools: tools.filter(({ op }) => caller.scopes.has(op.access)).map(({ listed }) => listed) as never,
  }));
  server.setRequestHandler('tools/call', async ({ params }, { mcpReq }) => {
    const tool = byName.get(params.name);
    if (!tool) throw new ProtocolError(ProtocolErrorCode.InvalidParams, 'There is no tool of that name.');
    const round = {
      capabilities: (mcpReq.envelope as Record<string, unknown> | undefined)?.[CLIENT_CAPABILITIES_META_KEY],
      responses: mcpReq.inputResponses,
      state: mcpReq.requestState<string>(),
    };
    const given = objectsFromText(tool.op, params.arguments ?? {});
    return callTool(deps, tool, given, { caller, signal: goneSignal(mcpReq) }, round);
  });
  server.setRequestHandler('resources/list', () => ({ resources: listResources(caller) }));
  server.setRequestHandler('resources/templates/list', () => ({ resourceTemplates: listResourceTemplates(caller) }));
  server.setRequestHandler('resources/read', ({ params }, { mcpReq }) =>
    readResource(deps, params.uri, { caller, signal: goneSignal(mcpReq) }),
  );
  server.setRequestHandler('prompts/list', () => ({ prompts: listPrompts(caller) }));
  server.setRequestHandler('prompts/get', ({ params }) => getPrompt(params.name, params.arguments ?? {}, caller));
  server.setRequestHandler('completion/complete', ({ params }) => complete(deps, params.argument));
  return server;
}

type Call = { caller: Caller; signal: AbortSignal };

async function callTool(deps: Deps, tool: Tool, given: Record<string, unknown>, call: Call, round: Round) {
  const { caller, signal } = call;
  try {
    const question = await confirmationOf(deps, caller, tool.op, given, round);
    if (question) return question;
    // Only a read is refused for its size: a write's answer tells what was done, and its size is nobody's choice.
    const accept = tool.op.hints.readOnly ? (output: unknown) => assertFits(tool.op, tool.face, output) : undefined;
    return toolResult(tool.face, await execute(deps, tool.op, given, caller, { signal, accept }));
  } catch (failure) {
    return toolFailure(deps, tool.op, failure);
  }
}

/** Some clients send objects as JSON text; both are accepted where the schema names an object. */
function objectsFromText(op: Operation, given: Record<string, unknown>): Record<string, unknown> {
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
    outputSchema: output satisfies JsonSchema,
    annotations: {
      title: op.title,
      readOnlyHint: readOnly,
      destructiveHint: destructive,
      idempotentHint: idempotent,
      openWorldHint: openWorld,
    },
  };
}
