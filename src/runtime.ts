import { readFileSync } from 'node:fs';

const MINIMUM_MAJOR = 24;

/** One sentence saying what to do when `version` (as in `process.versions.node`) is too old to run Pharlo, else undefined. */
export function checkRuntime(version: string): string | undefined {
  const major = Number.parseInt(version, 10);
  if (major >= MINIMUM_MAJOR) return undefined;
  return (
    `Pharlo needs Node.js ${MINIMUM_MAJOR} or newer and this is ${version}: ` +
    'run "npm ci" without --omit=optional and start with "npm start" or "npx pharlo", which bring their own Node.js, ' +
    `or install Node.js ${MINIMUM_MAJOR}.`
  );
}

/** The version of this Pharlo. */
export function pharloVersion(): string {
  const text = readFileSync(new URL('../package.json', import.meta.url), 'utf8');
  return String((JSON.parse(text) as { version: unknown }).version);
}
