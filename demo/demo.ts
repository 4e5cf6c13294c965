import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { createInterface } from 'node:readline';
import { setTimeout as delay } from 'node:timers/promises';
import { launchBrowser } from '../test/browser.ts';
import { freePort } from '../test/free-port.ts';
import { travel } from './journey.ts';

/**
 * Shows the main road on a fresh Pharlo in a temporary folder, then keeps it running so that the link can be opened.
 * With --exit it ends by itself.
 */
const say = (line: string) => process.stdout.write(`${line}\n`);
const main = join(import.meta.dirname, '../src/main.ts');

function pharlo(args: string[], env: NodeJS.ProcessEnv) {
  return spawn(process.execPath, [main, ...args], { env, stdio: ['ignore', 'pipe', 'inherit'] });
}

async function makeKey(env: NodeJS.ProcessEnv): Promise<string> {
  const command = pharlo(['keys', 'create', '--workspace', 'default', '--json'], env);
  let text = '';
  for await (const chunk of command.stdout) text += chunk;
  return String(JSON.parse(text).key);
}

// Listened to from the start: whenever it comes, the folder and the server must go.
const interrupted = Promise.race([once(process, 'SIGINT'), once(process, 'SIGTERM')]);
const folder = await mkdtemp(join(tmpdir(), 'pharlo-demo-'));
const port = await freePort();
const env = { ...process.env, PORT: String(port), PHARLO_DATA_DIR: folder };
for (const name of ['PHARLO_PUBLIC_URL', 'PHARLO_SANDBOX_URL', 'DATABASE_URL', 'HOST'])
  delete (env as NodeJS.ProcessEnv)[name];
const server = pharlo([], env);
const ended = once(server, 'exit');
try {
  for await (const line of createInterface({ input: server.stdout })) {
    say(line);
    if (line.includes('API key')) break;
  }
  const key = await makeKey(env);
  say('Made an API key for the default workspace');
  await using opened = await launchBrowser();
  const journey = travel({
    mcpUrl: `http://localhost:${port}/_mcp`,
    sandboxUrl: `http://127.0.0.1:${port}`,
    key,
    browser: opened.browser,
    tell: (step) => say(`- ${step}`),
    pause: () => delay(300),
    title: 'Hello from an agent',
  });
  const travelled = await Promise.race([journey, interrupted.then(() => undefined)]);
  if (travelled && !process.argv.includes('--exit')) {
    say('\nEverything keeps running: open the link. Ctrl-C ends it and removes its folder.');
    await Promise.race([interrupted, ended]);
  }
} finally {
  server.kill('SIGTERM');
  await ended;
  await rm(folder, { recursive: true, force: true });
}
process.exit();
