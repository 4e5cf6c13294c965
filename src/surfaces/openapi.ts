import type { Config } from '../config.ts';
import { atRest, type Operation, type RestFace } from '../operation.ts';
import { type JsonSchema, schemasOf } from './schemas.ts';

const errorSchema = {
  type: 'object',
  required: ['error'],
  properties: {
    error: {
      type: 'object',
      required: ['code', 'message'],
      properties: {
        code: { type: 'string', description: 'Stable, snake_case.' },
        message: { type: 'string' },
        details: {
          type: 'object',
          description: 'Messages by field.',
          additionalProperties: { type: 'array', items: { type: 'string' } },
        },
        required: { type: 'number', description: 'Credits the call would have cost.' },
        balance: { type: 'number', description: 'Credits left.' },
        incident: { type: 'string', format: 'uuid' },
      },
    },
  },
};

/** The OpenAPI 3.1 document of the REST API, derived from the registry. */
export function openApi(config: Config, operations: readonly Operation[]): object {
  const paths: Record<string, Record<string, object>> = {};
  for (const op of operations.map(atRest)) {
    if (!op.rest) continue;
    paths[op.rest.path] = { ...paths[op.rest.path], [op.rest.method.toLowerCase()]: describe(op, op.rest) };
  }
  return {
    openapi: '3.1.0',
    info: { title: 'Pharlo API', version: '1', description: 'Publish, schedule and track social-media content.' },
    servers: [{ url: `${config.publicUrl}/api/v1` }],
    security: [{ bearer: [] }],
    paths,
    components: {
      securitySchemes: { bearer: { type: 'http', scheme: 'bearer', description: 'A ds_live_ key.' } },
      schemas: { Error: errorSchema },
    },
  };
}

function describe(op: Operation, face: RestFace<unknown>): object {
  const { input, output } = schemasOf(op);
  const { properties = {}, required = [] } = input as { properties?: Record<string, JsonSchema>; required?: string[] };
  const inPath = [...face.path.matchAll(/\{(\w+)\}/g)].map(([, name]) => name ?? '');
  const rest = Object.entries(properties).filter(([name]) => !inPath.includes(name));
  const hasBody = face.method === 'POST' || face.method === 'PATCH';
  const parameter = (place: string) => (name: string) => {
    const { description, ...schema } = properties[name] ?? {};
    const needed = place === 'path' || required.includes(name);
    return { name, in: place, required: needed, schema, ...(description !== undefined && { description }) };
  };
  const success = face.status === 204 ? {} : { content: { 'application/json': { schema: output } } };
  return {
    operationId: op.name,
    summary: op.title,
    description: `${op.description}\n\nScope: ${op.access}. Tier: ${op.credits}.`,
    parameters: [
      ...inPath.map(parameter('path')),
      ...(hasBody ? [] : rest.map(([name]) => name).map(parameter('query'))),
      ...headerParameters(properties),
    ],
    ...(hasBody && rest.length > 0 && { requestBody: bodyOf(rest, required) }),
    responses: {
      [face.status]: { description: 'OK', ...success },
      default: {
        description: 'Error',
        content: { 'application/json': { schema: { $ref: '#/components/schemas/Error' } } },
      },
    },
  };
}

function headerParameters(properties: Record<string, JsonSchema>): object[] {
  const organization = {
    name: 'X-Organization-Id',
    in: 'header',
    required: false,
    schema: { type: 'string', format: 'uuid' },
    description: 'Narrows the call to one organization.',
  };
  if (!properties.idempotencyKey) return [organization];
  const schema = { type: 'string', maxLength: 200 };
  return [organization, { name: 'Idempotency-Key', in: 'header', required: false, schema }];
}

function bodyOf(members: [string, JsonSchema][], required: string[]): object {
  const names = members.map(([name]) => name);
  const needed = required.filter((name) => names.includes(name));
  const schema = {
    type: 'object',
    properties: Object.fromEntries(members),
    ...(needed.length > 0 && { required: needed }),
    additionalProperties: false,
  };
  return { required: needed.length > 0, content: { 'application/json': { schema } } };
}
