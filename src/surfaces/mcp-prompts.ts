import { ProtocolError, ProtocolErrorCode } from '@modelcontextprotocol/server';
import type { Deps } from '../deps.ts';
import type { Scope } from '../domain/access.ts';
import type { Caller } from '../domain/caller.ts';
import type { Ask, Content } from '../domain/conversation.ts';

type Argument = { name: string; description: string; required?: boolean };

/** A ready way of working. It needs the scopes of the tools it speaks of. */
export type Prompt = {
  name: string;
  title: string;
  description: string;
  scopes: readonly Scope[];
  arguments: readonly Argument[];
  text: (given: Record<string, string>) => string;
  /** What stands before the text, e.g. a picture. */
  content?: (given: Record<string, string>) => readonly Content[];
  /** What the client is asked first. */
  ask?: Ask;
};

const channel: Argument = { name: 'channel', description: 'Name or id of the connected channel.' };
const platform: Argument = { name: 'platform', description: 'Platform slug, e.g. youtube.' };
const media: Argument = { name: 'mediaUrl', description: 'Public URL of the file.' };

const on = (given: Record<string, string>) => (given.channel ? ` on the channel ${given.channel}` : '');
const file = (given: Record<string, string>) => (given.mediaUrl ? ` The file is ${given.mediaUrl}.` : '');

export const prompts: readonly Prompt[] = [
  {
    name: 'publish_now',
    title: 'Publish now',
    description: 'Publishes one post and follows it until it is live.',
    scopes: ['assignments:write', 'assignments:read', 'connections:read', 'platforms:read'],
    arguments: [channel, media, { name: 'content', description: 'What to say.' }],
    text: (given) =>
      `Publish a post${on(given)}.${file(given)}${given.content ? ` Content: ${given.content}.` : ''} Find the channel with ` +
      'list_connections, read get_platform_capabilities, show me the final payload and ask me to confirm it. Then call ' +
      'create_assignment with an idempotencyKey, poll get_assignment until it is published or failed, and give me the link or the reason.',
  },
  {
    name: 'schedule_post',
    title: 'Schedule a post',
    description: 'Plans one post for a date and time.',
    scopes: ['assignments:write', 'assignments:read', 'connections:read', 'platforms:read'],
    arguments: [channel, media, { name: 'when', description: 'Date, time and time zone.' }],
    text: (given) =>
      `Schedule a post${on(given)}${given.when ? ` for ${given.when}` : ''}.${file(given)} Turn the time into RFC 3339 with offset ` +
      '(ask me for the time zone if I gave none), read get_platform_capabilities, ask me to confirm, call create_assignment ' +
      'with scheduledAt, and repeat the stored time to me.',
  },
  {
    name: 'connect_channel',
    title: 'Connect a channel',
    description: 'Brings a person through connecting a channel.',
    scopes: ['connections:write', 'connections:read', 'platforms:read'],
    arguments: [platform],
    text: (given) =>
      `Connect a ${given.platform ?? 'new'} channel. Call get_oauth_connect_url, give me the link and wait until I say that I am ` +
      'done. Then call check_oauth_status; when it succeeded, show the channel with list_connections, otherwise tell me the reason.',
  },
  {
    name: 'check_health',
    title: 'Check channel health',
    description: 'Looks for channels that need a person.',
    scopes: ['connections:read', 'connections:write'],
    arguments: [platform],
    text: (given) =>
      `Check my ${given.platform ?? ''} channels with list_connections (includeInactive: true). For each whose tokenStatus is ` +
      'expired, revoked or missing, offer me a link from get_oauth_connect_url with its connectionId.',
  },
  {
    name: 'debug_webhooks',
    title: 'Debug webhooks',
    description: 'Finds out why a callback URL was not told, and what to do.',
    scopes: ['webhooks:read', 'assignments:read'],
    arguments: [{ name: 'assignmentId', description: 'Only the deliveries of this assignment.' }],
    text: (given) =>
      `Find out why my webhooks do not arrive. Call list_webhook_deliveries with ` +
      `${given.assignmentId ? `assignmentId ${given.assignmentId}` : 'status failed, then pending'}, ` +
      'group what you find by url and lastError (http_status: by httpStatusCode), and compare sequence with the timeline of ' +
      'get_assignment: a delivery exists for each change of status after the first, if callbackUrl was set. Tell me per URL what ' +
      'is wrong on the receiving side, when the next try is, and which deliveries were given up, so that I can redeliver them.',
  },
  {
    name: 'retry_failure',
    title: 'Mend a failed post',
    description: 'Finds out why a post failed, removes the cause with you, and tries again.',
    scopes: ['assignments:write', 'assignments:read', 'connections:write'],
    arguments: [{ name: 'assignmentId', description: 'Id of the failed assignment. Left out: the newest failed one.' }],
    text: (given) =>
      `Help me with ${given.assignmentId ? `the failed assignment ${given.assignmentId}` : 'my newest failed post (list_assignments with status failed)'}. ` +
      'Read its errors and timeline with get_assignment and tell me the cause in plain words. If the channel must be connected ' +
      'again, give me the link of get_oauth_connect_url with its connectionId and wait. If the content was refused, show me what ' +
      'to change and create a new assignment after I agree. Call retry_assignment only when retryable is true or the cause was ' +
      'removed, ask me first, and follow it with get_assignment to its end.',
  },
  {
    name: 'weekly_report',
    title: 'Weekly report',
    description: 'Sums up a week: what went out, what failed, and how channels and posts do.',
    scopes: ['stats:read', 'connections:read', 'assignments:read'],
    arguments: [channel],
    text: (given) =>
      `Report on the last seven days${on(given)}. Call get_stats_overview with from, to and groupBy ` +
      `${given.channel ? 'connection' : 'day'}, once for these days and once for the seven before. Then get_channel_stats for ` +
      'each channel of list_connections, and get_post_stats for the newest published posts of list_assignments, ten at most. ' +
      'Tell me briefly what went out, what failed and why, what changed and what to do. A number that is absent is withheld: never call it 0.',
  },
];

