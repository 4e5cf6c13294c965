import assert from 'node:assert/strict';
import { readFile, writeFile } from 'node:fs/promises';
import { env } from 'node:process';
import { test } from 'node:test';
import { readConfig } from '../src/config.ts';
import { atRest } from '../src/operation.ts';
import { operations } from '../src/operations/index.ts';
import { openApi } from '../src/surfaces/openapi.ts';
import { schemasOf } from '../src/surfaces/schemas.ts';

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
  if (env.PHARLO_UPDATE_SNAPSHOTS) await writeFile(file, `${JSON.stringify(current, null, 2)}\n`);
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
    assert.deepEqual(Object.keys(described.responses), [String(op.rest.status), 'default']);
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
