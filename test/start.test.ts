import assert from 'node:assert/strict';
import { once } from 'node:events';
import { readFile, stat } from 'node:fs/promises';
import { createServer } from 'node:net';
import { join } from 'node:path';
import { after, before, test } from 'node:test';
import { type Running, runCommand, startCommand, temporaryFolder } from './command.ts';
import { freePort } from './free-port.ts';

const folder = await temporaryFolder();
const port = String(await freePort());
const settings = { PORT: port, PHARLO_DATA_DIR: folder.path };
const create = ['keys', 'create', '--workspace', 'default', '--json'];
let server: Running;
let greeting = '';

before(async () => {
  server = startCommand([], settings);
  greeting = await server.printed(/API key.*\n/);
});

after(async () => {
  await server[Symbol.asyncDispose]();
  await folder[Symbol.asyncDispose]();
});

function list(key: string, at = port): Promise<Response> {
  return fetch(`http://localhost:${at}/api/v1/assignments`, { headers: { authorization: `Bearer ${key}` } });
}

async function makeKey(given: Record<string, string> = settings): Promise<{ id: string; key: string }> {
  const { code, stdout, stderr } = await runCommand(create, given);
  assert.equal(stderr, '');
  assert.equal(code, 0);
  assert.match(stdout, /^\{"key":"ds_live_[\w-]+","id":"[\w-]+"\}\n$/);
  return JSON.parse(stdout);
}

/** Asserts one line on stderr, nothing on stdout and exit code 1; returns the line. */
async function refusal(args: string[], given: Record<string, string>): Promise<string> {
  const { code, stdout, stderr } = await runCommand(args, given);
  assert.deepEqual({ code, stdout }, { code: 1, stdout: '' });
  assert.match(stderr, /^[^\n]+\n$/);
  return stderr;
}

test('the start tells where everything is and, without a terminal, how to make a key', () => {
  assert.match(greeting, new RegExp(`Open +http://localhost:${port}\\n`));
  assert.match(greeting, new RegExp(`MCP URL +http://localhost:${port}/_mcp\\n`));
  assert.match(greeting, new RegExp(`Sandbox +http://127.0.0.1:${port}\\n`));
  assert.match(greeting, /API key +npm run --silent pharlo -- keys create --workspace default --json\n/);
  assert.doesNotMatch(greeting, /ds_live_/);
});

test('a running server takes a key of the command line at once, and refuses it at once when it is revoked', async () => {
  const { id, key } = await makeKey();
  assert.equal((await list(key)).status, 200);

  const listed = await runCommand(['keys', 'list', '--workspace', 'default', '--json'], settings);
  const states = (text: string) =>
    JSON.parse(text).items.map((one: { id: string; state: string }) => [one.id, one.state]);
  assert.deepEqual(states(listed.stdout), [[id, 'live']]);
  assert.ok(!listed.stdout.includes(key));

  const revoked = await runCommand(['keys', 'revoke', id, '--json'], settings);
  assert.deepEqual(JSON.parse(revoked.stdout), { id, state: 'revoked' });
  assert.equal((await list(key)).status, 401);
  const again = await runCommand(['keys', 'list', '--json'], settings);
  assert.deepEqual(states(again.stdout), [[id, 'revoked']]);
  assert.match(await refusal(['keys', 'revoke', id], settings), /no live key/);
});

test('a command that is off says so in one line', async () => {
  assert.match(await refusal(['keys', 'create', '--workspace', 'nowhere'], settings), /no workspace "nowhere"/);
  assert.match(await refusal(['keys', 'create', '--scopes', 'everything'], settings), /--scopes knows/);
  const unknown = await runCommand(['kyes'], settings);
  assert.equal(unknown.code, 1);
  assert.match(unknown.stderr, /^Usage:\n {2}pharlo start\n/);
  const option = await runCommand(['keys', 'create', '--jsn'], settings);
  assert.equal(option.code, 1);
  assert.match(option.stderr, /^Unknown option.*\nUsage:\n/);
});

test('--help tells the commands and needs no settings', async () => {
  const { code, stdout } = await runCommand(['--help'], { PORT: 'none' });
  assert.equal(code, 0);
  for (const word of ['start', 'sandbox', 'keys create', 'keys list', 'keys revoke']) {
    assert.ok(stdout.includes(`  pharlo ${word}`), word);
  }
});

test('the data folder and what is secret in it are private', async () => {
  const mode = async (path: string) => ((await stat(path)).mode & 0o777).toString(8);
  // Root may have to let PostgreSQL's user pass through; nobody may list it.
  const folderModes = process.getuid?.() === 0 ? ['700', '711'] : ['700'];
  assert.ok(folderModes.includes(await mode(folder.path)));
  for (const file of ['secret.key', 'postgres-passwords.json'])
    assert.equal(await mode(join(folder.path, file)), '600');
  assert.equal(Buffer.from(await readFile(join(folder.path, 'secret.key'), 'utf8'), 'base64').length, 32);
});

test('a second start on the same data folder joins the first', async () => {
  const other = String(await freePort());
  const { key } = await makeKey();
  await using second = startCommand([], { ...settings, PORT: other });
  await second.printed(/MCP URL.*\n/);
  assert.equal((await list(key, other)).status, 200);
  second.signal('SIGTERM');
  assert.equal((await second.ended).code, 0);
  assert.equal((await list(key)).status, 200);
});

test('a port in use is told in one line, and the process ends, workers and store included', async () => {
  await using own = await temporaryFolder();
  const taken = createServer().listen(0, '127.0.0.1');
  await once(taken, 'listening');
  const address = taken.address();
  assert.ok(typeof address === 'object' && address);
  try {
    const line = await refusal([], { PHARLO_DATA_DIR: own.path, PORT: String(address.port) });
    assert.match(line, /port is in use.*set PORT/);
  } finally {
    taken.close();
  }
});

test('a wrong setting stops the start with one line that names it', async () => {
  assert.match(await refusal([], { ...settings, PORT: 'eighty' }), /^PORT must be/);
});

test('the sandbox networks run alone', async () => {
  await using alone = await temporaryFolder();
  const at = String(await freePort());
  await using sandbox = startCommand(['sandbox'], { PORT: at, PHARLO_DATA_DIR: alone.path });
  assert.equal(await sandbox.printed(/\n/), `The sandbox networks are running at http://127.0.0.1:${at}\n`);
  const sample = await fetch(`http://127.0.0.1:${at}/sample.mp4`);
  assert.equal(sample.headers.get('content-type'), 'video/mp4');
  assert.ok((await sample.arrayBuffer()).byteLength > 0);
  assert.equal((await fetch(`http://127.0.0.1:${at}/api/v1/ready`)).status, 404);
  sandbox.signal('SIGTERM');
  assert.deepEqual((await sandbox.ended).code, 0);
});

test('a terminated server exits cleanly and its keys can be made and used without it', async () => {
  server.signal('SIGTERM');
  const { code, stderr } = await server.ended;
  assert.equal(code, 0, stderr);
  await assert.rejects(list('any'));

  const { key } = await makeKey();
  server = startCommand([], settings);
  const text = await server.printed(/Sandbox.*\n/);
  assert.equal((await list(key)).status, 200);
  assert.doesNotMatch(text, /API key/);
});
