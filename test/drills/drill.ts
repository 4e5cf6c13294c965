import { setTimeout as delay } from 'node:timers/promises';
import { type Dice, throwDice } from './dice.ts';
import { priceOf, type Reception } from './journal.ts';
import { createLoad, type Load } from './load.ts';
import { type Scene, type SceneOptions, startScene } from './scene.ts';
import { type Moment, points, setTraps, type Traps } from './traps.ts';
import { isDone, judge, type Violation } from './verdict.ts';

export type DrillOptions = SceneOptions & {
  seed: number;
  /** Kills at random moments, and at each named point. */
  kills: { random: number; perPoint: number };
  lanes: number;
  /** What the client does per kill, where nothing is waited for. */
  actsPerKill: number;
  tell: (line: string) => void;
};

export type Report = {
  violations: Violation[];
  kills: Record<string, number>;
  restartMs: number[];
  statuses: Record<string, number>;
  calls: Record<string, number>;
  /** Acknowledged, or found done where no answer came. */
  writes: Record<string, number>;
  tried: Traps['tried'];
  posts: number;
  deliveries: Record<string, number>;
  receptions: { all: number; repeated: number };
  reads: number;
  seconds: number;
};

const patienceMs = 10 * 60_000;
const mostJumps = 300;
const mostOpen = 40;

/**
 * Kills Pharlo again and again under load, lets everything come to its end, and holds what was promised against what
 * the client, the platform and the receiver saw.
 */
export async function runDrill(options: DrillOptions): Promise<Report> {
  const startedAt = performance.now();
  const dice = throwDice(options.seed);
  const held: { scene?: Scene; load?: Load } = {};
  const traps = setTraps(
    dice,
    () => held.scene as Scene,
    () => held.load as Load,
  );
  await using scene = await startScene(options, () => traps.event());
  const receptions = listen(scene, dice, () => held.load, { mayBeSilent: options.store.advance === undefined, traps });
  scene.relay.around = traps.around;
  scene.relay.forgetful = (id) => Number.parseInt(id.at(-1) ?? '0', 16) % 4 === 0;
  const drill = { options, scene, traps, dice, restartMs: [] as number[] };
  const { client, media, channels, receiver } = scene;
  const world = { client, media, dice, channels, callbackUrl: receiver.url, lanes: options.lanes };
  const load = createLoad({ ...world, pause: () => pause(drill, load) });
  held.scene = scene;
  held.load = load;
  const opening = await scene.eyes.account();

  await killAgainAndAgain(drill, load);
  traps.disarm();
  const stuck = await drain(drill, load);
  const { reads, misread } = await readAll(scene, load);
  const facts = {
    posts: load.posts,
    rows: await scene.eyes.rows(),
    videos: await scene.videos(),
    receptions,
    kills: traps.kills.map(({ at }) => at),
    opening,
    closing: await scene.eyes.account(),
    reads,
  };
  return {
    violations: [...stuck, ...misread, ...judge(facts)].map((violation) => withStory(violation, load, traps)),
    kills: countOf(traps.kills.map(({ moment }) => moment)),
    restartMs: drill.restartMs,
    statuses: countOf(facts.rows.map(({ status }) => status)),
    calls: client.counts,
    writes: countOf(
      load.posts.flatMap(({ created, writes }) => [
        ...(created === 'done' ? ['create'] : []),
        ...writes.map(({ operation }) => operation),
      ]),
    ),
    tried: traps.tried,
    posts: facts.videos.length,
    deliveries: await scene.eyes.deliveries(),
    receptions: {
      all: receptions.length,
      repeated: receptions.length - new Set(receptions.map(({ webhookId }) => webhookId)).size,
    },
    reads: reads / priceOf('read', 'rest'),
    seconds: (performance.now() - startedAt) / 1000,
  };
}