/** What prompts/list shows a caller, in a stable order. */
export function listPrompts(all: readonly Prompt[], caller: Caller) {
  return offered(all, caller).map(({ name, title, description, arguments: given }) => ({
    name,
    title,
    description,
    arguments: given.map((argument) => ({ required: false, ...argument })),
  }));
}

function offered(all: readonly Prompt[], caller: Caller): Prompt[] {
  return all.filter((prompt) => prompt.scopes.every((scope) => caller.scopes.has(scope)));
}

/** The prompt of that name. Throws -32602 where there is none for the caller, or a required argument is missing. */
export function findPrompt(
  all: readonly Prompt[],
  name: string,
  given: Record<string, string>,
  caller: Caller,
): Prompt {
  const prompt = offered(all, caller).find((candidate) => candidate.name === name);
  if (!prompt) throw new ProtocolError(ProtocolErrorCode.InvalidParams, 'There is no prompt of that name.');
  const missing = prompt.arguments.filter((argument) => argument.required && given[argument.name] === undefined);
  if (missing.length === 0) return prompt;
  const names = missing.map((argument) => argument.name).join(', ');
  throw new ProtocolError(ProtocolErrorCode.InvalidParams, `The prompt needs: ${names}.`);
}

/** The names of the arguments of a prompt that is offered; undefined for any other. */
export function promptArguments(all: readonly Prompt[], name: string, caller: Caller): string[] | undefined {
  const prompt = offered(all, caller).find((candidate) => candidate.name === name);
  return prompt?.arguments.map((argument) => argument.name);
}

/** A prompt's messages. */
export function promptResult(prompt: Prompt, given: Record<string, string>) {
  const text = prompt.text(given).replace(/ {2,}/g, ' ');
  const contents = [...(prompt.content?.(given) ?? []), { type: 'text' as const, text }];
  return { description: prompt.description, messages: contents.map((content) => ({ role: 'user' as const, content })) };
}

/**
 * Suggestions for an argument of a prompt or a member of a template; from data that costs nothing. `names` are those
 * there are. Throws -32602 for any other.
 */
export function complete(deps: Deps, names: string[] | undefined, argument: { name: string; value: string }) {
  if (!names?.includes(argument.name)) {
    throw new ProtocolError(ProtocolErrorCode.InvalidParams, 'There is no such argument to complete.');
  }
  const { connectors, planned } = deps.platforms;
  const known: Record<string, readonly string[]> = {
    platform: connectors.map(({ slug }) => slug),
    slug: [...connectors, ...planned].map(({ slug }) => slug),
  };
  const values = (known[argument.name] ?? []).filter((value) => value.startsWith(argument.value.toLowerCase()));
  return { completion: { values: values.slice(0, 100), total: values.length, hasMore: values.length > 100 } };
}
