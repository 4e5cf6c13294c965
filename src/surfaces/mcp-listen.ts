import type { McpHttpHandler } from '@modelcontextprotocol/server';
import { z } from 'zod';
import type { Deps } from '../deps.ts';
import type { Caller } from '../domain/caller.ts';
import { authenticate } from '../oauth/index.ts';
import { type AssignmentWatcher, maySee } from '../watch.ts';

const maxPerGrant = 5;
const maxUris = 50;

const listenBody = z.object({
  method: z.literal('subscriptions/listen'),
  params: z.object({
    notifications: z.looseObject({ resourceSubscriptions: z.array(z.string()).optional() }).optional(),
  }),
});

const assignmentUri = /^pharlo:\/\/assignments\/([0-9a-f]{8}(?:-[0-9a-f]{4}){3}-[0-9a-f]{12})$/;
const platformUri = /^pharlo:\/\/(platforms(\/[a-z0-9-]+)?|agent-rules)$/;

/** The resource URIs a subscriptions/listen asks for; undefined for every other message. */
export function listenUris(body: unknown): string[] | undefined {
  const parsed = listenBody.safeParse(body);
  return parsed.success ? (parsed.data.params.notifications?.resourceSubscriptions ?? []) : undefined;
}

export type Listening = {
  watcher: AssignmentWatcher;
  modern: McpHttpHandler;
  recheckMs: number;
  /** Aborted when the server is about to stop, so that its clients go elsewhere. */
  ending: AbortSignal;
  open: Map<string, number>;
};

export type Refusal = { status: 400 | 429; message: string };

/**
 * Serves one subscriptions/listen stream. What the caller may not see cannot be listened to; the token is looked at
 * again every 15 s, and the stream ends with it.
 */
export async function listen(
  deps: Deps,
  listening: Listening,
  asked: { request: Request; body: unknown; uris: string[]; caller: Caller },
): Promise<Response | Refusal> {
  const { request, body, uris, caller } = asked;
  const { open, modern, watcher, recheckMs } = listening;
  const ids = uris.flatMap((uri) => assignmentUri.exec(uri)?.[1] ?? []);
  const known = uris.every((uri) => assignmentUri.test(uri) || platformUri.test(uri));
  if (!known || uris.length > maxUris || !(await maySee(deps, caller, ids))) {
    return { status: 400, message: 'There is no resource of one of these URIs.' };
  }
  const holder = caller.grantId ?? caller.keyId;
  if ((open.get(holder) ?? 0) >= maxPerGrant)
    return { status: 429, message: `At most ${maxPerGrant} streams at once.` };
  open.set(holder, (open.get(holder) ?? 0) + 1);
  const refused = new AbortController();
  const ending = AbortSignal.any([refused.signal, listening.ending]);
  const stopWatching = await watcher.watch(ids).catch((error: unknown) => {
    leave(open, holder);
    throw error;
  });
  const recheck = setInterval(async () => {
    const found = await authenticate(deps, request.headers.get('authorization'), 'mcp').catch(() => undefined);
    if (found?.ok === false) refused.abort();
  }, recheckMs);
  const end = () => {
    clearInterval(recheck);
    stopWatching();
    leave(open, holder);
  };
  const signal = AbortSignal.any([request.signal, ending]);
  const streamed = new Request(request.url, { method: 'POST', headers: request.headers, signal });
  const authInfo = { token: '', clientId: '', scopes: [...caller.scopes], extra: { caller } };
  try {
    const response = await modern.fetch(streamed, { parsedBody: body, authInfo });
    if (response.body) return new Response(whenOver(response.body, ending, end), response);
    end();
    return response;
  } catch (error) {
    end();
    throw error;
  }
}

function leave(open: Map<string, number>, holder: string): void {
  const left = (open.get(holder) ?? 1) - 1;
  if (left > 0) open.set(holder, left);
  else open.delete(holder);
}

/** The same stream; `end` runs once, when it is read to its end, cancelled or aborted. */
function whenOver(
  source: ReadableStream<Uint8Array>,
  aborted: AbortSignal,
  end: () => void,
): ReadableStream<Uint8Array> {
  const reader = source.getReader();
  const over = Promise.withResolvers<'over'>();
  aborted.addEventListener('abort', () => over.resolve('over'), { once: true });
  return new ReadableStream({
    async pull(controller) {
      const next = await Promise.race([reader.read(), over.promise]).catch(() => 'over' as const);
      if (next !== 'over' && !next.done) return controller.enqueue(next.value);
      end();
      await reader.cancel().catch(() => {});
      controller.close();
    },
    async cancel() {
      end();
      await reader.cancel();
    },
  });
}