/** A violation, with what the platform saw of its assignment. */
function withStory({ promise, what }: Violation, { posts }: Load, { stories }: Traps): Violation {
  const post = posts.find(
    ({ tag, id }) => what.startsWith(`${tag}:`) || what.includes(`${tag} `) || what.includes(id ?? tag),
  );
  const story = stories.get(post?.id ?? '') ?? [];
  const writes = post?.writes.map(({ operation }) => operation) ?? [];
  return { promise, what: `${what} [${writes}] [${story.join('; ')}]` };
}

type Drill = { options: DrillOptions; scene: Scene; traps: Traps; dice: Dice; restartMs: number[] };

const breath = () => new Promise<void>((done) => setImmediate(done));

function countOf(words: readonly string[]): Record<string, number> {
  const counts: Record<string, number> = {};
  for (const word of words) counts[word] = (counts[word] ?? 0) + 1;
  return counts;
}

/** Each message is refused, dropped or left without an answer at most once. */
function listen(
  { receiver }: Scene,
  dice: Dice,
  load: () => Load | undefined,
  { mayBeSilent, traps }: { mayBeSilent: boolean; traps: Traps },
): Reception[] {
  const receptions: Reception[] = [];
  const seen = new Set<string>();
  receiver.answer = ({ headers, body }) => {
    const webhookId = String(headers['webhook-id']);
    const fails = !seen.has(webhookId) && dice.chance(0.15);
    seen.add(webhookId);
    const tag = body.externalId ?? '';
    const post = load()?.byTag(tag);
    if (post) post.told = body.status;
    receptions.push({ webhookId, tag, sequence: body.sequence, at: performance.now(), taken: !fails });
    traps.event();
    if (!fails) return { status: 204 };
    if (mayBeSilent && dice.chance(0.2)) return 'silence';
    return dice.chance(0.5) ? { status: 500 } : 'hang up';
  };
  return receptions;
}

/** Between two acts of the client. Where the clock can be moved, nothing waits. */
async function pause(drill: Drill, load: Load): Promise<void> {
  await nag(drill, load);
  if (drill.options.store.advance) return breath();
  const isOpen = ({ id, told, content }: Load['posts'][number]) =>
    id !== undefined &&
    (content.scheduledAt ?? 0) < Date.now() + 60_000 &&
    !['published', 'failed', 'cancelled'].includes(told ?? '');
  do await delay(50 + drill.dice.below(400));
  while (load.posts.filter(isOpen).length > mostOpen);
}

/** Whoever was hit in the call that makes the post is cancelled, or not, all the time: its post may be there. */
async function nag({ traps }: Drill, load: Load): Promise<void> {
  for (const id of traps.hit) {
    const post = load.byId(id);
    if (!post || post.doubt || (post.told && post.told !== 'uploading')) traps.hit.delete(id);
    else await load.cancel(post);
  }
}

async function killAgainAndAgain(drill: Drill, load: Load): Promise<void> {
  const { options, traps, dice, scene } = drill;
  const { random, perPoint } = options.kills;
  const named = points.flatMap((point) => Array<Moment>(perPoint).fill(point));
  const mixed = dice.shuffle<Moment>([...named, ...Array<Moment>(random).fill('at random')]);
  const going = { on: true };
  await load.run(options.actsPerKill);
  const steady = options.store.advance ? undefined : keepBusy(load, going);
  const runs: Promise<void>[] = [];
  for (const [index, moment] of mixed.entries()) {
    const killed = traps.set(moment);
    const replica = steady
      ? await soon(killed, moment)
      : await busyUntil(() => load.run(options.actsPerKill), runs, killed);
    await restart(drill, replica);
    if ((index + 1) % 10 === 0) {
      const { assignments, deliveries } = await scene.eyes.open();
      options.tell(
        `${index + 1} of ${mixed.length} kills; ${load.posts.length} posts, ${assignments} open, ${deliveries} to tell`,
      );
    }
  }
  going.on = false;
  await Promise.all([steady, ...runs]);
}

