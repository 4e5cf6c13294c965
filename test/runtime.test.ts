import assert from 'node:assert/strict';
import { execFileSync, spawnSync } from 'node:child_process';
import { mkdirSync, mkdtempSync, readFileSync, rmSync, symlinkSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { test } from 'node:test';
import { checkRuntime } from '../src/runtime.ts';

test('an old Node gets a sentence that says what to do', () => {
  for (const version of ['18.20.8', '20.20.2', '23.11.1']) {
    const sentence = checkRuntime(version);
    assert.match(sentence ?? '', new RegExp(`needs Node.js 24 or newer and this is ${version}: .*npm ci`));
    assert.doesNotMatch(sentence ?? '', /\n/);
  }
});

test('Node 24 and newer pass', () => {
  for (const version of ['24.0.0', '26.10.0', '100.0.0']) assert.equal(checkRuntime(version), undefined);
});

/** A package with the real bin/pharlo.js and a main that tells what it got. */
function packageWith(main: string, source: string): Disposable & { bin: string } {
  const root = mkdtempSync(join(tmpdir(), 'pharlo-bin-'));
  mkdirSync(join(root, 'bin'));
  mkdirSync(join(root, main, '..'), { recursive: true });
  writeFileSync(join(root, 'package.json'), '{"type":"module"}');
  writeFileSync(join(root, 'bin/pharlo.js'), readFileSync(new URL('../bin/pharlo.js', import.meta.url)));
  writeFileSync(join(root, main), source);
  symlinkSync(new URL('../node_modules', import.meta.url).pathname, join(root, 'node_modules'));
  return {
    bin: join(root, 'bin/pharlo.js'),
    [Symbol.dispose]: () => rmSync(root, { recursive: true, force: true }),
  };
}

const report = 'console.log(JSON.stringify({ major: parseInt(process.versions.node), argv: process.argv.slice(2) }));';

test('the command runs the source in a checkout and passes its arguments', () => {
  using fixture = packageWith('src/main.ts', `const typed: number = 0; ${report} process.exitCode = 3 + typed;`);
  const { status, stdout } = spawnSync(process.execPath, [fixture.bin, 'users', '--json'], { encoding: 'utf8' });
  assert.deepEqual(JSON.parse(stdout).argv, ['users', '--json']);
  assert.equal(status, 3);
});

test('the command runs the built files where there is no source', () => {
  using fixture = packageWith('dist/main.js', report);
  assert.ok(JSON.parse(execFileSync(process.execPath, [fixture.bin], { encoding: 'utf8' })).major >= 24);
});

test('in a checkout the command runs the source and not a build beside it', () => {
  using fixture = packageWith('src/main.ts', report);
  mkdirSync(join(fixture.bin, '../../dist'));
  writeFileSync(join(fixture.bin, '../../dist/main.js'), 'process.exitCode = 1;');
  assert.equal(spawnSync(process.execPath, [fixture.bin]).status, 0);
});
