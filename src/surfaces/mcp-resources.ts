import { ProtocolError, ProtocolErrorCode } from '@modelcontextprotocol/server';
import type { Deps } from '../deps.ts';
import { type Caller, isAllowed } from '../domain/caller.ts';
import { DomainError } from '../domain/errors.ts';
import { execute, type Operation } from '../operation.ts';
import { getAssignment } from '../operations/assignments.ts';
import { getPlatformCapabilities, listPlatforms } from '../operations/platforms.ts';
import { publicError } from './errors.ts';
import { creditsMeta } from './mcp-result.ts';

type Contents = { text: string } | { blob: string };

/** Something to read, behind a URI or a template of URIs. */
export type Resource = {
  name: string;
  title: string;
  mimeType: string;
  /** `{name}` stands for what may differ. */
  uri: string;
} & (
  | {
      /** Reading goes through this operation, at its scope and price. */
      op: Operation;
      input: (found: Record<string, string>) => Record<string, unknown>;
      /** How the output is told; JSON unless said otherwise. */
      contents?: (output: unknown) => Contents;
    }
  /** The same for everybody, and free. */
  | { op?: undefined; text: string }
);

/** How an agent should behave here. */
const agentRules = [
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

/** The product's own, in the order in which lists show them. */
export const resources: readonly Resource[] = [
  {
    uri: 'pharlo://platforms',
    name: 'platforms',
    title: 'Platforms',
    mimeType: json,
    op: listPlatforms,
    input: () => ({}),
  },
  {
    uri: 'pharlo://agent-rules',
    name: 'agent-rules',
    title: 'Rules for agents',
    mimeType: 'text/plain',
    text: agentRules,
  },
  {
    uri: 'pharlo://platforms/{slug}',
    name: 'platform',
    title: 'What a platform accepts',
    mimeType: json,
    op: getPlatformCapabilities,
    input: ({ slug }) => ({ platform: slug }),
  },
  {
    uri: 'pharlo://assignments/{id}',
    name: 'assignment',
    title: 'One publishing job',
    mimeType: json,
    op: getAssignment,
    input: ({ id }) => ({ assignmentId: id }),
  },
];

/** What resources/list shows a caller. */
export function listResources(all: readonly Resource[], caller: Caller) {
  return offered(all, caller).flatMap(({ uri, name, title, mimeType }) =>
    isTemplate(uri) ? [] : [{ uri, name, title, mimeType }],
  );
}

/** What resources/templates/list shows a caller. */
export function listResourceTemplates(all: readonly Resource[], caller: Caller) {
  return offered(all, caller).flatMap(({ uri, name, title, mimeType }) =>
    isTemplate(uri) ? [{ uriTemplate: uri, name, title, mimeType }] : [],
  );
}

const isTemplate = (uri: string) => uri.includes('{');

function offered(all: readonly Resource[], caller: Caller): Resource[] {
  return all.filter(({ op }) => op === undefined || isAllowed(caller, op.access));
}

/** The members of a template that is offered; undefined for any other. */
export function templateMembers(all: readonly Resource[], template: string, caller: Caller): string[] | undefined {
  const known = offered(all, caller).some(({ uri }) => uri === template && isTemplate(uri));
  return known ? [...template.matchAll(/\{(\w+)\}/g)].map(([, name]) => name ?? '') : undefined;
}

type Found = { resource: Resource; members: Record<string, string> };

function find(all: readonly Resource[], uri: string): Found | undefined {
  for (const resource of all) {
    const members = membersOf(resource.uri, uri);
    if (members) return { resource, members };
  }
  return undefined;
}

/** The members of a template that a URI fills, one path segment each; undefined when it does not fit. */
function membersOf(template: string, uri: string): Record<string, string> | undefined {
  const wanted = template.split('/');
  const given = uri.split('/');
  if (wanted.length !== given.length) return undefined;
  const members: [string, string][] = [];
  for (const [index, segment] of wanted.entries()) {
    const value = given[index] ?? '';
    const name = /^\{(\w+)\}$/.exec(segment)?.[1];
    if (name !== undefined && value !== '') members.push([name, value]);
    else if (segment !== value) return undefined;
  }
  return Object.fromEntries(members);
}

/** The operation behind a resource, for the scope check before dispatch. */
export function resourceOperation(all: readonly Resource[], uri: unknown): Operation | undefined {
  return typeof uri === 'string' ? find(all, uri)?.resource.op : undefined;
}

/** Reads a resource. What does not exist or may not be seen is -32602, as the 2026-07-28 revision has it. */
export async function readResource(
  deps: Deps,
  all: readonly Resource[],
  uri: string,
  { caller, signal }: { caller: Caller; signal: AbortSignal },
) {
  const found = find(all, uri);
  if (!found) throw new ProtocolError(ProtocolErrorCode.InvalidParams, 'There is no resource of that URI.', { uri });
  const { resource, members } = found;
  const { mimeType } = resource;
  if (!resource.op) {
    return { contents: [{ uri, mimeType, text: resource.text }], _meta: creditsMeta({ used: 0 }) };
  }
  const { op, input, contents = (output) => ({ text: JSON.stringify(output) }) } = resource;
  try {
    const outcome = await execute(deps, op, input(members), caller, { signal });
    return { contents: [{ uri, mimeType, ...contents(outcome.output) }], _meta: creditsMeta(outcome) };
  } catch (failure) {
    const { error } = publicError(deps, failure, { operation: op.name });
    const unseen = failure instanceof DomainError && (error.kind === 'not_found' || error.kind === 'invalid');
    const code = unseen ? ProtocolErrorCode.InvalidParams : ProtocolErrorCode.InternalError;
    throw new ProtocolError(code, unseen ? 'There is no resource of that URI.' : error.message, { uri });
  }
}
