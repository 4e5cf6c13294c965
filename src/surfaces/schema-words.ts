import { type JsonSchema, typesOf } from './schemas.ts';

/** One member of an object, in words. */
export type Member = { name: string; type: string; required: boolean; description: string; members: Member[] };

/** The members of an object schema, of a list's items, or of the first of several objects. */
export function membersOf(schema: JsonSchema | undefined): Member[] {
  const { anyOf, items } = (schema ?? {}) as { anyOf?: JsonSchema[]; items?: JsonSchema };
  const [first] = anyOf ?? [];
  if (first) return membersOf(first);
  if (items) return membersOf(items);
  const required = (schema?.required as string[] | undefined) ?? [];
  return Object.entries(schema?.properties ?? {}).map(([name, member]) => ({
    name,
    type: typeWords(member),
    required: required.includes(name),
    description: String(member.description ?? ''),
    members: membersOf(member),
  }));
}

/** What a value may be, e.g. `text (uuid)`, `whole number, 1 to 100`, `one of: day, platform`. */
export function typeWords(schema: JsonSchema): string {
  const { anyOf, items, const: only } = schema as { anyOf?: JsonSchema[]; items?: JsonSchema; const?: unknown };
  if (only !== undefined) return `always ${JSON.stringify(only)}`;
  if (anyOf) return anyOf.map(typeWords).join(', or ');
  if (Array.isArray(schema.enum)) return `one of: ${schema.enum.join(', ')}`;
  if (schema.type === 'array') return items ? `list of ${typeWords(items)}` : 'list';
  const format = schema.format === undefined ? '' : ` (${schema.format})`;
  const [type = 'anything', ...others] = typesOf(schema).map((name) => typeNames[name] ?? name);
  return [[`${type}${format}`, ...others].join(' or '), ...bounds(schema)].join(', ');
}

const typeNames: Record<string, string> = {
  string: 'text',
  integer: 'whole number',
  boolean: 'true or false',
};

function bounds({ minimum, maximum, minLength, maxLength }: JsonSchema): string[] {
  if (minimum !== undefined && maximum !== undefined) return [`${minimum} to ${maximum}`];
  return [
    ...(minimum !== undefined ? [`at least ${minimum}`] : []),
    ...(maximum !== undefined ? [`at most ${maximum}`] : []),
    ...(Number(minLength ?? 0) > 1 ? [`at least ${minLength} characters`] : []),
    ...(maxLength !== undefined ? [`at most ${maxLength} characters`] : []),
  ];
}
