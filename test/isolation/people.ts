import { randomUUID } from 'node:crypto';
import { makeKey } from '../../src/commands/keys.ts';
import { newId } from '../../src/domain/ids.ts';
import { insertWorkspace } from '../../src/store/workspaces.ts';
import { startPlatform } from '../engine/platform.ts';
import { type Harness, startHarness } from '../harness.ts';
import { getToken } from '../mcp-client.ts';
import { connected, delivered, failed, newestGrant, type Owner, pending, published, ticket } from './belongings.ts';

/** Somebody who calls, by both doors. */
export type Person = { name: string; rest: string; mcp: string };

/** All that belongs to the owner; every value is told to nobody else. */
export type Things = {
  organizationId: string;
  connectionId: string;
  spareConnectionId: string;
  pendingId: string;
  doomedId: string;
  failedId: string;
  publishedId: string;
  deliveryId: string;
  ticketId: string;
  ticketSecret: string;
  grantId: string;
  idempotencyKey: string;
  externalId: string;
  mediaUrl: string;
};

export type House = AsyncDisposable & {
  pharlo: Harness;
  owner: Person;
  strangers: readonly Person[];
  /** The key of another workspace, which has a channel of its own. */
  neighbour: Owner & { connectionId: string };
  things: Things;
};

/** A workspace with everything in it, and those who must not see it. */
export async function startHouse(): Promise<House> {
  await using stack = new AsyncDisposableStack();
  const platform = stack.use(await startPlatform());
  const environment = {
    PHARLO_SANDBOX_URL: platform.origin,
    PHARLO_ALLOWED_PRIVATE_HOSTS: new URL(platform.origin).host,
  };
  const pharlo = stack.use(await startHarness({ environment }));
  const owner: Owner = { key: pharlo.key, workspaceId: pharlo.workspaceId };
  const mediaUrl = `${platform.origin}/sample.mp4`;
  const things = await belongings(pharlo, owner, mediaUrl);
  const neighbour = await anotherWorkspace(pharlo);
  const narrow = await pharlo.newKey({ organizationId: await anotherOrganization(pharlo) });
  const person = async (name: string, key: string): Promise<Person> => ({
    name,
    rest: key,
    mcp: await getToken(pharlo, { key }),
  });
  const free = await getToken(pharlo, { key: neighbour.key, resource: null });
  const strangers = [
    await person('a key of another workspace', neighbour.key),
    await person('a key of another organization', narrow),
    { name: 'a token of another workspace', rest: free, mcp: free },
  ];
  const disposables = stack.move();
  return {
    pharlo,
    owner: await person('the owner', owner.key),
    strangers,
    neighbour,
    things,
    [Symbol.asyncDispose]: () => disposables.disposeAsync(),
  };
}

async function belongings(pharlo: Harness, owner: Owner, mediaUrl: string): Promise<Things> {
  const connectionId = await connected(pharlo, owner);
  const made = { connectionId, mediaUrl };
  const idempotencyKey = `idempotency-${randomUUID()}`;
  const externalId = `external-${randomUUID()}`;
  const { body } = await pharlo.rest('GET', `/connections/${connectionId}`);
  const { id: ticketId, secret: ticketSecret } = await ticket(pharlo, owner);
  await getToken(pharlo);
  return {
    organizationId: String(body.organizationId),
    connectionId,
    spareConnectionId: await connected(pharlo, owner),
    publishedId: await published(pharlo, owner, made),
    pendingId: await pending(pharlo, owner, made, { idempotencyKey, externalId }),
    doomedId: await pending(pharlo, owner, made),
    failedId: await failed(pharlo, owner, made),
    deliveryId: await delivered(pharlo, owner, made),
    ticketId,
    ticketSecret,
    grantId: await newestGrant(pharlo, owner),
    idempotencyKey,
    externalId,
    mediaUrl,
  };
}

async function anotherWorkspace(pharlo: Harness): Promise<Owner & { connectionId: string }> {
  const { db, now, random, config } = pharlo.app.deps;
  const id = newId(now(), random);
  const workspace = { id, organizationId: newId(now(), random), slug: 'neighbour', name: 'Neighbour' };
  await db.transaction((tx) => insertWorkspace(tx, { ...workspace, plan: config.defaultPlan }));
  const { key } = await makeKey({ db, now, random }, { workspaceId: id, name: 'Neighbour' });
  const neighbour = { key, workspaceId: id };
  return { ...neighbour, connectionId: await connected(pharlo, neighbour) };
}

async function anotherOrganization({ app, workspaceId }: Harness): Promise<string> {
  const id = randomUUID();
  const text = `insert into organizations (id, workspace_id, name, slug) values ($1, $2, 'Other', 'other')`;
  await app.deps.db.query({ text, values: [id, workspaceId] });
  return id;
}

/** The owner's rows, of which no call of a stranger may change one. */
export async function rowsOf({ app, workspaceId }: Harness, { organizationId }: Things): Promise<string[]> {
  const tables = ['assignments', 'connections', 'connect_tickets', 'deliveries'].map(
    (table) => `select t::text as row from ${table} t where workspace_id = $1 and organization_id = $2`,
  );
  const others = [
    `select e::text from assignment_events e join assignments a on a.id = e.assignment_id
     where a.workspace_id = $1 and a.organization_id = $2`,
    `select g::text from oauth_grants g join api_keys k on k.id = g.key_id
     where g.workspace_id = $1 and k.organization_id is null`,
    'select w::text from webhook_secrets w where workspace_id = $1',
  ];
  const text = `${[...tables, ...others].join(' union all ')} order by 1`;
  const rows = await app.deps.db.query<{ row: string }>({ text, values: [workspaceId, organizationId] });
  return rows.map(({ row }) => row);
}
