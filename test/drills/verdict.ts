import type { Row } from './eyes.ts';
import { type Door, type Post, priceOf, type Reception, type Write } from './journal.ts';

export type Video = { id: string; title: string; slug: string | null; sha256: string };

export type Facts = {
  posts: readonly Post[];
  rows: readonly Row[];
  videos: readonly Video[];
  receptions: readonly Reception[];
  /** When processes were killed, on the clock of the receptions. */
  kills: readonly number[];
  /** Hundredths: balance and ledger before the first call, and after the last. */
  opening: { balance: number; ledger: number };
  closing: { balance: number; ledger: number };
  /** Hundredths that acknowledged reads cost. */
  reads: number;
};

/** Which promise was broken; a drill is red when there is one. */
export type Violation = { promise: string; what: string };

const ends = ['published', 'failed', 'cancelled'];
/** A kill this long before or after a message was taken, in ms, may have kept that from being written down. */
const nearby = { before: 2000, after: 5000 };

/** Holds what the client was told, what the platform and the receiver saw and what the database says against each other. */
export function judge(facts: Facts): Violation[] {
  const found: Violation[] = [];
  const byTag = Map.groupBy(facts.rows, ({ tag }) => tag);
  const settled = facts.posts.map((post) => settle(post, byTag.get(post.tag) ?? [], found));
  const known = new Set(facts.posts.map(({ tag }) => tag));
  for (const { tag, id } of facts.rows) if (!known.has(tag)) found.push({ promise: 'nothing invented', what: id });
  for (const row of facts.rows) found.push(...judgeTimeline(row));
  found.push(...judgePosts(facts));
  for (const one of settled) if (one) found.push(...judgeCharge(one));
  found.push(...judgeReceptions(facts));
  found.push(...judgeBalance(facts, settled));
  return found;
}

/** What was done in truth: acknowledged writes, and those without an answer that turn out to have been done. */
type Settled = { row: Row; creator: Door; writes: Write[] };

function settle(post: Post, rows: readonly Row[], found: Violation[]): Settled | undefined {
  const broken = (promise: string, what: string) => void found.push({ promise, what: `${post.tag}: ${what}` });
  const [row] = rows;
  if (rows.length > 1) broken('no write doubled', `${rows.length} assignments`);
  if (!row) {
    if (post.created === 'done') broken('no acknowledged write lost', 'its assignment is gone');
    return undefined;
  }
  if (post.created === 'refused') broken('a refused write does nothing', 'it exists');
  if (post.id !== undefined && post.id !== row.id) broken('no acknowledged write lost', `it was ${post.id}`);
  const writes = [...post.writes];
  const doubted = post.doubt && isDone(post.doubt, post, row) ? post.doubt : undefined;
  if (doubted) writes.push(doubted);
  const { description, scheduledAt } = doubted?.content ?? post.content;
  if (row.description !== description || row.scheduledAt?.getTime() !== scheduledAt) {
    broken('no acknowledged write lost', `its content is "${row.description}" for ${row.scheduledAt?.toISOString()}`);
  }
  const cancelled = writes.some(({ operation }) => operation === 'cancel');
  if (cancelled !== (row.status === 'cancelled')) {
    broken('no acknowledged write lost', `it is ${row.status}, ${cancelled ? 'though' : 'and was never'} cancelled`);
  }
  const asked = writes.filter(({ operation }) => operation === 'retry').length;
  const retried = retriesOf(row);
  if (asked !== retried) broken('no acknowledged write lost', `${retried} retries of ${asked}`);
  return { row, creator: post.door, writes };
}

const retriesOf = ({ events }: Row) => events.slice(1).filter(({ status }) => status === 'pending').length;

/** Whether a write without an answer was done. */
export function isDone({ operation, content }: Write, { writes }: Post, row: Row): boolean {
  if (operation === 'update') return row.description === content?.description;
  if (operation === 'cancel') return row.status === 'cancelled';
  return retriesOf(row) > writes.filter((write) => write.operation === 'retry').length;
}

function judgeTimeline({ id, status, codes, events }: Row): Violation[] {
  const found: Violation[] = [];
  const broken = (promise: string, what: string) => void found.push({ promise, what: `${id}: ${what}` });
  if (events.some(({ sequence }, index) => sequence !== index)) broken('the timeline has no gaps', 'it has one');
  const told = events.map((event) => event.status);
  if (told[0] !== 'pending') broken('every assignment ends once', `it begins with ${told[0]}`);
  for (const [index, one] of told.entries()) {
    const next = told[index + 1];
    if (ends.includes(one) && next !== undefined && !(one === 'failed' && next === 'pending')) {
      broken('every assignment ends once', `${one} is followed by ${next}`);
    }
    if (!ends.includes(one) && index > 0 && next === 'pending') {
      broken('every assignment ends once', `an attempt has no end: ${told.join(' ')}`);
    }
  }
  if (!ends.includes(status) || told.at(-1) !== status)
    broken('every assignment ends once', `${status}: ${told.join(' ')}`);
  const unknown = codes.includes('outcome_unknown') || events.some(({ detail }) => detail === 'outcome_unknown');
  if (unknown) broken('no outcome is unknown', told.join(' '));
  return found;
}

