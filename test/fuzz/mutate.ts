import { type Dice, diceUuid } from './dice.ts';
import { type Json, oddNames, oddText, oddValue } from './values.ts';

type Container = Json[] | { [name: string]: Json };
type Place = { holder: Container; name: string | number };

/** A copy of the value with one to three things wrong in it. */
export function mutate(value: Json, dice: Dice): Json {
  const root: { value: Json } = { value: structuredClone(value) };
  if (isEmpty(root.value)) root.value = { [dice.pick(oddNames)]: oddValue(dice) };
  const times = 1 + dice.int(3);
  for (let done = 0; done < times; done++) mutateOnce(root, dice);
  return root.value ?? null;
}

const isEmpty = (value: Json) => value !== null && typeof value === 'object' && Object.keys(value).length === 0;

function mutateOnce(root: { value: Json }, dice: Dice): void {
  const places = placesIn(root);
  // The members of the input are more often the target than what is around or inside them.
  const { holder, name } = dice.pick(places.length > 1 && dice.chance(0.97) ? places.slice(1) : places);
  const held = read({ holder, name });
  const kind = dice.int(9);
  if (kind === 0) remove({ holder, name });
  else if (kind === 1) add(at({ holder, name }), holder, dice);
  else if (kind === 2) rename({ holder, name }, dice);
  else put(holder, name, instead(held, kind, places, dice));
}

function instead(held: Json, kind: number, places: readonly Place[], dice: Dice): Json {
  if (kind === 3) return [held];
  if (kind === 4) return { [dice.pick(oddNames)]: held };
  if (kind === 5) return read(dice.pick(places));
  return kind < 8 ? near(held, dice) : oddValue(dice);
}

function placesIn(root: { value: Json }): Place[] {
  const places: Place[] = [{ holder: root, name: 'value' }];
  for (const place of places) {
    const held = at(place);
    if (held === null || typeof held !== 'object' || places.length > 200) continue;
    for (const name of Object.keys(held))
      places.push({ holder: held, name: Array.isArray(held) ? Number(name) : name });
  }
  return places;
}

const at = ({ holder, name }: Place) => (holder as Record<string | number, Json>)[name] ?? null;

/** A copy, which may go elsewhere in the tree. */
const read = (place: Place) => structuredClone(at(place));

/** Sets an own member, `__proto__` too. */
function put(holder: Container, name: string | number, value: Json): void {
  Object.defineProperty(holder, name, { value, enumerable: true, configurable: true, writable: true });
}

function remove({ holder, name }: Place): void {
  if (Array.isArray(holder)) holder.splice(Number(name), 1);
  else delete holder[name];
}

function rename(place: Place, dice: Dice): void {
  const held = read(place);
  const name = String(place.name);
  const other = dice.pick([...oddNames, name.toUpperCase(), `${name} `, `${name}\0`, `${name}[]`, `${name}.0`]);
  remove(place);
  put(place.holder, Array.isArray(place.holder) ? place.holder.length : other, held);
}

function add(held: Json, holder: Container, dice: Dice): void {
  const target = held !== null && typeof held === 'object' ? held : holder;
  if (Array.isArray(target)) target.push(...Array.from({ length: 1 + dice.int(40) }, () => oddValue(dice)));
  else put(target, dice.pick(oddNames), oddValue(dice));
}

/** Nearly the same value: past a bound, another type, an odd character. */
function near(value: Json, dice: Dice): Json {
  if (typeof value === 'number') return dice.pick([value + 0.5, -value, value * 1e6, String(value), [value], 2 ** 53]);
  if (typeof value === 'boolean') return dice.pick(['true', 'false', 0, 1, null, !value]);
  if (typeof value !== 'string') return oddValue(dice);
  if (value.length > 100_000) return value.slice(0, 100);
  const cut = dice.int(value.length + 1);
  return dice.pick([
    value.slice(0, cut),
    value.slice(0, cut) + oddText(dice) + value.slice(cut),
    value.slice(0, 400).repeat(1 + dice.int(200)),
    value.toUpperCase(),
    ` ${value} `,
    Array.from(value).reverse().join(''),
    Buffer.from(value).toString('base64'),
    diceUuid(dice),
    oddText(dice),
  ]);
}
