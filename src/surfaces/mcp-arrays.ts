/** Only revision 2025-03-26 knows arrays; it is also what a missing version header means. */
const arrayRevision = '2025-03-26';
const maxArray = 20;

/** Why an array of messages cannot be taken; undefined for a good one and for a single message. */
export function arrayProblem(request: Request, body: unknown): string | undefined {
  if (!Array.isArray(body)) return undefined;
  const version = request.headers.get('mcp-protocol-version') ?? arrayRevision;
  if (version !== arrayRevision) return `Arrays exist in revision ${arrayRevision} only.`;
  if (body.length === 0 || body.length > maxArray) {
    return `An array may hold 1 to ${maxArray} messages.`;
  }
  const ids = body.flatMap((message) =>
    message?.method !== undefined && message.id !== undefined ? [message.id] : [],
  );
  if (new Set(ids).size < ids.length) return 'Every request of an array needs its own id.';
  return undefined;
}

/**
 * Closing the connection is the one way to cancel. The transport would wait for ever for the answer of a call that a
 * notification beside it had cancelled.
 */
export function withoutCancellations(body: unknown): unknown {
  return Array.isArray(body) ? body.filter((message) => message?.method !== 'notifications/cancelled') : body;
}

/** An array is answered with an array (JSON-RPC 2.0 §6); the transport takes a single answer out of it. */
export async function alike(body: unknown, response: Response): Promise<Response> {
  if (!Array.isArray(body) || response.status !== 200) return response;
  const answer: unknown = await response.json();
  return Response.json(Array.isArray(answer) ? answer : [answer]);
}