function judgePosts({ posts, rows, videos }: Facts): Violation[] {
  const found: Violation[] = [];
  const promise = 'one post per published, none for others';
  const files = new Map(posts.map(({ tag, media }) => [tag, media.sha256]));
  const bySlug = Map.groupBy(videos, ({ slug }) => slug);
  for (const { id, tag, status, postId, codes } of rows) {
    const made = bySlug.get(`pharlo-${id}`) ?? [];
    const wanted = status === 'published' ? 1 : 0;
    if (made.length !== wanted)
      found.push({ promise, what: `${tag} (${id}) is ${status} (${codes}) and has ${made.length} posts` });
    const [video] = made;
    if (!video || wanted === 0) continue;
    const same = video.id === postId && video.title === tag && video.sha256 === files.get(tag);
    if (!same) found.push({ promise, what: `${tag} has another post: ${JSON.stringify(video)}` });
  }
  const slugs = new Set(rows.map(({ id }) => `pharlo-${id}`));
  for (const { id, slug } of videos) {
    if (!slugs.has(slug ?? '')) found.push({ promise, what: `the post ${id} (${slug}) belongs to nobody` });
  }
  return found;
}

/** The doors through which the attempts were paid, in order. */
function payers({ creator, writes }: Settled): Door[] {
  const retries = writes.filter(({ operation }) => operation === 'retry').map(({ door }) => door);
  return [creator, ...retries];
}

function judgeCharge(settled: Settled): Violation[] {
  const { id, status, charge } = settled.row;
  const wanted = status === 'published' ? -priceOf('create', payers(settled).at(-1) ?? 'rest') : 0;
  if (charge === wanted) return [];
  return [
    { promise: 'paid once if published, else not', what: `${id} is ${status} and cost ${-charge}, not ${-wanted}` },
  ];
}

function judgeBalance(facts: Facts, settled: readonly (Settled | undefined)[]): Violation[] {
  const { opening, closing, reads } = facts;
  let wanted = opening.balance - reads;
  for (const one of settled) {
    if (!one) continue;
    const paid = payers(one).map((door) => priceOf('create', door));
    const kept = one.row.status === 'published' ? (paid.at(-1) ?? 0) : 0;
    const others = one.writes.filter(({ operation }) => operation !== 'retry');
    wanted -= kept + others.reduce((sum, { operation, door }) => sum + priceOf(operation, door), 0);
  }
  const promise = 'the balance is what was paid';
  const found: Violation[] = [];
  if (closing.balance !== wanted) found.push({ promise, what: `${closing.balance} instead of ${wanted}` });
  const bookkept = opening.balance + closing.ledger - opening.ledger;
  if (closing.balance !== bookkept) found.push({ promise, what: `${closing.balance}, by the ledger ${bookkept}` });
  return found;
}

function judgeReceptions({ rows, receptions, kills }: Facts): Violation[] {
  const found: Violation[] = [];
  const byTag = Map.groupBy(receptions, ({ tag }) => tag);
  for (const { tag, events } of rows) {
    const broken = (what: string) =>
      void found.push({ promise: 'every change is told, in order', what: `${tag}: ${what}` });
    const heard = byTag.get(tag) ?? [];
    const order = heard.map(({ sequence }) => sequence);
    const first = [...new Set(order)];
    const whole = first.length === events.length - 1 && first.every((sequence, index) => sequence === index + 1);
    if (!whole || order.some((sequence, index) => sequence < (order[index - 1] ?? 0))) {
      broken(`${order.join(' ')} of ${events.length - 1}`);
    }
    for (const [index, one] of heard.entries()) {
      const before = heard[index - 1];
      if (before?.sequence !== one.sequence) continue;
      if (before.webhookId !== one.webhookId) broken(`${one.sequence} came under two ids`);
      const [from, to] = [before.at - nearby.before, Math.min(one.at, before.at + nearby.after)];
      const killed = kills.some((at) => at >= from && at <= to);
      if (before.taken && !killed) broken(`${one.sequence} came again without need`);
    }
  }
  return found;
}
