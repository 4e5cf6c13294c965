import { ProtocolError, ProtocolErrorCode } from '@modelcontextprotocol/server';
import type { Deps } from '../deps.ts';
import type { Caller } from '../domain/caller.ts';
import { DomainError } from '../domain/errors.ts';
import { execute, type Operation } from '../operation.ts';
import { getAssignment } from '../operations/assignments.ts';
import { getPlatformCapabilities, listPlatforms } from '../operations/platforms.ts';
import { publicError } from './errors.ts';
import { creditsMeta } from './mcp-result.ts';

/** A readable thing behind a URI; reading goes through its operation, at its scope and price. */
type Readable = {
  op: Operation;
  pattern: RegExp;
  input: (found: RegExpExecArray) => Record<string, unknown>;
};

const platformsUri = 'pharlo://platforms';
const rulesUri = 'pharlo://agent-rules';

const readables: readonly Readable[] = [
  { op: listPlatforms, pattern: /^pharlo:\/\/platforms$/, input: () => ({}) },
  {
    op: getPlatformCapabilities,
    pattern: /^pharlo:\/\/platforms\/([a-z0-9-]{1,40})$/,
    input: ([, platform]) => ({ platform }),
  },
  {
    op: getAssignment,
    pattern: /^pharlo:\/\/assignments\/([0-9a-f-]{36})$/,
    input: ([, assignmentId]) => ({ assignmentId }),
  },
];

/** How an agent should behave here; plain text, free for everybody who may call at all. */
export const agentRules = [
  'Publish only on a channel the user has named or confirmed; resolve it with list_connections.',
  'Read get_platform_capabilities first and use only the fields it names; only platforms with status live can be published to.',
  'Confirm content, visibility and time with the user before create_assignment. YouTube videos are private by default.',
  'Schedule only with an explicit date, time and time zone, and echo the result back.',
  'Change time or content of a waiting assignment instead of cancelling and creating it anew.',
  'Never invent media or metadata.',
  'Do not retry blindly: read the failure first; outcome_unknown means that somebody must look at the channel.',
  'When these rules and a tool answer disagree, the tool answer wins.',
].join('\n');

const json = 'application/json';

/** What resources/list shows a caller, in a stable order. */
export function listResources(caller: Caller) {
  const platforms = { uri: platformsUri, name: 'platforms', title: 'Platforms', mimeType: json };
  const rules = { uri: rulesUri, name: 'agent-rules', title: 'Rules for agents', mimeType: 'text/plain' };
  return caller.scopes.has(listPlatforms.access) ? [platforms, rules] : [rules];
}

/** What resources/templates/list shows a caller. */
export function listResourceTemplates(caller: Caller) {
  const platform = {
    uriTemplate: 'pharlo://platforms/{slug}',
    name: 'platform',
    title: 'What a platform accepts',
    mimeType: json,
  };
  const assignment = {
    uriTemplate: 'pharlo://assignments/{id}',
    name: 'assignment',
    title: 'One publishing job',
    mimeType: json,
  };
  return [
    ...(caller.scopes.has(getPlatformCapabilities.access) ? [platform] : []),
    ...(caller.scopes.has(getAssignment.access) ? [assignment] : []),
  ];
}

function find(uri: string): { readable: Readable; found: RegExpExecArray } | undefined {
  for (const readable of readables) {
    const found = readable.pattern.exec(uri);
    if (found) return { readable, found };
  }
  return undefined;
}

/** The operation behind a resource, for the scope check before dispatch. */
export function resourceOperation(uri: unknown): Operation | undefined {
  return typeof uri === 'string' ? find(uri)?.readable.op : undefined;
}

/** Reads a resource. What does not exist or may not be seen is -32602, as the 2026-07-28 revision has it. */
export async function readResource(
  deps: Deps,
  uri: string,
  { caller, signal }: { caller: Caller; signal: AbortSignal },
) {
  if (uri === rulesUri) {
    return { contents: [{ uri, mimeType: 'text/plain', text: agentRules }], _meta: creditsMeta({ used: 0 }) };
  }
  const match = find(uri);
  if (!match) throw new ProtocolError(ProtocolErrorCode.InvalidParams, 'There is no resource of that URI.', { uri });
  const { readable, found } = match;
  try {
    const outcome = await execute(deps, readable.op, readable.input(found), caller, { signal });
    return { contents: [{ uri, mimeType: json, text: JSON.stringify(outcome.output) }], _meta: creditsMeta(outcome) };
  } catch (failure) {
    const { error } = publicError(deps, failure);
    const unseen = failure instanceof DomainError && (error.kind === 'not_found' || error.kind === 'invalid');
    const code = unseen ? ProtocolErrorCode.InvalidParams : ProtocolErrorCode.InternalError;
    throw new ProtocolError(code, unseen ? 'There is no resource of that URI.' : error.message, { uri });
  }
}
