import { Readable } from 'node:stream';
import type { Dispatcher } from 'undici';
import { OutgoingError } from './errors.ts';
import { requestHeaders, responseHeaders } from './headers.ts';

export type RequestBody = string | Uint8Array | ReadableStream<Uint8Array> | AsyncIterable<Uint8Array>;

export type OutgoingRequest = {
  method: string;
  headers?: Record<string, string>;
  body?: RequestBody;
  signal?: AbortSignal;
};

const BODILESS = new Set([204, 205, 304]);

/**
 * Sends one request and answers with its response, whatever the status; nothing is followed, decoded or buffered.
 * Bodies stream both ways with back-pressure, at most one chunk ahead; an unread body must be cancelled.
 * Rejects with an OutgoingError, with the error of the request body's source, or with the signal's own reason
 * (a TimeoutError becomes `timeout`). The request body is released in every case.
 */
export async function exchange(dispatcher: Dispatcher, url: URL, request: OutgoingRequest): Promise<Response> {
  const { method, signal } = request;
  const source = watched(request.body);
  try {
    signal?.throwIfAborted();
    const pending = dispatcher.request({
      origin: url.origin,
      path: url.pathname + url.search,
      method,
      headers: requestHeaders(request.headers),
      body: source.body ?? null,
      signal: signal ?? null,
    });
    return toResponse(await untilAborted(pending, signal), method, signal);
  } catch (error) {
    release(source.body);
    throw source.failure ? source.failure.error : translated(error, signal);
  }
}

type Watched = { body?: string | Uint8Array | Readable; failure?: { error: unknown } };

/** Makes a stream of the body and remembers what its source threw, to tell it from a failure of the connection. */
function watched(body: RequestBody | undefined): Watched {
  if (body === undefined || typeof body === 'string' || body instanceof Uint8Array) {
    return body === undefined ? {} : { body };
  }
  const state: Watched = {};
  const iterator = body[Symbol.asyncIterator]();
  const iterable: AsyncIterable<Uint8Array> = {
    [Symbol.asyncIterator]: () => ({
      next: async () => {
        try {
          return await iterator.next();
        } catch (error) {
          state.failure = { error };
          throw error;
        }
      },
      return: async () => {
        // An iterator that never started would leave its stream open.
        if (body instanceof Readable) body.destroy();
        await iterator.return?.();
        return { done: true, value: undefined };
      },
    }),
  };
  state.body = Readable.from(iterable, { objectMode: false });
  return state;
}

/** Closes a request body that will not be sent, so that the connection it may come from is freed. */
export function release(body: RequestBody | Readable | undefined): void {
  if (body instanceof Readable) body.on('error', () => {}).destroy();
  else if (body instanceof ReadableStream) body.cancel().catch(() => {});
  else if (body && typeof body === 'object' && Symbol.asyncIterator in body) {
    body[Symbol.asyncIterator]()
      .return?.()
      .catch(() => {});
  }
}

/** undici looks at the signal only once it is connected; a caller that gives up should not wait for that. */
async function untilAborted<T>(pending: Promise<T>, signal: AbortSignal | undefined): Promise<T> {
  if (!signal) return pending;
  const { promise, resolve, reject } = Promise.withResolvers<T>();
  const onAbort = () => reject(signal.reason);
  signal.addEventListener('abort', onAbort, { once: true });
  pending.then(resolve, reject);
  try {
    return await promise;
  } finally {
    signal.removeEventListener('abort', onAbort);
  }
}

function toResponse(answer: Dispatcher.ResponseData, method: string, signal: AbortSignal | undefined): Response {
  const { statusCode: status, body } = answer;
  body.on('error', () => {});
  const headers = responseHeaders(answer.headers);
  if (status > 599) {
    body.destroy();
    throw new OutgoingError('unreachable', true);
  }
  if (method === 'HEAD' || BODILESS.has(status)) {
    body.resume();
    return new Response(null, { status, headers });
  }
  return new Response(streamOf(body, signal), { status, headers });
}

function streamOf(body: Readable, signal: AbortSignal | undefined): ReadableStream<Uint8Array<ArrayBuffer>> {
  const chunks: AsyncIterator<Buffer<ArrayBuffer>> = body.iterator();
  return new ReadableStream(
    {
      async pull(controller) {
        try {
          const next = await chunks.next();
          if (next.done) controller.close();
          else controller.enqueue(new Uint8Array(next.value.buffer, next.value.byteOffset, next.value.byteLength));
        } catch (error) {
          controller.error(translated(error, signal));
        }
      },
      cancel() {
        body.destroy();
      },
    },
    { highWaterMark: 0 },
  );
}

const TIMEOUTS = new Set(['UND_ERR_HEADERS_TIMEOUT', 'UND_ERR_BODY_TIMEOUT']);
const MALFORMED = new Set(['UND_ERR_INVALID_ARG', 'UND_ERR_NOT_SUPPORTED']);

/** Our own error for whatever undici threw; nothing of the original goes out, since it may quote the peer. */
function translated(error: unknown, signal: AbortSignal | undefined): unknown {
  if (signal?.aborted) {
    const { reason } = signal;
    return reason instanceof DOMException && reason.name === 'TimeoutError'
      ? new OutgoingError('timeout', true)
      : reason;
  }
  // The connector's errors may be shared by several requests that waited for the same socket.
  if (error instanceof OutgoingError) return new OutgoingError(error.code, error.sent);
  const code = error instanceof Error && 'code' in error ? String(error.code) : '';
  if (MALFORMED.has(code)) return new TypeError('The outgoing request is malformed.');
  return new OutgoingError(TIMEOUTS.has(code) ? 'timeout' : 'unreachable', true);
}
