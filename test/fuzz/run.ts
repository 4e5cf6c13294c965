import assert from 'node:assert/strict';
import { operations } from '../../src/operations/index.ts';
import { baseMakers } from './bases.ts';
import { type Dice, throwDice } from './dice.ts';
import { judge } from './judge.ts';
import { mutate } from './mutate.ts';
import { rawWire } from './raw.ts';
import { createSender, type Sender } from './send.ts';
import type { Target } from './target.ts';
import { mutateWire, type Wire } from './wire.ts';
import type { Memory, Questions, World } from './world.ts';

type Footprint = Questions['footprint'];

/** How a request was made: a good one with something wrong in it, or one that never was good. */
export type Kind = 'mutated' | 'wild';

export type Shot = { label: string; kind: Kind; wire: Wire };

export type Failure = { turn: number; label: string; reason: string; request: string; answer: string };

export type Report = {
  seed: number;
  requests: number;
  kinds: Record<Kind, number>;
  refused: number;
  /** By label, then by outcome. */
  histogram: ReadonlyMap<string, ReadonlyMap<string, number>>;
  failures: readonly Failure[];
  /** After the warm-up, and at the end. */
  memory: readonly [Memory, Memory];
  footprints: number;
  seconds: number;
};

export type Options = { seed: number; requests: number; warmUp: number; tell?: (line: string) => void };

const inFlight = 8;
const reseedEvery = 500;
const sampleEvery = 50;
const deadlineMs = 30_000;
const maxFailures = 40;

/** The request of one turn: the same for the same seed, turn and world. */
export function shoot(world: World, dice: Dice): Shot {
  if (dice.chance(0.06)) {
    const host = new URL(world.url).host;
    return { label: 'raw', kind: 'wild', wire: rawWire(host, `Bearer ${world.key}`, dice) };
  }
  const { label, make } = dice.pick(baseMakers);
  const { input, encode } = make(world, dice);
  const inside = dice.chance(0.9);
  const wire = encode(inside ? mutate(input, dice) : input);
  return { label, kind: 'mutated', wire: !inside || dice.chance(0.2) ? mutateWire(wire, dice) : wire };
}

/** Fires at the server and checks every answer; the caller asserts on what it reports. */
export async function fuzz(target: Target, options: Options): Promise<Report> {
  const { seed, requests, warmUp, tell = () => {} } = options;
  const began = performance.now();
  const world = await target.ask('world');
  using sender = createSender(world.url, deadlineMs);
  const run = new Run(sender, world);
  await assertBasesAreGood(run, target, seed);
  const opening = await target.ask('books');
  const told = run.used;
  const [first, ...rest] = await rounds(run, target, { seed, requests, warmUp, tell });
  await assertBooks(target, opening, run.used - told, run);
  const memory = rest.at(-1) ?? first;
  assert.ok(first && memory);
  const seconds = Math.round((performance.now() - began) / 1000);
  return { seed, requests, seconds, ...run.report(), memory: [first, memory] };
}

/** Fires in rounds, between which the world is made whole and the memory looked at. */
async function rounds(
  run: Run,
  target: Target,
  { seed, requests, warmUp, tell }: Required<Options>,
): Promise<Memory[]> {
  const memories: Memory[] = [];
  for (let turn = 0; turn < requests; turn += reseedEvery) {
    if (turn > 0) run.world = await replaced(run, target);
    const end = Math.min(turn + reseedEvery, requests);
    if (turn === warmUp || (turn === 0 && warmUp >= requests)) memories.push(await target.ask('memory'));
    await fire(run, target, { seed, from: turn, to: end });
    for (const line of await target.ask('errors')) run.fail(end, 'log', new Error(line));
    tell(`${end} of ${requests}, ${run.failures.length} wrong answers`);
    if (run.failures.length >= maxFailures) break;
  }
  memories.push(await target.ask('memory'));
  return memories;
}

/** A new world; what it cost to make is not what was fired. */
async function replaced(run: Run, target: Target): Promise<World> {
  const before = (await target.ask('books')).debits;
  const world = await target.ask('world');
  run.used += (await target.ask('books')).debits - before;
  return world;
}

type Turns = { seed: number; from: number; to: number };

async function fire(run: Run, target: Target, { seed, from, to }: Turns): Promise<void> {
  let next = from;
  const worker = async () => {
    for (let turn = next++; turn < to; turn = next++) {
      if (turn % sampleEvery !== 0) await run.turn(turn, throwDice(seed, turn));
    }
  };
  await Promise.all(Array.from({ length: inFlight }, worker));
  // Alone, so that what is found afterwards is of this request and no other.
  for (let turn = from; turn < to; turn += sampleEvery) {
    const before = await target.ask('footprint');
    const refused = await run.turn(turn, throwDice(seed, turn));
    if (refused !== undefined) run.compare(turn, refused, before, await target.ask('footprint'));
  }
}

