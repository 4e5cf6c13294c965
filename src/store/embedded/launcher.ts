import { execFile } from 'node:child_process';
import { readFileSync } from 'node:fs';
import { userInfo } from 'node:os';
import { getuid, platform } from 'node:process';
import { promisify } from 'node:util';

const run = promisify(execFile);

/** How PostgreSQL programs are started on this host, and which user their files must belong to. */
export type Launcher = {
  /** Programs to run before the PostgreSQL program, each replacing itself by the next. */
  prefix: readonly string[];
  /** User id the files must belong to; undefined where there are no user ids (Windows). */
  fileOwner: number | undefined;
  /** Group id that goes with `fileOwner` when it is not our own. */
  fileGroup: number | undefined;
};

/** What decides how to start: our user id, whether it has a name, and an account to fall back to as root. */
export type Host = { uid: number | undefined; named: boolean; account: { uid: number; gid: number } | undefined };

/** The complete environment of PostgreSQL programs: none of ours, and no time zone search in initdb. */
export const childEnvironment = { LC_ALL: 'C', TZ: 'UTC', PATH: '/usr/local/bin:/usr/bin:/bin:/usr/sbin:/sbin' };

const UNSHARE = ['unshare', '--user', '--map-user=65534', '--map-group=65534'];
const SETPRIV = ['setpriv', '--pdeathsig', 'INT'];

/**
 * Ways to start PostgreSQL, best first. It refuses uid 0 and initdb wants a user with a name: a user namespace gives it
 * one while the files stay ours. `setpriv --pdeathsig` makes it die with us; it must come after every change of user.
 */
export function launchers(host: Host): Launcher[] {
  const own = { fileOwner: host.uid, fileGroup: undefined };
  if (host.uid !== 0 && host.named) {
    return [
      { prefix: SETPRIV, ...own },
      { prefix: [], ...own },
    ];
  }
  const inNamespace = [
    { prefix: [...UNSHARE, ...SETPRIV], ...own },
    { prefix: UNSHARE, ...own },
  ];
  if (host.uid !== 0 || host.account === undefined) return inNamespace;
  const { uid, gid } = host.account;
  const otherUser = [...SETPRIV, `--reuid=${uid}`, `--regid=${gid}`, '--clear-groups'];
  return [...inNamespace, { prefix: otherUser, fileOwner: uid, fileGroup: gid }];
}

/** Picks the first way that runs `postgres --version` here; also returns the major version. Throws a one-line error. */
export async function chooseLauncher(postgres: string): Promise<{ launcher: Launcher; major: string }> {
  const host = thisHost();
  for (const launcher of platform === 'win32' ? launchers({ ...host, named: true }).slice(1) : launchers(host)) {
    const [file = postgres, ...args] = [...launcher.prefix, postgres, '--version'];
    try {
      const { stdout } = await run(file, args, { env: childEnvironment, timeout: 10_000 });
      return { launcher, major: /(\d+)/.exec(stdout)?.[1] ?? stdout };
    } catch {}
  }
  throw new Error(explain(host));
}

function explain(host: Host): string {
  if (platform === 'linux' && !hasGlibc()) {
    return 'The embedded PostgreSQL needs glibc 2.27 or newer and this system has none (Alpine?): use a glibc image such as node:24-slim, or set DATABASE_URL to a PostgreSQL server.';
  }
  if (host.uid === 0) {
    return 'PostgreSQL refuses to run as root, this system forbids user namespaces, and no other user can reach the installed programs: run Pharlo as an ordinary user, or set DATABASE_URL to a PostgreSQL server.';
  }
  if (!host.named && host.uid !== undefined) {
    return `PostgreSQL needs a named user, uid ${host.uid} has no entry in /etc/passwd and this system forbids user namespaces: add the entry, or set DATABASE_URL to a PostgreSQL server.`;
  }
  return 'The embedded PostgreSQL does not run on this system: run "npm ci" again, or set DATABASE_URL to a PostgreSQL server.';
}

function thisHost(): Host {
  const uid = getuid?.();
  return { uid, named: hasName(), account: uid === 0 ? serviceAccount() : undefined };
}

function hasName(): boolean {
  try {
    return userInfo().username !== '';
  } catch {
    return false;
  }
}

function serviceAccount(): Host['account'] {
  try {
    const lines = readFileSync('/etc/passwd', 'utf8').split('\n');
    const entry = ['postgres:', 'nobody:'].map((name) => lines.find((line) => line.startsWith(name))).find(Boolean);
    const [, , uid, gid] = entry?.split(':') ?? [];
    return uid && gid ? { uid: Number(uid), gid: Number(gid) } : undefined;
  } catch {
    return undefined;
  }
}

function hasGlibc(): boolean {
  const report: unknown = process.report.getReport();
  return JSON.stringify(report).includes('"glibcVersionRuntime"');
}
