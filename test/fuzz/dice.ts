/** Repeatable randomness: the same seed and turn give the same throws. */
export type Dice = {
  /** A whole number from 0 up to, not including, `below`. */
  int(below: number): number;
  chance(probability: number): boolean;
  pick<T>(from: readonly T[]): T;
};

/** splitmix32, one stream for each turn. */
export function throwDice(seed: number, turn: number): Dice {
  let state = (seed ^ Math.imul(turn + 1, 0x9e3779b1)) | 0;
  const next = () => {
    state = (state + 0x9e3779b9) | 0;
    let mixed = state ^ (state >>> 16);
    mixed = Math.imul(mixed, 0x21f0aaad);
    mixed ^= mixed >>> 15;
    mixed = Math.imul(mixed, 0x735a2d97);
    return ((mixed ^ (mixed >>> 15)) >>> 0) / 2 ** 32;
  };
  const int = (below: number) => Math.floor(next() * below);
  return {
    int,
    chance: (probability) => next() < probability,
    pick(from) {
      const index = int(from.length);
      if (index >= from.length) throw new RangeError('There is nothing to pick from.');
      return from[index] as (typeof from)[number];
    },
  };
}

/** A UUID of the dice's, version 4. */
export function diceUuid(dice: Dice): string {
  const hex = Array.from({ length: 32 }, () => dice.int(16).toString(16)).join('');
  return `${hex.slice(0, 8)}-${hex.slice(8, 12)}-4${hex.slice(13, 16)}-a${hex.slice(17, 20)}-${hex.slice(20)}`;
}
