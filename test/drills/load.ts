import type { Call, Called, Client } from './client.ts';
import type { Dice } from './dice.ts';
import type { Content, Door, Post, Write } from './journal.ts';
import type { MediaHost } from './media.ts';

export type Load = {
  posts: Post[];
  /** Does so many things, `lanes` at a time; the first is a post for now. */
  run(count: number): Promise<void>;
  byId(id: string | undefined): Post | undefined;
  byTag(tag: string): Post | undefined;
  /** Asks for the end of a post; undefined when something else is just being asked of it. */
  cancel(post: Post): Promise<Write | 'refused' | 'unknown' | undefined>;
  /** Brings a post forward to now. */
  hurry(post: Post): Promise<void>;
};

type World = {
  client: Client;
  media: MediaHost;
  dice: Dice;
  channels: readonly string[];
  callbackUrl: string;
  lanes: number;
  /** Between two acts. */
  pause: () => Promise<void>;
};

const ended = ({ told }: Post) => told === 'published' || told === 'failed' || told === 'cancelled';
const farMs = 6 * 3600 * 1000;

/** What somebody's program does all day: posts, changes its mind, tries again; and writes down what it was told. */
export function createLoad({ client, media, dice, channels, callbackUrl, lanes, pause }: World): Load {
  const posts: Post[] = [];
  let updates = 0;
  const door = (): Door => (dice.chance(0.5) ? 'rest' : 'mcp');
  const free = (is: (post: Post) => boolean) =>
    dice.pick(posts.filter((post) => post.id !== undefined && !post.busy && !post.doubt && is(post)));

  /** One write on a post, its outcome written down. */
  async function write(post: Post, one: Write, call: Call): Promise<Called> {
    post.busy = true;
    const called = await client.call(one.door, call);
    if (called.effect === 'done') {
      post.writes.push(one);
      if (one.content) post.content = one.content;
    } else if (called.effect === 'unknown') post.doubt = one;
    post.busy = false;
    return called;
  }

  async function create(when: 'now' | 'any'): Promise<void> {
    const file = media.add();
    const tag = `post-${file.name}`;
    const scheduled = when === 'any' && dice.chance(0.4);
    const waitMs = dice.chance(0.3) ? farMs : 1000 + dice.below(8000);
    const content: Content = {
      description: `${tag} as created`,
      scheduledAt: scheduled ? Date.now() + waitMs : undefined,
    };
    const post: Post = {
      tag,
      door: door(),
      keyed: dice.chance(0.6),
      created: 'unknown',
      media: file,
      content,
      writes: [],
      busy: true,
    };
    posts.push(post);
    const input = {
      connectionId: dice.pick(channels),
      type: 'video',
      payload: { title: tag, description: content.description },
      mediaUrl: file.url,
      callbackUrl,
      externalId: tag,
      ...(content.scheduledAt !== undefined && { scheduledAt: new Date(content.scheduledAt).toISOString() }),
      ...(post.keyed && { idempotencyKey: `key-${tag}` }),
    };
    const call: Call = { tool: 'create_assignment', method: 'POST', path: '/assignments', input };
    let called = await client.call(post.door, call, lost(post));
    // Only a key makes it safe to ask again.
    while (called.effect === 'unknown' && post.keyed) {
      await pause();
      called = await client.call(post.door, call);
    }
    post.created = called.effect;
    if (called.effect === 'done') post.id = String(called.body.id);
    // Its file goes away after it was accepted, so that the job fails.
    if (when === 'any' && dice.chance(0.2)) media.spoil(file);
    post.busy = false;
  }

  /** Now and then the client hangs up before the answer; only where it can ask again. */
  function lost({ keyed }: Post): { signal?: AbortSignal } {
    if (!keyed || !dice.chance(0.15)) return {};
    const leaving = new AbortController();
    const turns = dice.below(40);
    const leave = (left: number) => void (left === 0 ? leaving.abort() : setImmediate(leave, left - 1));
    leave(turns);
    return { signal: leaving.signal };
  }

  async function update(post: Post, to: 'now' | 'soon' | 'same'): Promise<void> {
    updates += 1;
    const description = `${post.tag} as changed in ${updates}`;
    const { scheduledAt } = post.content;
    const soon = Date.now() + 2000 + dice.below(4000);
    const content: Content = {
      description,
      scheduledAt: to === 'same' ? scheduledAt : to === 'soon' ? soon : undefined,
    };
    const time = content.scheduledAt === undefined ? null : new Date(content.scheduledAt).toISOString();
    const input = { assignmentId: post.id, payload: { description }, ...(to !== 'same' && { scheduledAt: time }) };
    const path = `/assignments/${post.id}`;
    const named = ['assignmentId'];
    const one: Write = { operation: 'update', door: door(), content };
    await write(post, one, { tool: 'update_assignment', method: 'PATCH', path, input, named });
  }

  async function retry(post: Post): Promise<void> {
    if (dice.chance(0.7)) media.heal(post.media);
    const input = { assignmentId: post.id };
    const path = `/assignments/${post.id}/retry`;
    const one: Write = { operation: 'retry', door: door() };
    const call: Call = { tool: 'retry_assignment', method: 'POST', path, input, named: ['assignmentId'] };
    const { effect } = await write(post, one, call);
    if (effect === 'done') delete post.told;
  }

  const load: Load = {
    posts,
    async run(count) {
      let left = count;
      const lane = async (): Promise<void> => {
        while (left > 0) {
          left -= 1;
          await act(left === count - 1);
          await pause();
        }
      };
      await Promise.all(Array.from({ length: lanes }, lane));
    },
    byId: (id) => posts.find((post) => post.id === id),
    byTag: (tag) => posts.find((post) => post.tag === tag),
    async cancel(post) {
      if (post.id === undefined || post.busy || post.doubt || ended(post)) return undefined;
      const input = { assignmentId: post.id };
      const one: Write = { operation: 'cancel', door: door() };
      const path = `/assignments/${post.id}`;
      const call: Call = { tool: 'cancel_assignment', method: 'DELETE', path, input, named: ['assignmentId'] };
      const { effect } = await write(post, one, call);
      return effect === 'done' ? one : effect;
    },
    hurry: (post) => update(post, 'now'),
  };

  async function act(isFirst: boolean): Promise<void> {
    if (isFirst) return create('now');
    const kind = dice.below(100);
    const waiting = () => free((post) => post.told === undefined && post.content.scheduledAt !== undefined);
    if (kind < 20) {
      const post = waiting();
      if (post) return update(post, dice.pick(['now', 'soon', 'same'] as const) ?? 'same');
    } else if (kind < 30) {
      const post = free((one) => !ended(one));
      if (post) return void (await load.cancel(post));
    } else if (kind < 45) {
      const post = free(({ told }) => told === 'failed');
      if (post) return retry(post);
    }
    return create('any');
  }
  return load;
}
