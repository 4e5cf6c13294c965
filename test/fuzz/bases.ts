import { atRest, type Operation } from '../../src/operation.ts';
import { operations } from '../../src/operations/index.ts';
import { schemasOf } from '../../src/surfaces/schemas.ts';
import type { Dice } from './dice.ts';
import { mcpBases } from './mcp-bases.ts';
import { oauthBases } from './oauth-bases.ts';
import { pageBases } from './page-bases.ts';
import { type Known, validInput } from './valid.ts';
import { type Json, toJson, toText } from './values.ts';
import type { Wire } from './wire.ts';
import type { World } from './world.ts';

/** A good request: what it says, and how that is put on the wire. */
export type Base = { label: string; input: Json; encode: (input: Json) => Wire };

/** How good requests of one label are made. */
export type BaseMaker = { label: string; make: (world: World, dice: Dice) => Base };

/** Good requests of every door, those of the registry first. */
export const baseMakers: readonly BaseMaker[] = [
  ...operations.flatMap(restBase),
  ...mcpBases(operations),
  ...oauthBases,
  ...pageBases,
];

/** The cursor of a list whose rows are numbered. */
const numbered = ({ now }: World): Known => ({ cursor: [Buffer.from(`${now}.1000000`).toString('base64url')] });

/** Input members with other ids than most operations take: what suits this one in the seeded workspace. */
const special: Readonly<Record<string, (world: World) => Known>> = {
  list_ledger_entries: numbered,
  list_audit_entries: numbered,
  cancel_assignment: ({ doomedIds }) => ({ assignmentId: doomedIds }),
  retry_assignment: ({ failedIds }) => ({ assignmentId: failedIds }),
  get_post_stats: ({ publishedId, connectionId }) => ({
    assignmentId: [publishedId],
    postId: [publishedId],
    connectionId: [connectionId],
  }),
  update_assignment: () => ({ payload: [{ title: 'Another title' }, { description: null }] }),
  delete_connection: ({ spareConnectionIds }) => ({ connectionId: spareConnectionIds }),
};

/** Optional members without which a call is refused: a video has a file, a change changes something. */
const needed: Readonly<Record<string, readonly string[]>> = {
  create_assignment: ['mediaUrl'],
  update_assignment: ['scheduledAt'],
  update_connection: ['name'],
};

/** A good input of an operation, with ids of the seeded workspace. */
export function goodInput(op: Operation, world: World, dice: Dice): { [name: string]: Json } {
  const known: Known = { ...world.known, ...special[op.name]?.(world) };
  const { input } = schemasOf(op);
  const required = [...((input.required as string[] | undefined) ?? []), ...(needed[op.name] ?? [])];
  return validInput({ ...input, required }, known, dice, world.now);
}

function restBase(op: Operation): BaseMaker[] {
  const { rest } = op;
  if (!rest) return [];
  const label = `rest ${op.name}`;
  const make = (world: World, dice: Dice): Base => {
    const headers: Wire['headers'] = [['authorization', `Bearer ${world.key}`]];
    const encode = (input: Json) => restWire(rest.method, rest.path, input, headers);
    return { label, input: goodInput(atRest(op), world, dice), encode };
  };
  return [{ label, make }];
}

function restWire(method: string, template: string, input: Json, headers: Wire['headers']): Wire {
  const members = input !== null && typeof input === 'object' && !Array.isArray(input) ? Object.entries(input) : [];
  const inPath = new Map(members.map(([name, value]) => [name, toText(value)]));
  const used = new Set<string>();
  const path = template.replace(/\{(\w+)\}/g, (_, name: string) => {
    used.add(name);
    return encodeURIComponent((inPath.get(name) ?? '').slice(0, 4000));
  });
  const rest = members.filter(([name]) => !used.has(name));
  const at = `/api/v1${path}`;
  if (method === 'GET' || method === 'DELETE') {
    const query = rest.map(([name, value]) => [name.toWellFormed(), toText(value).slice(0, 4000)]);
    return { method, path: query.length > 0 ? `${at}?${new URLSearchParams(query)}` : at, headers };
  }
  const said = members.length > 0 || (input !== null && typeof input === 'object') ? Object.fromEntries(rest) : input;
  const body = Buffer.from(toJson(Array.isArray(input) ? input : said));
  return { method, path: at, headers: [...headers, ['content-type', 'application/json']], body };
}
