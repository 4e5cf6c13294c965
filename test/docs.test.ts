import assert from 'node:assert/strict';
import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { test } from 'node:test';
import { generatedPages, json } from '../scripts/docs.ts';
import { codesIn, collectFailureCodes } from '../scripts/failure-codes.ts';
import { readConfig } from '../src/config.ts';
import { operations } from '../src/operations/index.ts';
import { platformSettings, settings } from '../src/settings.ts';
import { documentRoutes } from '../src/surfaces/documents.ts';
import { readSources } from './house.ts';

test('the generated pages are up to date (npm run docs writes them)', async () => {
  for (const [path, text] of Object.entries(generatedPages())) {
    assert.equal(await readFile(join(import.meta.dirname, '..', path), 'utf8'), text, path);
  }
});

test('the settings page names exactly what the configuration reads', () => {
  const read = new Set<string>();
  const environment = new Proxy<Record<string, string | undefined>>(
    {},
    {
      get(_target, name) {
        if (typeof name === 'string') read.add(name);
        return undefined;
      },
    },
  );
  readConfig(environment).platform('youtube');
  const told = [
    ...settings.map(({ name }) => name),
    ...platformSettings.map(({ name }) => name.replace('<PLATFORM>', 'YOUTUBE')),
  ];
  assert.deepEqual([...read].sort(), told.sort());
});

test('a running server tells what the committed catalogues tell, and where everything is', async () => {
  const routes = documentRoutes(readConfig({}), operations);
  for (const name of ['errors.json', 'mcp-tools.json']) {
    const response = await routes.request(`/${name}`);
    assert.equal(response.headers.get('content-type'), 'application/json');
    assert.deepEqual(await response.json(), JSON.parse(generatedPages()[`docs/${name}`] ?? ''));
  }
  const pointers = await (await routes.request('/llms.txt')).text();
  const paths = [...pointers.matchAll(/\]\(http:\/\/localhost:\d+(\/[^)]*)\)/g)].map(([, path]) => path ?? '');
  assert.equal(paths.length, 5);
  for (const path of paths.filter((one) => one !== '/_mcp')) {
    assert.equal((await routes.request(path)).status, 200, path);
  }
});

test('every code that connectors and jobs give a failure is in the catalogue, with a sentence', () => {
  const listed = new Set(collectFailureCodes(join(import.meta.dirname, '../src')).map(({ code }) => code));
  const given = readSources('src')
    .filter(({ path }) => /^(jobs|platforms)\//.test(path))
    .flatMap(({ code }) => [
      ...code.matchAll(/new PlatformFailure\(\s*[^,]+,\s*'(\w+)'|\bfail\w*\(\s*work,\s*'(\w+)'|\bcode: '(\w+_\w+)'/g),
    ])
    .map((match) => match[1] ?? match[2] ?? match[3] ?? '');
  assert.ok(given.length > 20, 'there are failures');
  assert.deepEqual(
    given.filter((code) => !listed.has(code)),
    [],
  );
});

test('codes are read out of the ways in which sources give them', () => {
  const found = (text: string) => codesIn(text, new Map([['lostCode', 'long_lost']])).map((one) => Object.values(one));
  assert.deepEqual(found(`new PlatformFailure('retry', 'too_slow', 'It is too slow.')`), [
    ['too_slow', 'It is too slow.'],
  ]);
  assert.deepEqual(found(`{ code: 'too_slow', message: "It's too slow." }`), [['too_slow', "It's too slow."]]);
  assert.deepEqual(found(`const text = 'One ' + 'two.';\n fail(work, lostCode, text, true)`), [
    ['long_lost', 'One two.'],
  ]);
  assert.deepEqual(found("fail(work, 'too_slow', `Only $" + '{count} came.`)'), [['too_slow', 'Only … came.']]);
  assert.deepEqual(found(`send('post', 'path')`), []);
});

test('JSON is written as the formatter leaves it', () => {
  assert.equal(
    json({ a: ['b', 'c, "d"'], e: [{ f: 1 }], g: [] }),
    '{\n  "a": ["b", "c, \\"d\\""],\n  "e": [\n    {\n      "f": 1\n    }\n  ],\n  "g": []\n}\n',
  );
  const long = json({ a: Array.from({ length: 20 }, () => 'long enough') });
  assert.equal(long.split('\n').length, 25);
});