/** Under load every moment comes; when it does not, nothing works any more. */
async function soon<T>(killed: Promise<T>, moment: Moment): Promise<T> {
  const patience = new AbortController();
  const late = delay(patienceMs, undefined, { signal: patience.signal }).then(() => {
    throw new Error(`The moment to kill (${moment}) did not come.`);
  });
  return await Promise.race([killed, late]).finally(() => patience.abort());
}

async function keepBusy(load: Load, going: { on: boolean }): Promise<void> {
  while (going.on) await load.run(10);
}

async function busyUntil<T>(run: () => Promise<void>, runs: Promise<void>[], killed: Promise<T>): Promise<T> {
  for (;;) {
    const running = run();
    runs.push(running);
    const done = await Promise.race([killed.then((replica) => ({ replica })), running.then(() => undefined)]);
    if (done) return done.replica;
  }
}

/** Now and then it is killed again while it starts. */
async function restart({ options, traps, dice, restartMs }: Drill, replica: Scene['replicas'][number]): Promise<void> {
  // Nobody works now, so leases and deadlines may pass at once.
  await options.store.advance?.(30_000);
  while (!options.store.advance && dice.chance(0.08)) {
    const starting = replica.start();
    await delay(dice.below(1200));
    await traps.kill(replica, 'while starting');
    await starting;
  }
  const ms = await replica.start();
  if (ms === undefined) throw new Error('Pharlo did not start again.');
  restartMs.push(ms);
}

/** Nothing is killed any more: lets every assignment and every delivery come to its end. */
async function drain(drill: Drill, load: Load): Promise<Violation[]> {
  const { scene, options } = drill;
  await resolveDoubts(scene, load);
  for (const post of load.posts) {
    const isFar = (post.content.scheduledAt ?? 0) > Date.now() + 60_000;
    if (isFar && post.id !== undefined && post.told === undefined) await load.hurry(post);
  }
  const until = performance.now() + patienceMs;
  let jumps = 0;
  while (performance.now() < until && jumps < mostJumps) {
    await nag(drill, load);
    const { assignments, deliveries, leased, nextInMs } = await scene.eyes.open();
    if (assignments + deliveries === 0) return [];
    if (!options.store.advance) await delay(500);
    else if (leased === 0 && (nextInMs ?? 0) > 0) {
      jumps += 1;
      await options.store.advance((nextInMs ?? 0) + 1);
    }
  }
  return [{ promise: 'everything ends', what: JSON.stringify(await scene.eyes.open()) }];
}

/** Writes without an answer are looked up, so that the client may go on with their posts. */
async function resolveDoubts({ eyes }: Scene, load: Load): Promise<void> {
  for (const row of await eyes.rows()) {
    const post = load.byTag(row.tag);
    if (!post) continue;
    post.id ??= row.id;
    const { doubt } = post;
    if (!doubt) continue;
    delete post.doubt;
    if (!isDone(doubt, post, row)) continue;
    post.writes.push(doubt);
    if (doubt.content) post.content = doubt.content;
  }
}

/** What was acknowledged is there for whoever asks, by both doors; answers what that cost, in hundredths. */
async function readAll({ client, eyes }: Scene, { posts }: Load): Promise<{ reads: number; misread: Violation[] }> {
  const misread: Violation[] = [];
  const rows = new Map((await eyes.rows()).map((row) => [row.id, row]));
  let reads = 0;
  for (const { id, tag, door } of posts) {
    if (id === undefined) continue;
    const path = `/assignments/${id}`;
    const input = { assignmentId: id };
    const { effect, body } = await client.call(door, { tool: 'get_assignment', method: 'GET', path, input });
    if (effect === 'done') reads += priceOf('read', door);
    const row = rows.get(id);
    const { description } = (body.payload ?? {}) as { description?: string };
    if (effect !== 'done' || body.status !== row?.status || description !== row?.description)
      misread.push({ promise: 'no acknowledged write lost', what: `${tag} reads ${effect} ${body.status}` });
  }
  return { reads, misread };
}
