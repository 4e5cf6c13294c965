import assert from 'node:assert/strict';
import { readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { test } from 'node:test';
import { itemsOf } from './items.ts';
import { mutants } from './mutants/index.ts';

const all = Array.from({ length: 53 }, (_, index) => index + 1);

test('every item of the checklist has exactly one test', () => {
  const files = readdirSync(import.meta.dirname).filter((name) => name.endsWith('.test.ts'));
  const found = files.flatMap((name) => itemsOf(readFileSync(join(import.meta.dirname, name), 'utf8')));
  assert.deepEqual(
    found.sort((a, b) => a - b),
    all,
  );
});

test('every item has a mutant, and the text of each mutant stands once in its file', () => {
  assert.deepEqual([...new Set(mutants.map(({ item }) => item))], all);
  for (const { item, name, file, find, replace } of mutants) {
    const text = readFileSync(join(import.meta.dirname, '../../src', file), 'utf8');
    assert.equal(text.split(find).length - 1, 1, `${item} ${name}: ${file}`);
    assert.notEqual(find, replace, name);
  }
});
