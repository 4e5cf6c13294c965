import assert from 'node:assert/strict';
import { readFile, writeFile } from 'node:fs/promises';
import { env } from 'node:process';
import { test } from 'node:test';
import { Validator } from '@seriousme/openapi-schema-validator';
import { json } from '../scripts/docs.ts';
import { readConfig } from '../src/config.ts';
import { type ErrorCode, errorCodes } from '../src/domain/error-codes.ts';
import { atRest } from '../src/operation.ts';
import { operations } from '../src/operations/index.ts';
import { errorsOf, statusOf } from '../src/surfaces/error-catalog.ts';
import { exampleOf } from '../src/surfaces/examples.ts';
import { openApi } from '../src/surfaces/openapi.ts';
import { schemasOf } from '../src/surfaces/schemas.ts';
import { readSources } from './house.ts';

const file = new URL('./contract.snap.json', import.meta.url);

/** What clients rely on. PHARLO_UPDATE_SNAPSHOTS=1 writes it anew after a wanted change. */
function contract() {
  return operations.map((op) => ({
    name: op.name,
    ...(op.rest && { rest: `${op.rest.method} ${op.rest.path} ${op.rest.status}` }),
    tool: op.mcp !== undefined,
    access: op.access,
    credits: op.credits,
    hints: op.hints,
    ...schemasOf(op),
    ...(op.rest?.input && { restInput: schemasOf(atRest(op)).input }),
  }));
}

test('the public contract is the committed one', async () => {
  const current = JSON.parse(JSON.stringify(contract()));
  if (env.PHARLO_UPDATE_SNAPSHOTS) await writeFile(file, json(current));
  const committed = JSON.parse(await readFile(file, 'utf8'));
  assert.deepEqual(current, committed, 'run with PHARLO_UPDATE_SNAPSHOTS=1 if this change of the contract is wanted');
});

test('names, routes and path parameters are unambiguous', () => {
  const names = operations.map(({ name }) => name);
  assert.equal(new Set(names).size, names.length);
  const routes = operations.flatMap(({ rest }) =>
    rest ? [`${rest.method} ${rest.path.replace(/\{\w+\}/g, '{}')}`] : [],
  );
  assert.equal(new Set(routes).size, routes.length);
  for (const op of operations) {
    assert.match(op.name, /^[a-z]+(_[a-z]+)+$/);
    assert.ok(op.rest || op.mcp, `${op.name} has no face`);
    const known = Object.keys(schemasOf(atRest(op)).input.properties ?? {});
    for (const [, name] of op.rest?.path.matchAll(/\{(\w+)\}/g) ?? []) assert.ok(known.includes(name ?? ''), op.name);
  }
});

type Described = {
  operationId: string;
  description: string;
  security: object[];
  parameters: { name: string; in: string; required: boolean; schema: object }[];
  requestBody?: { content: { 'application/json': { schema: { properties: object; additionalProperties: boolean } } } };
  responses: Record<string, object>;
};

test('the OpenAPI document tells every operation, and every reference in it resolves', () => {
  const document = JSON.parse(JSON.stringify(openApi(readConfig({}), operations))) as {
    openapi: string;
    paths: Record<string, Record<string, Described>>;
  };
  assert.match(document.openapi, /^3\.1\./);
  const told = Object.entries(document.paths).flatMap(([path, methods]) =>
    Object.entries(methods).map(([method, described]) => ({
      route: `${method.toUpperCase()} ${path}`,
      path,
      described,
    })),
  );
  assert.equal(told.length, operations.filter(({ rest }) => rest).length);
  for (const op of operations) {
    if (!op.rest) continue;
    const route = `${op.rest.method} ${op.rest.path}`;
    const { described } = told.find((one) => one.route === route) ?? assert.fail(`${route} is missing`);
    assert.equal(described.operationId, op.name);
    assert.ok(described.description.includes(op.description));
    const failures = new Set(errorsOf(atRest(op)).map((code) => String(statusOf(code))));
    const successes = Object.keys(described.responses).filter((status) => status.startsWith('2'));
    assert.ok(successes.includes(String(op.rest.status)), op.name);
    assert.deepEqual(new Set(Object.keys(described.responses)), new Set([...successes, ...failures, 'default']));
    assert.deepEqual(described.security, [{ bearer: op.access.includes(':') ? [op.access] : [] }]);
    const inPath = described.parameters.filter((parameter) => parameter.in === 'path').map(({ name }) => name);
    assert.deepEqual(
      inPath,
      [...op.rest.path.matchAll(/\{(\w+)\}/g)].map(([, name]) => name),
    );
    const inQuery = described.parameters.filter((parameter) => parameter.in === 'query').map(({ name }) => name);
    const inBody = Object.keys(described.requestBody?.content['application/json'].schema.properties ?? {});
    const inputs = Object.keys(schemasOf(atRest(op)).input.properties ?? {});
    assert.deepEqual(
      [...inPath, ...inQuery, ...inBody].sort(),
      inputs.sort(),
      `${op.name}: a field is told nowhere or twice`,
    );
  }
  const resolve = (pointer: string) =>
    pointer
      .slice(2)
      .split('/')
      .reduce<unknown>((value, name) => (value as Record<string, unknown> | undefined)?.[name], document);
  const references = [...JSON.stringify(document).matchAll(/"\$ref":"([^"]+)"/g)].map(([, pointer]) => pointer ?? '');
  assert.ok(references.length > 0);
  for (const pointer of references) {
    assert.ok(pointer.startsWith('#/'), pointer);
    assert.ok(resolve(pointer), `${pointer} leads nowhere`);
  }
});

test('the OpenAPI document is valid by the rules of the specification', async () => {
  const document = JSON.parse(JSON.stringify(openApi(readConfig({}), operations)));
  assert.deepEqual(await new Validator().validate(document), { valid: true });
  const broken = structuredClone(document);
  delete broken.paths['/assignments'].post.responses['201'].description;
  assert.equal((await new Validator().validate(broken)).valid, false);
});

test('every example of an answer is one the operation could give', () => {
  for (const op of operations) {
    const parsed = op.output.safeParse(exampleOf(schemasOf(op).output));
    assert.ok(parsed.success, `${op.name}: ${parsed.error?.message}`);
  }
});

test('a code that an operation throws by name is told of one of its file', async () => {
  let seen = 0;
  for (const { path, code } of readSources('src').filter((file) => /^operations\/(?!index\.)/.test(file.path))) {
    const exported: unknown[] = Object.values(await import(`../src/${path}`));
    const own = operations.filter((op) => exported.includes(op) && op.rest);
    if (own.length === 0) continue;
    const told = new Set(own.flatMap((op) => errorsOf(atRest(op))));
    for (const [, thrown = ''] of code.matchAll(/new DomainError\(\s*'(\w+)'/g)) {
      seen += 1;
      assert.ok(
        told.has(thrown as ErrorCode),
        `${path} throws ${thrown}: give it a cause in src/domain/error-codes.ts`,
      );
    }
  }
  assert.ok(seen > 5);
});

test('each cause of an error is one that the catalogue can place', () => {
  const told = new Set(operations.flatMap((op) => errorsOf(atRest(op))));
  const elsewhere = Object.entries(errorCodes)
    .filter(([code]) => !told.has(code as ErrorCode))
    .map(([, { cause }]) => cause);
  assert.deepEqual(new Set(elsewhere), new Set(['edge', 'connecting', 'tool', 'call']));
});
