import assert from 'node:assert/strict';
import { readFile, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { env } from 'node:process';
import { test } from 'node:test';
import { conformancePage } from '../../scripts/conformance.ts';
import { startHarness } from '../harness.ts';
import { fixtures } from './fixtures.ts';
import { runAll } from './runs.ts';
import { problems } from './verdict.ts';

const page = join(import.meta.dirname, '..', '..', 'docs', 'conformance.md');

test('the official conformance tool finds what is committed (npm run conformance writes the page)', async (t) => {
  await using pharlo = await startHarness({ world: { extra: fixtures } });
  const runs = await runAll(pharlo, t.signal);
  const exceptions = await readJson('exceptions.json');
  assert.deepEqual(problems(runs, exceptions, await readJson('minimum-checks.json')), []);
  const text = conformancePage(runs, exceptions);
  if (env.PHARLO_WRITE_CONFORMANCE) await writeFile(page, text);
  assert.equal(await readFile(page, 'utf8'), text);
});

async function readJson(name: string) {
  return JSON.parse(await readFile(join(import.meta.dirname, name), 'utf8'));
}
