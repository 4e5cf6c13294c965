import { once } from 'node:events';
import { type App, commandWorld, createApp, createSandboxServer } from './app.ts';
import { backupCommand } from './commands/backup.ts';
import { creditsCommand, plansCommand } from './commands/billing.ts';
import { type Command, type Io, UsageError } from './commands/command.ts';
import { doctorCommand } from './commands/doctor.ts';
import { grantsCommand } from './commands/grants.ts';
import { keysCommand, makeKey } from './commands/keys.ts';
import { restoreCommand } from './commands/restore.ts';
import { webhooksCommand } from './commands/webhooks.ts';
import { workspacesCommand } from './commands/workspaces.ts';
import { type Config, ConfigError, readConfig } from './config.ts';
import { checkRuntime } from './runtime.ts';
import { listen } from './serve.ts';
import { listKeys } from './store/api-keys.ts';
import { findWorkspace } from './store/workspaces.ts';

const commands: readonly Command[] = [
  workspacesCommand,
  keysCommand,
  grantsCommand,
  creditsCommand,
  plansCommand,
  webhooksCommand,
  backupCommand,
  restoreCommand,
  doctorCommand,
];

const out = (line: string) => process.stdout.write(`${line}\n`);
const complain = (line: string) => process.stderr.write(`${line}\n`);

const usage = ['start', 'sandbox', ...commands.flatMap((command) => command.usage)].map((line) => `  pharlo ${line}`);

async function main(args: string[]): Promise<void> {
  const tooOld = checkRuntime(process.versions.node);
  if (tooOld) throw new UsageError(tooOld);
  const [name = 'start', ...rest] = args;
  if (name === 'help' || name === '--help') return void out(['Usage:', ...usage].join('\n'));
  const command = commands.find((candidate) => candidate.name === name);
  if (name !== 'start' && name !== 'sandbox' && !command) throw new UsageError();
  if (command && rest.includes('--help')) {
    return void out(['Usage:', ...command.usage.map((line) => `  pharlo ${line}`)].join('\n'));
  }
  const io: Io = { ...commandWorld, out, nodeVersion: process.versions.node };
  const config = readSettings((message) => command?.settingsRefused?.(rest, io, message));
  if (name === 'sandbox') return serveSandbox(config);
  if (!command) return serveProduct(config);
  return command.run(rest, io, config);
}

/** A command may have its own words for settings that are refused; whatever it says, Pharlo ends. */
function readSettings(refused: (message: string) => void): Config {
  try {
    return readConfig(process.env);
  } catch (error) {
    if (error instanceof ConfigError) refused(error.message);
    throw error;
  }
}

/** Resolves at the first SIGTERM or SIGINT. */
function stopAsked(): Promise<unknown> {
  return Promise.race([once(process, 'SIGTERM'), once(process, 'SIGINT')]);
}

/** A stop that hangs is ended; what was claimed is found again by its lease. */
const exitWithinMs = 29_000;

async function serveProduct(config: Config): Promise<void> {
  const stop = stopAsked();
  await using app = await createApp(config, { write: complain });
  // Listening comes first: the sandbox must answer before a job that was interrupted goes on with it.
  const listening = config.role === 'worker' ? undefined : await listen(app.fetch, config.hosts, config.port);
  const engine = config.role === 'web' ? undefined : await app.work();
  await greet(app, config);
  await stop;
  setTimeout(() => process.exit(1), exitWithinMs).unref();
  app.drain();
  await Promise.all([engine?.stop(), listening?.close(10_000)]);
}

async function greet(app: App, config: Config): Promise<void> {
  out(`Pharlo is running.\n  Open      ${config.publicUrl}\n  MCP URL   ${config.publicUrl}/_mcp`);
  if (config.sandboxUrl) out(`  Sandbox   ${config.sandboxUrl}`);
  const { db } = app.deps;
  const workspace = await findWorkspace(db, 'default');
  if (!workspace || (await listKeys(db, workspace.id)).length > 0) return;
  if (process.stdout.isTTY && config.isLocal) {
    const { key } = await makeKey(app.deps, { workspaceId: workspace.id, name: 'First start' });
    out(`  API key   ${key}\n            (shown once; keep it)`);
  } else {
    out(
      '  API key   npm run --silent pharlo -- keys create --workspace default --json\n            (with the settings of this server)',
    );
  }
}

/** The sandbox networks alone, on their own origin. */
async function serveSandbox(config: Config): Promise<void> {
  const stop = stopAsked();
  using sandbox = createSandboxServer(config);
  await using listening = await listen((request) => sandbox.fetch(request), sandbox.hosts, sandbox.port);
  out(`The sandbox networks are running at ${sandbox.origin}`);
  await stop;
  await listening.close(5000);
}

try {
  await main(process.argv.slice(2));
} catch (error) {
  process.exitCode = 1;
  if (error instanceof UsageError) complain(error.message || ['Usage:', ...usage].join('\n'));
  else if (error instanceof ConfigError) complain(error.message);
  else complain(startFailure(error));
}

/** One line; the message of a failure at start is ours or the system's and holds no secret of a user. */
function startFailure(error: unknown): string {
  const code = error instanceof Error && 'code' in error ? error.code : undefined;
  if (code === 'EADDRINUSE') return 'The port is in use: stop the other program or set PORT.';
  if (typeof code === 'string' && code.startsWith('ERR_PARSE_ARGS'))
    return ['Unknown option or missing value.', 'Usage:', ...usage].join('\n');
  return `Pharlo could not start: ${error instanceof Error ? error.message : 'unknown reason'}`;
}
