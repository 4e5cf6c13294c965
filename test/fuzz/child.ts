import { scopes } from '../../src/domain/access.ts';
import { defaultLimits } from '../../src/domain/limits.ts';
import { startPlatform } from '../engine/platform.ts';
import { type Harness, startHarness } from '../harness.ts';
import {
  connected,
  delivered,
  failed,
  newestGrant,
  type Owner,
  pending,
  published,
  ticket,
} from '../isolation/belongings.ts';
import { footprint } from '../refusals.ts';
import { code, consentPage, registered, tokens } from './consent.ts';
import type { Books, Memory, Questions, World } from './world.ts';

/** The server under fire, in a process of its own: started with --expose-gc and an IPC channel. */

await using platform = await startPlatform();
const errors: string[] = [];
await using pharlo = await startHarness({
  environment: {
    PHARLO_SANDBOX_URL: platform.origin,
    PHARLO_ALLOWED_PRIVATE_HOSTS: new URL(platform.origin).host,
    PHARLO_LIMITS: Object.keys(defaultLimits)
      .map((name) => `${name}=1000000/s`)
      .join(','),
    PHARLO_PLANS: JSON.stringify([{ slug: 'large', name: 'Large', monthlyCredits: 10_000_000 }]),
    PHARLO_DEFAULT_PLAN: 'large',
  },
  world: {
    write: (line) => {
      if (line.includes('"error"')) errors.push(line);
    },
    // Nothing leaves the machine, and nobody waits for a resolver that is not there.
    lookup: (name, _options, done) => done(Object.assign(new Error(name), { code: 'ENOTFOUND' }), []),
  },
});
const { url, key, workspaceId } = pharlo;
const owner: Owner = { key, workspaceId };
const mediaUrl = `${platform.origin}/sample.mp4`;
const resource = `${url}/_mcp`;
const clientId = await registered(url);
const client = { url, clientId, resource };

/** The channel that calls are about, and a post on it. */
async function channel(): Promise<{ connectionId: string; publishedId: string }> {
  const connectionId = await connected(pharlo, owner);
  return { connectionId, publishedId: await published(pharlo, owner, { connectionId, mediaUrl }) };
}

let home = await channel();

const times = <T>(count: number, make: () => Promise<T>) => Promise.all(Array.from({ length: count }, make));

/** The workspace with enough of everything, made anew where requests have used it up. */
async function world(): Promise<World> {
  // A request with another method may have deleted it, and one with another flag switched it off.
  const found = await pharlo.rest('PATCH', `/connections/${home.connectionId}`, { isActive: true });
  if (found.status !== 200) home = await channel();
  const { connectionId, publishedId } = home;
  const made = { connectionId, mediaUrl };
  const { access: token } = await tokens(client, key, scopes);
  const [pendingIds, doomedIds, failedIds, deliveryIds, tickets, spareConnectionIds] = await Promise.all([
    times(3, () => pending(pharlo, owner, made)),
    times(2, () => pending(pharlo, owner, made)),
    times(2, () => failed(pharlo, owner, made)),
    times(2, () => delivered(pharlo, owner, made)),
    times(3, () => ticket(pharlo, owner)),
    times(2, () => connected(pharlo, owner)),
  ]);
  const pairs = await times(3, () => tokens(client, key, scopes));
  const grantId = await newestGrant(pharlo, owner);
  const { body } = await pharlo.rest('GET', '/assignments?limit=3');
  const { organizationId } = (await pharlo.rest('GET', `/connections/${connectionId}`)).body;
  return {
    url,
    key,
    token,
    resource,
    clientId,
    codes: await times(3, () => code(client, key, scopes)),
    refreshTokens: pairs.map(({ refresh }) => refresh),
    consents: await times(3, () => consentPage(client)),
    ticketSecrets: tickets.map(({ secret }) => secret),
    connectionId,
    spareConnectionIds,
    doomedIds,
    failedIds,
    publishedId,
    known: {
      assignmentId: pendingIds,
      connectionId: [connectionId],
      deliveryId: deliveryIds,
      ticketId: tickets.map(({ id }) => id),
      grantId: [grantId],
      organizationId: [String(organizationId)],
      platform: ['youtube'],
      type: ['video'],
      payload: [{ title: 'A title' }, { title: 'Ü 漢', description: 'Words', tags: ['a', 'b'], privacy: 'unlisted' }],
      mediaUrl: [mediaUrl],
      mediaContentType: ['video/mp4'],
      isActive: [true],
      callbackUrl: ['https://receiver.example/hook'],
      redirectUrl: ['https://app.example/back'],
      url: ['https://receiver.example/hook'],
      cursor: [String(body.nextCursor)],
    },
    now: pharlo.app.deps.now(),
  };
}

async function memory(): Promise<Memory> {
  // Finalizers run between collections; what they let go is gone after the last.
  for (let round = 0; round < 5; round++) {
    globalThis.gc?.();
    await new Promise((done) => setImmediate(done));
  }
  const { heapUsed, external, rss } = process.memoryUsage();
  return { heapBytes: heapUsed, externalBytes: external, residentBytes: rss };
}

async function books({ app }: Harness): Promise<Books> {
  const text = `select (select sum(allocation_left + topup_left) from workspaces)::float8 as balance,
      coalesce(sum(amount), 0)::float8 as ledger,
      coalesce(-sum(amount) filter (where amount < 0 and (state = 'settled' or assignment_id is not null)), 0)::float8 as debits,
      (count(*) filter (where state = 'reserved'))::int as open
    from ledger`;
  const [row] = await app.deps.db.query<Books>({ text, values: [] });
  if (!row) throw new Error('There is no ledger.');
  return row;
}

const answers: { [Question in keyof Questions]: () => Promise<Questions[Question]> } = {
  world,
  memory,
  footprint: () => footprint(pharlo),
  books: () => books(pharlo),
  errors: async () => errors.splice(0),
};

const over = Promise.withResolvers<void>();
process.once('disconnect', over.resolve);
process.on('message', async (question: keyof Questions) => {
  try {
    process.send?.({ question, answer: await answers[question]() });
  } catch (error) {
    process.send?.({ question, failure: error instanceof Error ? error.stack : String(error) });
  }
});
process.send?.({ question: 'ready' });
await over.promise;
