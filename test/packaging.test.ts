import assert from 'node:assert/strict';
import { execFile } from 'node:child_process';
import { existsSync } from 'node:fs';
import { mkdir, readdir, readFile, realpath, symlink } from 'node:fs/promises';
import { delimiter, dirname, join } from 'node:path';
import { test } from 'node:test';
import { promisify } from 'node:util';
import { type Program, runCommand, startCommand, temporaryFolder } from './command.ts';
import { freePort } from './free-port.ts';

const run = promisify(execFile);
const repository = join(import.meta.dirname, '..');

/** Packs the repository and unpacks the tarball where `npm install` would put it; returns the folder of the package. */
async function installPacked(folder: string): Promise<string> {
  await run('npm', ['pack', '--pack-destination', folder], { cwd: repository });
  const [tarball = ''] = (await readdir(folder)).filter((name) => name.endsWith('.tgz'));
  await mkdir(join(folder, 'node_modules'));
  await run('tar', ['-xzf', tarball, '-C', 'node_modules'], { cwd: folder });
  return join(folder, 'node_modules', 'package');
}

/** Links what the package itself declares beside it, so that a use of anything else fails as it would for a user. */
async function linkDependencies(installed: string): Promise<void> {
  const { dependencies, optionalDependencies } = JSON.parse(await readFile(join(installed, 'package.json'), 'utf8'));
  for (const name of Object.keys({ ...dependencies, ...optionalDependencies })) {
    const target = join(repository, 'node_modules', name);
    const link = join(dirname(installed), name);
    await mkdir(dirname(link), { recursive: true });
    if (existsSync(target)) await symlink(await realpath(target), link);
  }
}

/** The machine's own Node where it is too old for Pharlo, else the one that runs this. */
async function oldestNode(): Promise<string> {
  for (const folder of (process.env.PATH ?? '').split(delimiter)) {
    const node = join(folder, 'node');
    if (folder.includes('node_modules') || !existsSync(node)) continue;
    const { stdout } = await run(node, ['--version']);
    if (Number.parseInt(stdout.slice(1), 10) < 24) return node;
  }
  return process.execPath;
}

test('the packed tarball holds what runs and starts by its command', async () => {
  await using folder = await temporaryFolder();
  const installed = await installPacked(folder.path);
  await linkDependencies(installed);
  const holds = (await readdir(installed)).sort();
  assert.deepEqual(holds, ['LICENSE', 'README.md', 'bin', 'dist', 'migrations', 'package.json']);
  const files = await readdir(installed, { recursive: true });
  assert.deepEqual(
    files.filter((file) => file.endsWith('.ts')),
    [],
  );

  const port = String(await freePort());
  const settings = { PORT: port, PHARLO_DATA_DIR: join(folder.path, 'data') };
  const program: Program = [await oldestNode(), join(installed, 'bin/pharlo.js')];
  await using server = startCommand([], settings, program);
  await server.printed(/MCP URL.*\n/);
  assert.equal((await fetch(`http://localhost:${port}/api/v1/ready`)).status, 200);
  for (const [path, type] of [
    ['sample.mp4', 'video/mp4'],
    ['sandbox.css', 'text/css'],
  ] as const) {
    const asset = await fetch(`http://127.0.0.1:${port}/${path}`);
    assert.equal(asset.status, 200, path);
    assert.ok(asset.headers.get('content-type')?.startsWith(type), path);
    await asset.arrayBuffer();
  }
  const made = await runCommand(['keys', 'create', '--json'], settings, program);
  assert.match(made.stdout, /^\{"key":"ds_live_/, made.stderr);

  server.signal('SIGTERM');
  const { code, stderr } = await server.ended;
  assert.equal(code, 0, stderr);
  assert.ok(!existsSync(join(folder.path, 'data/postgres/postmaster.pid')));
});
