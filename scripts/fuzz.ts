import { spawn } from 'node:child_process';
import { join } from 'node:path';
import { argv, env, execPath, stdout } from 'node:process';
import { parseArgs } from 'node:util';
import { fuzz } from '../test/fuzz/run.ts';
import { startTarget } from '../test/fuzz/target.ts';
import { describe, verdictOf } from '../test/fuzz/verdict.ts';
import { startTestServer } from '../test/test-server.ts';

/** `npm run fuzz -- [--requests 100000] [--seed <number>]`: fires bad requests at a Pharlo of its own. */

const { values } = parseArgs({ options: { requests: { type: 'string' }, seed: { type: 'string' } } });
const requests = Number(values.requests ?? 100_000);
const seed = Number(values.seed ?? Math.floor(Math.random() * 2 ** 31));

async function run(): Promise<number> {
  await using target = await startTarget();
  stdout.write(`seed ${seed}\n`);
  const tell = (line: string) => stdout.write(`${line} ${Math.round(performance.now() / 1000)} s\n`);
  const report = await fuzz(target, { seed, requests, warmUp: Math.min(10_000, requests / 2), tell });
  const missed = verdictOf(report);
  stdout.write(`${describe(report)}\n${missed.map((line) => `MISSED ${line}\n`).join('')}`);
  return missed.length > 0 ? 1 : 0;
}

/** The same script again, told where the database is. */
async function underTestServer(): Promise<number> {
  await using server = await startTestServer();
  const script = join(import.meta.dirname, 'fuzz.ts');
  const child = spawn(execPath, [script, ...argv.slice(2)], { stdio: 'inherit', env: { ...env, ...server.variables } });
  return await new Promise<number>((resolve, reject) => {
    child.once('error', reject);
    child.once('exit', (code) => resolve(code ?? 1));
  });
}

process.exitCode = env.PHARLO_TEST_TEMPLATE ? await run() : await underTestServer();
