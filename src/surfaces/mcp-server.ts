import {
  CLIENT_CAPABILITIES_META_KEY,
  ProtocolError,
  ProtocolErrorCode,
  type Server,
  type ServerContext,
} from '@modelcontextprotocol/server';
import type { Deps } from '../deps.ts';
import { type Caller, isAllowed } from '../domain/caller.ts';
import type { Ask } from '../domain/conversation.ts';
import { execute, type Progress } from '../operation.ts';
import { confirmation } from './mcp-confirm.ts';
import { type Offer, objectsFromText, type Tool } from './mcp-offer.ts';
import { complete, findPrompt, listPrompts, promptArguments, promptResult } from './mcp-prompts.ts';
import { PlainServer } from './mcp-protocol.ts';
import { listResources, listResourceTemplates, readResource, templateMembers } from './mcp-resources.ts';
import { assertFits, toolFailure, toolResult } from './mcp-result.ts';
import { roundOf, type Told } from './mcp-rounds.ts';

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
export function createServer(deps: Deps, offer: Offer, asking: Asking): Server {
  const { caller, era } = asking;
  const { tools, prompts, resources } = offer;
  const hint = { ttlMs: listTtlMs, cacheScope: 'private' as const };
  const server = new PlainServer(deps, info, {
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
  const callOf = (mcpReq: McpRequest): Call => ({
    caller,
    signal: asking.era === 'legacy' ? asking.gone : mcpReq.signal,
    ...(era === 'modern' && { told: toldBy(mcpReq), progress: progressTo(mcpReq) }),
  });
  server.setRequestHandler('tools/list', () => ({
    tools: [...tools.values()].filter(({ op }) => isAllowed(caller, op.access)).map(({ listed }) => listed) as never,
  }));
  server.setRequestHandler('tools/call', async ({ params }, { mcpReq }) => {
    const tool = tools.get(params.name);
    if (!tool) throw new ProtocolError(ProtocolErrorCode.InvalidParams, 'There is no tool of that name.');
    return callTool(deps, tool, objectsFromText(tool.op, params.arguments ?? {}), callOf(mcpReq));
  });
  server.setRequestHandler('resources/list', () => ({ resources: listResources(resources, caller) }));
  server.setRequestHandler('resources/templates/list', () => ({
    resourceTemplates: listResourceTemplates(resources, caller),
  }));
  server.setRequestHandler('resources/read', ({ params }, { mcpReq }) =>
    readResource(deps, resources, params.uri, callOf(mcpReq)),
  );
  server.setRequestHandler('prompts/list', () => ({ prompts: listPrompts(prompts, caller) }));
  server.setRequestHandler('prompts/get', async ({ params }, { mcpReq }) => {
    const given = params.arguments ?? {};
    const prompt = findPrompt(prompts, params.name, given, caller);
    const round = await asked(deps, prompt, given, callOf(mcpReq));
    return 'question' in round ? round.question : promptResult(prompt, round.given as Record<string, string>);
  });
  server.setRequestHandler('completion/complete', ({ params }) => {
    const { ref, argument } = params;
    const names =
      ref.type === 'ref/prompt'
        ? promptArguments(prompts, ref.name, caller)
        : templateMembers(resources, ref.uri, caller);
    return complete(deps, names, argument);
  });
  return server;
}

type McpRequest = Omit<ServerContext['mcpReq'], 'send'>;

/** `told` and `progress` are absent in the older era, which is answered in one piece. */
type Call = { caller: Caller; signal: AbortSignal; told?: Told; progress?: Progress | undefined };

/** Tells progress to a client that wants to hear of it. */
function progressTo({ _meta, notify }: McpRequest): Progress | undefined {
  const progressToken = _meta?.progressToken;
  if (progressToken === undefined) return undefined;
  return async ({ done, total, message }) => {
    const params = { progressToken, progress: done, total, message };
    // A client that went away is told by the signal.
    await notify({ method: 'notifications/progress', params }).catch(() => {});
  };
}

function toldBy(mcpReq: McpRequest): Told {
  const envelope = mcpReq.envelope as Record<string, unknown> | undefined;
  const capabilities = (envelope?.[CLIENT_CAPABILITIES_META_KEY] ?? {}) as Record<string, unknown>;
  return { capabilities, responses: mcpReq.inputResponses, state: mcpReq.requestState<string>() };
}

/** What the client is to be asked before a call, or the arguments to go on with. */
async function asked(
  deps: Deps,
  { name, ask }: { name: string; ask?: Ask | undefined },
  given: Record<string, unknown>,
  { caller, told }: Call,
): ReturnType<typeof roundOf> {
  return ask && told ? roundOf(deps, caller, { name, ask, given }, told) : { given };
}

async function callTool(deps: Deps, { op, face }: Tool, given: Record<string, unknown>, call: Call) {
  const { caller, signal, progress } = call;
  try {
    const ask = face.ask ?? (op.hints.destructive ? confirmation(op) : undefined);
    const round = await asked(deps, { name: op.name, ask }, given, call);
    if ('question' in round) return round.question;
    // Only a read is refused for its size: a write's answer tells what was done, and its size is nobody's choice.
    const accept = op.hints.readOnly ? (output: unknown) => assertFits(op, face, output) : undefined;
    return toolResult(face, await execute(deps, op, round.given, caller, { signal, accept, progress }));
  } catch (failure) {
    if (failure instanceof ProtocolError) throw failure;
    return toolFailure(deps, op, failure);
  }
}
