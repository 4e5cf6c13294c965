import assert from 'node:assert/strict';
import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { test } from 'node:test';
import { generatedPages } from '../scripts/docs.ts';
import { readConfig } from '../src/config.ts';
import { platformSettings, settings } from '../src/settings.ts';

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
