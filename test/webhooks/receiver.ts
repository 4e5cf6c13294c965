import assert from 'node:assert/strict';
import { createHmac } from 'node:crypto';
import { once } from 'node:events';
import { createServer, type IncomingHttpHeaders } from 'node:http';
import type { AddressInfo } from 'node:net';
import { Webhook } from 'standardwebhooks';
import { readWebhookSecrets } from '../../src/callback.ts';
import type { Deps } from '../../src/deps.ts';
import { newId } from '../../src/domain/ids.ts';
import { insertConnection, saveTokens } from '../../src/store/connections.ts';
import { findOrganization } from '../../src/store/workspaces.ts';
import { type Harness, startHarness } from '../harness.ts';

export type Body = {
  assignmentId: string;
  status: string;
  platform: string;
  connectionId: string;
  platformPostId?: string;
  platformUrl?: string;
  errors: { code: string; message: string; retryable: boolean }[];
  externalId?: string;
  sequence: number;
  timestamp: string;
};

export type Received = { path: string; method: string; headers: IncomingHttpHeaders; text: string; body: Body };

type Answer = { status: number; headers?: Record<string, string>; body?: string } | 'hang up' | 'silence';

export type Receiver = AsyncDisposable & {
  url: string;
  received: Received[];
  /** What it answers; 204 unless a test says otherwise. */
  answer: (received: Received) => Answer | Promise<Answer>;
};

/** Somebody's endpoint, on loopback, with faults at the test's will. */
export async function startReceiver(): Promise<Receiver> {
  const server = createServer(async (request, response) => {
    let text = '';
    for await (const chunk of request.setEncoding('utf8')) text += chunk;
    const { url = '', method = '', headers } = request;
    const one = { path: url, method, headers, text, body: JSON.parse(text) as Body };
    receiver.received.push(one);
    const answer = await receiver.answer(one);
    if (answer === 'hang up') return void request.socket.destroy();
    if (answer !== 'silence') response.writeHead(answer.status, answer.headers).end(answer.body);
  });
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  const receiver: Receiver = {
    url: `http://127.0.0.1:${(server.address() as AddressInfo).port}/hook`,
    received: [],
    answer: () => ({ status: 204 }),
    async [Symbol.asyncDispose]() {
      server.closeAllConnections();
      server.close();
      await once(server, 'close');
    },
  };
  return receiver;
}

/** Callbacks may go to any loopback port. */
export const openLoopback = { PHARLO_ALLOWED_PRIVATE_HOSTS: '127.0.0.1' };

export type Delivery = {
  id: string;
  assignmentId?: string;
  url: string;
  event: string;
  sequence: number;
  status: string;
  httpStatusCode?: number;
  attempts: number;
  lastAttemptAt?: string;
  nextAttemptAt?: string;
  lastError?: string;
  durationMs?: number;
  createdAt: string;
};

export async function deliveriesOf(pharlo: Pick<Harness, 'rest'>, query = ''): Promise<Delivery[]> {
  const { status, body } = await pharlo.rest('GET', `/webhooks/deliveries${query}`);
  assert.equal(status, 200, JSON.stringify(body));
  return body.items as Delivery[];
}

/** Asks until the delivery looks so. */
export async function untilDelivery(
  pharlo: Pick<Harness, 'rest'>,
  query: string,
  isSo: (delivery: Delivery) => boolean,
): Promise<Delivery> {
  for (;;) {
    const [one] = await deliveriesOf(pharlo, query);
    if (one && isSo(one)) return one;
    await new Promise<void>((done) => setImmediate(done));
  }
}

/** Moves every clock and wakes the sender. */
export async function advance(pharlo: Harness, ms: number): Promise<void> {
  await pharlo.advance(ms);
  pharlo.app.deps.nudge('deliver-webhook');
}

export async function secretOf(pharlo: Harness, workspaceId = pharlo.workspaceId): Promise<string> {
  const { deps } = pharlo.app;
  return (await readWebhookSecrets(deps, deps.db, workspaceId))?.secret ?? assert.fail('no secret');
}

export const hexOf = (secret: string, text: string) => createHmac('sha256', secret).update(text).digest('hex');

/** What Standard Webhooks' library signs with this secret for what was received. */
export function standardOf(secret: string, { headers, text }: Received): string {
  const at = new Date(Number(headers['webhook-timestamp']) * 1000);
  return new Webhook(secret).sign(String(headers['webhook-id']), at, text);
}

/** Fails unless both signatures are what the secret makes of the bytes that came. */
export function assertSigned(received: Received, secret: string): void {
  assert.equal(received.headers['x-webhook-signature'], hexOf(secret, received.text));
  assert.equal(received.headers['webhook-signature'], standardOf(secret, received));
}

/** Pharlo with a channel row of its own and a receiver; `cancelled` makes an assignment with exactly one transition. */
export async function startSender(options: Parameters<typeof startHarness>[0] = {}) {
  await using stack = new AsyncDisposableStack();
  const receiver = stack.use(await startReceiver());
  const pharlo = stack.use(await startHarness({ environment: openLoopback, work: true, ...options }));
  const { db } = pharlo.app.deps;
  const connectionId = await insertChannel(pharlo.app.deps, pharlo.workspaceId);
  const disposables = stack.move();
  return {
    pharlo,
    receiver,
    connectionId,
    db,
    async cancelled(given: { key?: string; connectionId?: string; callbackUrl?: string } = {}): Promise<string> {
      const headers = { authorization: `Bearer ${given.key ?? pharlo.key}` };
      const input = {
        connectionId: given.connectionId ?? connectionId,
        type: 'video',
        payload: { title: 'A video' },
        mediaUrl: `${pharlo.sandboxUrl}/sample.mp4`,
        scheduledAt: new Date(pharlo.app.deps.now() + 3_600_000).toISOString(),
        callbackUrl: given.callbackUrl ?? receiver.url,
      };
      const { status, body } = await pharlo.rest('POST', '/assignments', input, headers);
      assert.equal(status, 201, JSON.stringify(body));
      const gone = await pharlo.rest('DELETE', `/assignments/${body.id}`, undefined, headers);
      assert.equal(gone.status, 204);
      return String(body.id);
    },
    [Symbol.asyncDispose]: () => disposables.disposeAsync(),
  };
}

/** A channel nobody publishes on. */
export async function insertChannel(
  { db, now, random }: Pick<Deps, 'db' | 'now' | 'random'>,
  workspaceId: string,
  organizationId?: string,
): Promise<string> {
  const organization = await findOrganization(db, workspaceId, organizationId);
  if (!organization) throw new Error('No organization.');
  const id = newId(now(), random);
  const nothing = { keyId: null, grantId: null, handle: null, thumbnailUrl: null };
  const channel = { platform: 'youtube', sandbox: true, accountId: `UC${id}`, name: 'Channel' };
  const ids = { id, workspaceId, organizationId: organization.id };
  await db.transaction((tx) => insertConnection(tx, { ...ids, ...channel, ...nothing }));
  const tokens = { sealed: Buffer.from('x'), expiresAt: null, refreshAt: null, lease: undefined };
  await saveTokens(db, ids, tokens);
  return id;
}
