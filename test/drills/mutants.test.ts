import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { test } from 'node:test';
import { mutants, planted } from './mutants.ts';

const src = join(import.meta.dirname, '../../src');

for (const { name, edits } of mutants) {
  test(`there still is a place for "${name}"`, () => {
    for (const edit of edits) {
      const text = readFileSync(join(src, edit.file), 'utf8');
      assert.notEqual(planted(text, edit), text);
    }
  });
}
