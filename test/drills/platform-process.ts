import { argv, stdin, stdout } from 'node:process';
import { createSandbox } from '../../src/sandbox/index.ts';
import { listen } from '../../src/serve.ts';

// The sandbox networks in a process of their own, which ends with the one that started it. They are told the origin of
// the relay before them, since upload sessions are named by it. `<port> <origin> <folder> <processing ms>`

const [port = '', origin = '', dataDir = '', processingMs = ''] = argv.slice(2);
const random = (bytes: number) => crypto.getRandomValues(new Uint8Array(bytes));
const sandbox = createSandbox({ origin, dataDir, now: Date.now, random, processingMs: Number(processingMs) });
await listen((request) => sandbox.fetch(request), ['127.0.0.1'], Number(port));
stdout.write('up\n');
stdin.resume().once('end', () => process.exit());
