import { randomUUID } from 'node:crypto';
import { connectChannel } from '../channel.ts';
import type { Harness } from '../harness.ts';

/** Who owns things: a key, and the workspace it is of. */
export type Owner = { key: string; workspaceId: string };

/** Where the file of an assignment comes from. */
type Made = { connectionId: string; mediaUrl: string };

const as = ({ key }: Owner) => ({ authorization: `Bearer ${key}` });
const breath = () => new Promise<void>((done) => setImmediate(done));

function query<R>({ app }: Harness, text: string, values: unknown[]): Promise<R[]> {
  return app.deps.db.query<R>({ text, values });
}

async function created(pharlo: Harness, owner: Owner, input: object): Promise<string> {
  const answer = await pharlo.rest('POST', '/assignments', input, as(owner));
  if (answer.status !== 201) throw new Error(`Not created: ${JSON.stringify(answer.body)}`);
  return String(answer.body.id);
}

/** A channel at the sandbox, with tokens that work. */
export function connected(pharlo: Harness, { key }: Owner): Promise<string> {
  return connectChannel(pharlo, { key, title: `Channel ${randomUUID().slice(0, 8)}` });
}

/** An assignment for tomorrow, with a callback. */
export function pending(pharlo: Harness, owner: Owner, made: Made, more: object = {}): Promise<string> {
  return created(pharlo, owner, {
    ...made,
    type: 'video',
    payload: { title: 'Planned' },
    scheduledAt: new Date(pharlo.app.deps.now() + 24 * 3_600_000).toISOString(),
    callbackUrl: 'https://receiver.example/hook',
    ...more,
  });
}

/** An assignment that failed and may be tried again. */
export async function failed(pharlo: Harness, owner: Owner, made: Made): Promise<string> {
  const id = await pending(pharlo, owner, made);
  await query(pharlo, `update assignments set status = 'failed', due_at = null where id = $1`, [id]);
  return id;
}

/** An assignment whose video is at the platform: a worker runs until it is. */
export async function published(pharlo: Harness, owner: Owner, made: Made): Promise<string> {
  const engine = await pharlo.app.work();
  try {
    const id = await created(pharlo, owner, { ...made, type: 'video', payload: { title: 'Out' } });
    for (;;) {
      const { body } = await pharlo.rest('GET', `/assignments/${id}`, undefined, as(owner));
      if (body.status === 'published') return id;
      if (body.status === 'failed') throw new Error(`Not published: ${JSON.stringify(body.errors)}`);
      await breath();
    }
  } finally {
    await engine.stop();
  }
}

/** A delivery that ended, of a cancelled assignment. */
export async function delivered(pharlo: Harness, owner: Owner, made: Made): Promise<string> {
  const assignmentId = await pending(pharlo, owner, made);
  await pharlo.rest('DELETE', `/assignments/${assignmentId}`, undefined, as(owner));
  const text = `update deliveries set status = 'delivered', due_at = null where assignment_id = $1 returning id`;
  const [row] = await query<{ id: string }>(pharlo, text, [assignmentId]);
  if (!row) throw new Error('Nothing was to be delivered.');
  return row.id;
}

/** A link to connect a channel, and the secret in it. */
export async function ticket(pharlo: Harness, owner: Owner): Promise<{ id: string; secret: string }> {
  const { body } = await pharlo.rest('POST', '/oauth/tickets', { platform: 'youtube' }, as(owner));
  return { id: String(body.ticketId), secret: new URL(String(body.url)).searchParams.get('ticket') ?? '' };
}

/** The newest consent that a key gave. */
export async function newestGrant(pharlo: Harness, owner: Owner): Promise<string> {
  const { body } = await pharlo.rest('GET', '/grants?limit=1', undefined, as(owner));
  const [grant] = body.items as { id: string }[];
  if (!grant) throw new Error('There is no grant.');
  return grant.id;
}
