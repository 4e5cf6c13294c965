import { spawn } from 'node:child_process';
import { env, execPath } from 'node:process';
import { startTestServer } from './test-server.ts';

const DEFAULT_FILES = ['test/**/*.test.ts', 'src/**/*.test.ts'];

async function runTests(args: readonly string[], interrupted: AbortSignal): Promise<number> {
  await using server = await startTestServer();
  const flags = args.filter((arg) => arg.startsWith('-'));
  const files = args.filter((arg) => !arg.startsWith('-'));
  const child = spawn(
    execPath,
    [
      '--test',
      '--test-concurrency=3',
      '--test-timeout=120000',
      ...flags,
      ...(files.length > 0 ? files : DEFAULT_FILES),
    ],
    {
      stdio: 'inherit',
      env: { ...env, ...server.variables },
    },
  );
  const end = () => child.kill('SIGTERM');
  if (interrupted.aborted) end();
  interrupted.addEventListener('abort', end);
  return await new Promise<number>((resolve, reject) => {
    child.once('error', reject);
    child.once('exit', (code) => resolve(code ?? 1));
  });
}

const interruption = new AbortController();
process.once('SIGINT', () => interruption.abort());
process.once('SIGTERM', () => interruption.abort());
process.exitCode = await runTests(process.argv.slice(2), interruption.signal);