/** The control: unchanged, every base is taken. What takes a person's session cannot be. */
async function assertBasesAreGood(run: Run, target: Target, seed: number): Promise<void> {
  const refused: string[] = [];
  let door = '';
  for (const [index, { make, label: of }] of baseMakers.entries()) {
    // What one door has used up is not there for the next.
    if (!of.startsWith(door)) run.world = await replaced(run, target);
    door = of.split(' ')[0] ?? '';
    const { label, input, encode } = make(run.world, throwDice(seed, -1 - index));
    const answer = await run.sender.send(encode(input));
    const verdict = judge(encode(input), answer);
    run.used += verdict.used;
    const session = answer.text.includes('session_required');
    // A platform's answer to a state of ours is always foreign here, and no code of it is real.
    if (label === 'page callback' || session) continue;
    if (verdict.refused) refused.push(`${label}: ${answer.status} ${answer.text.slice(0, 500)}`);
  }
  assert.deepEqual(refused, [], 'bases that are not good');
}

/** What is left is what there was, less what is in the ledger, which is what the answers told. */
async function assertBooks(
  target: Target,
  opening: { balance: number; ledger: number; debits: number },
  told: number,
  run: Run,
): Promise<void> {
  const closing = await target.ask('books');
  const check = (name: string, actual: number, expected: number) => {
    if (actual !== expected) run.fail(-1, 'books', new Error(`${name}: ${actual}, expected ${expected}`));
  };
  check('balance', closing.balance - opening.balance, closing.ledger - opening.ledger);
  check('open reservations', closing.open, 0);
  check('told by answers', told, closing.debits - opening.debits);
}

class Run {
  readonly failures: Failure[] = [];
  /** Hundredths of a credit that answers told. */
  used = 0;
  world: World;
  readonly sender: Sender;
  readonly #histogram = new Map<string, Map<string, number>>();
  readonly #kinds: Record<Kind, number> = { mutated: 0, wild: 0 };
  #refused = 0;
  #footprints = 0;

  constructor(sender: Sender, world: World) {
    this.sender = sender;
    this.world = world;
  }

  /** One request; answers its label if it was one of the product's doors and refused there. */
  async turn(turn: number, dice: Dice): Promise<string | undefined> {
    const { label, kind, wire } = shoot(this.world, dice);
    const answer = await this.sender.send(wire);
    this.#kinds[kind] += 1;
    try {
      const { outcome, refused, used } = judge(wire, answer);
      this.#count(label, outcome);
      this.used += used;
      if (refused) this.#refused += 1;
      return refused && /^(rest|mcp) /.test(label) ? label : undefined;
    } catch (error) {
      this.#count(label, `${answer.status} WRONG`);
      this.fail(turn, label, error, wire, `${answer.status} ${answer.text.slice(0, 1000)}`);
      return undefined;
    }
  }

  compare(turn: number, label: string, before: Footprint, after: Footprint): void {
    this.#footprints += 1;
    try {
      const reserves = operations.some(({ name, kind }) => kind === 'outside' && label.endsWith(` ${name}`));
      // A call to a platform reserves its price and gets it back: two lines, and no credit less.
      const expected = reserves ? { ...before, ledger: after.ledger } : before;
      assert.deepEqual(after, expected, 'a refused request left a trace');
    } catch (error) {
      this.fail(turn, `footprint of ${label}`, error);
    }
  }

  fail(turn: number, label: string, error: unknown, wire?: Wire, answer = ''): void {
    const reason = error instanceof Error ? error.message : String(error);
    const { body, bytes, ...head } = wire ?? {};
    const request = wire ? `${JSON.stringify(head)} ${(bytes ?? body ?? '').toString().slice(0, 1500)}` : '';
    this.failures.push({ turn, label, reason, request, answer });
  }

  report() {
    return {
      kinds: this.#kinds,
      refused: this.#refused,
      histogram: this.#histogram,
      failures: this.failures,
      footprints: this.#footprints,
    };
  }

  #count(label: string, outcome: string): void {
    const counts = this.#histogram.get(label) ?? new Map<string, number>();
    this.#histogram.set(label, counts.set(outcome, (counts.get(outcome) ?? 0) + 1));
  }
}
