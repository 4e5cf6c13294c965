import { z } from 'zod';
import type { Operation } from '../operation.ts';

export type JsonSchema = { [key: string]: unknown; properties?: Record<string, JsonSchema>; type?: unknown };

export type Schemas = { input: JsonSchema; output: JsonSchema };

const cache = new Map<Operation, Schemas>();

/** JSON Schemas (2020-12) of an operation, built once. */
export function schemasOf(op: Operation): Schemas {
  const known = cache.get(op);
  if (known) return known;
  const made = { input: toSchema(op.input, 'input'), output: toSchema(op.output, 'output') };
  cache.set(op, made);
  return made;
}

function toSchema(schema: z.ZodType, io: 'input' | 'output'): JsonSchema {
  const { $schema: dialect, ...rest } = z.toJSONSchema(schema, { io });
  // 2020-12 is what MCP and OpenAPI 3.1 take an unnamed dialect for; only a schema that names it itself tells it.
  return (schema.meta()?.$schema === undefined ? rest : { $schema: dialect, ...rest }) as JsonSchema;
}
