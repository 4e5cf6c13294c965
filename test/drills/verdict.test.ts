import assert from 'node:assert/strict';
import { test } from 'node:test';
import type { Row } from './eyes.ts';
import type { Post } from './journal.ts';
import { type Facts, judge } from './verdict.ts';

const file = { url: 'http://127.0.0.1/1.mp4', sha256: 'abc', name: '1' };
const content = { description: 'as created', scheduledAt: undefined };
const road = ['pending', 'uploading', 'uploaded', 'processing', 'published'];

/** One post that failed, was tried again and published, with a message that came twice beside a kill. */
function good() {
  const events = ['pending', 'uploading', 'failed', ...road].map((status, sequence) => ({
    sequence,
    status,
    detail: null,
  }));
  const row: Row = {
    id: 'a1',
    tag: 'post-1',
    status: 'published',
    description: 'as created',
    scheduledAt: null,
    postId: 'v1',
    codes: [],
    events,
    charge: -360,
    givenUp: 0,
  };
  const post: Post = {
    tag: 'post-1',
    door: 'rest',
    keyed: true,
    created: 'done',
    id: 'a1',
    media: file,
    content,
    writes: [{ operation: 'retry', door: 'mcp' }],
    busy: false,
  };
  const receptions = [1, 2, 3, 3, 4, 5, 6, 7].map((sequence, index) => ({
    webhookId: `w${sequence}`,
    tag: 'post-1',
    sequence,
    at: index * 1000,
    taken: true,
  }));
  const video = { id: 'v1', title: 'post-1', slug: 'pharlo-a1', sha256: 'abc' };
  const facts = {
    posts: [post],
    rows: [row],
    videos: [video],
    receptions,
    kills: [2500],
    opening: { balance: 10_000, ledger: -500 },
    closing: { balance: 9540, ledger: -960 },
    reads: 100,
  } satisfies Facts;
  return { facts, row, post, video, events, receptions };
}

test('what went well is found well', () => {
  assert.deepEqual(judge(good().facts), []);
});

type Good = ReturnType<typeof good>;

const faults: Record<string, { promise: string; plant(good: Good): void }> = {
  'an acknowledged creation is gone': {
    promise: 'no acknowledged write lost',
    plant: ({ facts }) => void facts.rows.pop(),
  },
  'a creation was done twice': {
    promise: 'no write doubled',
    plant: ({ facts, row }) => void facts.rows.push({ ...row, id: 'a2' }),
  },
  'a refused creation was done': {
    promise: 'a refused write does nothing',
    plant: ({ post }) => void Object.assign(post, { created: 'refused' }),
  },
  'an assignment comes from nowhere': {
    promise: 'nothing invented',
    plant: ({ facts, row }) => void facts.rows.push({ ...row, id: 'a2', tag: 'post-2' }),
  },
  'an acknowledged update is gone': {
    promise: 'no acknowledged write lost',
    plant: ({ post }) => void Object.assign(post, { content: { ...content, description: 'as changed' } }),
  },
  'an acknowledged time is gone': {
    promise: 'no acknowledged write lost',
    plant: ({ post }) => void Object.assign(post, { content: { ...content, scheduledAt: 5 } }),
  },
  'an acknowledged cancel is undone': {
    promise: 'no acknowledged write lost',
    plant: ({ post }) => void post.writes.push({ operation: 'cancel', door: 'rest' }),
  },
  'nobody cancelled it': {
    promise: 'no acknowledged write lost',
    plant: ({ row }) => void Object.assign(row, { status: 'cancelled' }),
  },
  'an acknowledged retry is gone': {
    promise: 'no acknowledged write lost',
    plant: ({ post }) => void post.writes.push({ operation: 'retry', door: 'rest' }),
  },
  'it ends twice': {
    promise: 'every assignment ends once',
    plant: ({ events }) => void events.push({ sequence: 8, status: 'published', detail: null }),
  },
  'it does not end': {
    promise: 'every assignment ends once',
    plant: ({ row, events }) => {
      events.pop();
      row.status = 'processing';
    },
  },
  'an attempt has no end': {
    promise: 'every assignment ends once',
    plant: ({ events }) => void Object.assign(events[2] ?? {}, { status: 'uploaded' }),
  },
  'the timeline has a gap': {
    promise: 'the timeline has no gaps',
    plant: ({ events }) => void Object.assign(events[7] ?? {}, { sequence: 8 }),
  },
  'nobody knows the outcome': {
    promise: 'no outcome is unknown',
    plant: ({ events }) => void Object.assign(events[2] ?? {}, { detail: 'outcome_unknown' }),
  },
  'there are two posts': {
    promise: 'one post per published, none for others',
    plant: ({ facts, video }) => void facts.videos.push({ ...video, id: 'v2' }),
  },
  'there is no post': {
    promise: 'one post per published, none for others',
    plant: ({ facts }) => void facts.videos.pop(),
  },
  'the post holds another file': {
    promise: 'one post per published, none for others',
    plant: ({ video }) => void Object.assign(video, { sha256: 'def' }),
  },
  'a failure has a post': {
    promise: 'one post per published, none for others',
    plant: ({ row }) => void Object.assign(row, { status: 'failed' }),
  },
  'a post belongs to nobody': {
    promise: 'one post per published, none for others',
    plant: ({ facts, video }) => void facts.videos.push({ ...video, id: 'v2', slug: 'pharlo-a9' }),
  },
  'it was paid twice': {
    promise: 'paid once if published, else not',
    plant: ({ row }) => void Object.assign(row, { charge: -660 }),
  },
  'credits are missing': {
    promise: 'the balance is what was paid',
    plant: ({ facts }) => void Object.assign(facts.closing, { balance: 9340, ledger: -1160 }),
  },
  'the ledger tells another story': {
    promise: 'the balance is what was paid',
    plant: ({ facts }) => void Object.assign(facts.closing, { ledger: -1060 }),
  },
  'a change was not told': {
    promise: 'every change is told, in order',
    plant: ({ receptions }) => void receptions.pop(),
  },
  'changes were told out of order': {
    promise: 'every change is told, in order',
    plant: ({ receptions }) => void receptions.reverse(),
  },
  'an old change was told again': {
    promise: 'every change is told, in order',
    plant: ({ receptions }) => void receptions.push({ ...receptions[0], at: 9000 } as (typeof receptions)[number]),
  },
  'a message was taken and sent again': {
    promise: 'every change is told, in order',
    plant: ({ facts }) => void facts.kills.pop(),
  },
  'a message came again under another id': {
    promise: 'every change is told, in order',
    plant: ({ receptions }) => void Object.assign(receptions[3] ?? {}, { webhookId: 'w9' }),
  },
};

for (const [name, { promise, plant }] of Object.entries(faults)) {
  test(`found: ${name}`, () => {
    const planted = good();
    plant(planted);
    const promises = judge(planted.facts).map((violation) => violation.promise);
    assert.ok(promises.includes(promise), promises.join(', '));
  });
}
