import { z } from 'zod';
import type { Operation } from '../operation.ts';

export type JsonSchema = { [key: string]: unknown; properties?: Record<string, JsonSchema>; type?: unknown };

export type Schemas = { input: JsonSchema; output: JsonSchema };

const cache = new Map<Operation, Schemas>();

/** The types a schema names; none where anything goes. */
export function typesOf({ type }: JsonSchema): string[] {
  return ([type ?? []] as (string | string[])[]).flat();
}

/** JSON Schemas (2020-12) of an operation, built once. */
export function schemasOf(op: Operation): Schemas {
  const known = cache.get(op);
  if (known) return known;
  const made = { input: toSchema(op.input, 'input'), output: toSchema(op.output, 'output') };
  cache.set(op, made);
  return made;
}

function toSchema(schema: z.ZodType, io: 'input' | 'output'): JsonSchema {
  const { $schema: dialect, ...rest } = z.toJSONSchema(schema, {
    io,
    override: ({ jsonSchema }) => tidy(jsonSchema as JsonSchema, io),
  });
  // 2020-12 is what MCP and OpenAPI 3.1 take an unnamed dialect for; only a schema that names it itself tells it.
  return (schema.meta()?.$schema === undefined ? rest : { $schema: dialect, ...rest }) as JsonSchema;
}

/**
 * Leaves out what says nothing to a reader: the bounds of safe integers, and that keys are text. What may be null is told
 * as such a type. An answer may get new members later, so its objects are not closed.
 */
function tidy(schema: JsonSchema, io: 'input' | 'output'): void {
  if (schema.minimum === Number.MIN_SAFE_INTEGER) delete schema.minimum;
  if (schema.maximum === Number.MAX_SAFE_INTEGER) delete schema.maximum;
  delete schema.propertyNames;
  const { additionalProperties: more } = schema;
  const anything = typeof more === 'object' && more !== null && Object.keys(more).length === 0;
  if (anything || (io === 'output' && more === false)) delete schema.additionalProperties;
  const [value, none, ...others] = (schema.anyOf ?? []) as (JsonSchema | undefined)[];
  if (typeof value?.type !== 'string' || none?.type !== 'null' || others.length > 0 || value.enum) return;
  delete schema.anyOf;
  Object.assign(schema, { ...value, ...schema, type: [value.type, 'null'] });
}

/** The members of an answer, and of a list its items' members, without what is inside them: what a tool list can afford. */
export function shallow(schema: JsonSchema): JsonSchema {
  const { properties, anyOf } = schema;
  if (Array.isArray(anyOf)) return { ...schema, anyOf: anyOf.map(shallow) };
  if (!properties) return schema;
  const members = Object.entries(properties).map(([name, member]) => [name, memberOf(name, member)]);
  return { ...schema, properties: Object.fromEntries(members) };
}

function memberOf(name: string, { properties: _, required: __, ...member }: JsonSchema): JsonSchema {
  const items = member.items as JsonSchema | undefined;
  if (!items?.properties) return member;
  return { ...member, items: name === 'items' ? shallow(items) : { type: 'object' } };
}
