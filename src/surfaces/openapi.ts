import type { Config } from '../config.ts';
import { isScope, scopes, scopeTexts } from '../domain/access.ts';
import { price, toCredits } from '../domain/credits.ts';
import { type ErrorCode, errorCodes } from '../domain/error-codes.ts';
import { atRest, type Operation, type RestFace } from '../operation.ts';
import { answerHeaders, headersOf } from './answer-headers.ts';
import { codes, errorsOf, statusOf, takesBody } from './error-catalog.ts';
import { exampleOf } from './examples.ts';
import { type JsonSchema, schemasOf } from './schemas.ts';

const errorSchema = {
  type: 'object',
  required: ['error'],
  properties: {
    error: {
      type: 'object',
      required: ['code', 'message'],
      properties: {
        code: { $ref: '#/components/schemas/ErrorCode' },
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
    info: {
      title: 'Pharlo API',
      version: '1',
      description: 'Publish, schedule and track social-media content.',
      license: { name: 'Apache-2.0', identifier: 'Apache-2.0' },
    },
    servers: [{ url: `${config.publicUrl}/api/v1` }],
    security: [{ bearer: [] }],
    tags: [...new Set(operations.flatMap((op) => (op.rest ? [tagOf(op.rest)] : [])))].map((name) => ({ name })),
    paths,
    components: {
      securitySchemes: {
        bearer: {
          type: 'http',
          scheme: 'bearer',
          description: `A ds_live_ key or an access token. Scopes:\n${scopes.map((scope) => `- ${scope}: ${scopeTexts[scope]}`).join('\n')}`,
        },
      },
      schemas: {
        Error: errorSchema,
        ErrorCode: { type: 'string', description: 'Stable, snake_case; more may come.', examples: codes() },
      },
      headers: Object.fromEntries(
        answerHeaders.map(({ name, type, description }) => [name, { description, schema: { type } }]),
      ),
      examples: Object.fromEntries(codes().map((code) => [code, errorExample(code)])),
    },
  };
}

/** The noun of a path, under which lists gather its calls. */
export function tagOf({ path }: RestFace<unknown>): string {
  return path.split('/')[1] ?? '';
}

function describe(op: Operation, face: RestFace<unknown>): object {
  const { input } = schemasOf(op);
  const { properties = {}, required = [] } = input as { properties?: Record<string, JsonSchema>; required?: string[] };
  const inPath = [...face.path.matchAll(/\{(\w+)\}/g)].map(([, name]) => name ?? '');
  const rest = Object.entries(properties).filter(([name]) => !inPath.includes(name));
  const hasBody = takesBody(face);
  const parameter = (place: string) => (name: string) => {
    const { description, ...schema } = properties[name] ?? {};
    const needed = place === 'path' || required.includes(name);
    return { name, in: place, required: needed, schema, ...(description !== undefined && { description }) };
  };
  return {
    operationId: op.name,
    tags: [tagOf(face)],
    summary: op.title,
    description: `${op.description}\n\nScope: ${op.access}. Tier: ${op.credits} (${toCredits(price(op.credits, 'rest'))} credits).`,
    // OpenAPI 3.1 lets every kind of scheme name the roles it needs.
    security: [{ bearer: isScoped(op) ? [op.access] : [] }],
    parameters: [
      ...inPath.map(parameter('path')),
      ...(hasBody ? [] : rest.map(([name]) => name).map(parameter('query'))),
      ...headerParameters(properties),
    ],
    ...(hasBody && rest.length > 0 && { requestBody: bodyOf(rest, required) }),
    responses: { ...successes(op, face), ...failures(op) },
  };
}

function isScoped({ access }: Operation): boolean {
  return isScope(access);
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
  const { description, ...schema } = properties.idempotencyKey;
  return [organization, { name: 'Idempotency-Key', in: 'header', required: false, schema, description }];
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
  const example = exampleOf(schema);
  return { required: needed.length > 0, content: { 'application/json': { schema, example } } };
}

function successes(op: Operation, face: RestFace<unknown>): Record<string, object> {
  const { input, output } = schemasOf(op);
  const headers = headerRefs(headersOf(face.status, input.properties?.idempotencyKey !== undefined));
  if (face.status === 204) return { 204: { description: 'Done; there is nothing to answer.', headers } };
  const variants = Array.isArray(output.anyOf) ? (output.anyOf as JsonSchema[]) : [output];
  // Where one answer differs from the others in its status, each variant stands under its own.
  const byStatus = new Map<number, JsonSchema[]>();
  for (const variant of variants) {
    const status = face.statusOf?.(exampleOf(variant)) ?? face.status;
    byStatus.set(status, [...(byStatus.get(status) ?? []), variant]);
  }
  return Object.fromEntries(
    [...byStatus].map(([status, [first = output, ...more]]) => {
      const schema = more.length > 0 ? output : first;
      const content = { 'application/json': { schema, example: exampleOf(first) } };
      return [status, { description: status === 201 ? 'Created' : 'OK', headers, content }];
    }),
  );
}

/** One entry for each status, with the codes that have it. */
function failures(op: Operation): Record<string, object> {
  const told = errorsOf(op);
  const entries = [...new Set(told.map(statusOf))].map((status): [number, object] => {
    const own = told.filter((code) => statusOf(code) === status);
    const description = own.map((code) => `\`${code}\`: ${errorCodes[code].meaning}`).join('\n\n');
    const examples = Object.fromEntries(own.map((code) => [code, { $ref: `#/components/examples/${code}` }]));
    return [
      status,
      {
        description,
        headers: headerRefs(headersOf(status)),
        content: errorContent({ examples }),
      },
    ];
  });
  return { ...Object.fromEntries(entries), default: { description: 'Any other error.', content: errorContent() } };
}

function errorContent(more: object = {}): object {
  return { 'application/json': { schema: { $ref: '#/components/schemas/Error' }, ...more } };
}

function headerRefs(names: string[]): Record<string, object> {
  return Object.fromEntries(names.map((name) => [name, { $ref: `#/components/headers/${name}` }]));
}

function errorExample(code: ErrorCode): object {
  const { kind, meaning, next } = errorCodes[code];
  const details = code === 'validation_failed' ? { details: { scheduledAt: ['must be in the future'] } } : {};
  const credits = kind === 'payment' ? { required: 3, balance: 1.4 } : {};
  const incident = kind === 'internal' ? { incident: '019a5b51-48d3-7b6a-9f02-1c2d3e4f5a88' } : {};
  const error = { code, message: meaning, ...details, ...credits, ...incident };
  return { summary: next, value: { error } };
}
