import { parseArgs } from 'node:util';
import type { Config } from '../config.ts';
import { about, type Finding } from './checks/finding.ts';
import { checkDataDir } from './checks/machine.ts';
import { checkNetwork, checkPlatforms } from './checks/network.ts';
import { checkStore } from './checks/store.ts';
import { type Command, type Io, UsageError } from './command.ts';

/** `pharlo doctor`: one line per check, beside a running server or without one. Changes nothing. */
export const doctorCommand: Command = {
  name: 'doctor',
  usage: ['doctor [--json]'],
  async run(args, io, config) {
    const { json } = readOptions(args);
    const found = [runtime(io), about('settings').ok('They can be read.'), ...(await checkAll(io, config))];
    report(io, found, json);
  },
  settingsRefused(args, io, message) {
    const { json } = readOptions(args);
    report(io, [runtime(io), about('settings').failure(message)], json);
  },
};

function readOptions(args: string[]): { json: boolean } {
  const { values, positionals } = parseArgs({
    args,
    allowPositionals: true,
    options: { json: { type: 'boolean', default: false } },
  });
  if (positionals.length > 0) throw new UsageError();
  return values;
}

/** A Node.js that is too old does not come this far. */
function runtime({ nodeVersion }: Io): Finding {
  return about('node').ok(`Node.js ${nodeVersion}.`);
}

async function checkAll(io: Io, config: Config): Promise<Finding[]> {
  return [
    ...(await checkDataDir(config)),
    ...(await checkStore(io, config)),
    ...(await checkNetwork(config)),
    ...(await checkPlatforms(io, config)),
  ];
}

/** Throws UsageError when something failed, so that the exit code tells. */
function report(io: Io, found: Finding[], json: boolean): void {
  const failures = found.filter(({ state }) => state === 'failure').length;
  if (json) io.out(JSON.stringify({ ok: failures === 0, checks: found }));
  else for (const { state, check, text } of found) io.out(`${state.padEnd(8)} ${check.padEnd(13)} ${text}`);
  if (failures > 0) throw new UsageError(failures === 1 ? '1 check failed.' : `${failures} checks failed.`);
}
