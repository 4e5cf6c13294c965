import type { JsonSchema } from '../../src/surfaces/schemas.ts';
import { type Dice, diceUuid } from './dice.ts';
import type { Json } from './values.ts';

/** Values that are true in the seeded workspace, by the name of the member they fit. */
export type Known = Readonly<Record<string, readonly Json[]>>;

type Members = { [name: string]: Json };

/** An input the schema takes: all it requires and some of the rest; `turn` makes instants differ. */
export function validInput(schema: JsonSchema, known: Known, dice: Dice, now: number): Members {
  const { properties = {} } = schema;
  const required = new Set(schema.required as string[] | undefined);
  const chosen = Object.entries(properties).filter(([name]) => required.has(name) || dice.chance(0.35));
  const entries = chosen.map(([name, member]): [string, Json] => [name, validMember(name, member, known, dice, now)]);
  return consistent(Object.fromEntries(entries), now);
}

/** What no single schema tells: page and cursor exclude each other, and a span has an order. */
function consistent(input: Members, now: number): Members {
  const { cursor: _, ...withoutCursor } = input;
  const made = 'page' in input ? withoutCursor : input;
  if ('from' in made) made.from = new Date(now - 3 * day).toISOString();
  if ('to' in made) made.to = new Date(now - day).toISOString();
  return made;
}

const day = 24 * 3600 * 1000;

function validMember(name: string, schema: JsonSchema, known: Known, dice: Dice, now: number): Json {
  const values = known[name];
  if (values && values.length > 0) return structuredClone(dice.pick(values));
  const { anyOf, enum: choices, const: only, type, format } = schema;
  if (Array.isArray(anyOf)) return validMember(name, dice.pick(anyOf as JsonSchema[]), known, dice, now);
  if (Array.isArray(choices)) return dice.pick(choices as Json[]);
  if (only !== undefined) return only as Json;
  if (type === 'boolean') return dice.chance(0.5);
  if (type === 'integer' || type === 'number') return wholeNumber(schema, dice);
  if (type === 'null') return null;
  if (type === 'array') return [];
  if (type === 'object') return validInput(schema, known, dice, now);
  if (format === 'uuid') return diceUuid(dice);
  if (format === 'date-time') return new Date(now + day + dice.int(100) * 60_000).toISOString();
  return text(schema, dice);
}

function wholeNumber({ minimum = 1, maximum = 100 }: JsonSchema, dice: Dice): number {
  const span = Math.min(Number(maximum) - Number(minimum), 5);
  return Number(minimum) + dice.int(span + 1);
}

function text({ maxLength = 40 }: JsonSchema, dice: Dice): string {
  const length = 1 + dice.int(Math.min(Number(maxLength), 12));
  return Array.from({ length }, () => dice.pick([...'abcdefghijkmnopqrstuvwxyzäß漢'])).join('');
}
