import { createServer } from 'node:net';
import type { Config } from '../../config.ts';
import { createOutgoing, type Outgoing } from '../../net/outgoing.ts';
import { type Connector, PlatformFailure } from '../../platforms/contract.ts';
import { createPlatforms } from '../../platforms/index.ts';
import type { Io } from '../command.ts';
import { about, type Finding } from './finding.ts';

const patienceMs = 10_000;

/** The port, the public addresses, and who may call through what. */
export async function checkNetwork(config: Config): Promise<Finding[]> {
  await using outgoing = createOutgoing({ allowedPrivateHosts: config.allowedPrivateHosts });
  const port = config.role === 'worker' ? undefined : await checkPort(outgoing, config);
  const found = port ? [port.finding] : [];
  if (config.role !== 'worker') found.push(await checkPublicUrl(outgoing, config, port?.isRunning ?? false));
  found.push(await checkSandbox(outgoing, config, port?.isRunning ?? false), ...checkReach(config));
  return found;
}

async function checkPort(
  outgoing: Outgoing,
  { hosts, port }: Config,
): Promise<{ finding: Finding; isRunning: boolean }> {
  const told = about('port');
  const [host = '127.0.0.1'] = hosts;
  const code = await tryListen(host, port);
  if (code === undefined) return { finding: told.ok(`${port} is free: no server runs on it.`), isRunning: false };
  if (code !== 'EADDRINUSE') {
    const text = code === 'EACCES' ? 'needs more rights: set PORT to 1024 or more' : 'cannot be listened on: set HOST';
    return { finding: told.failure(`${port} ${text}.`), isRunning: false };
  }
  const isOurs = await answersOnAny(outgoing, host, port);
  return isOurs
    ? { finding: told.ok(`Pharlo answers on ${port}.`), isRunning: true }
    : { finding: told.failure(`Another program uses ${port}: stop it or set PORT.`), isRunning: false };
}

/** On loopback one name may be the sandbox's, which has no such path. */
async function answersOnAny(outgoing: Outgoing, host: string, port: number): Promise<boolean> {
  const isLoopback = ['0.0.0.0', '::', '127.0.0.1', '::1', 'localhost'].includes(host);
  const names = isLoopback ? ['127.0.0.1', 'localhost', '[::1]'] : [host.includes(':') ? `[${host}]` : host];
  for (const name of names) if (await answers(outgoing, `http://${name}:${port}/api/v1/health`)) return true;
  return false;
}

/** The code of what went wrong, undefined when nothing did. */
function tryListen(host: string, port: number): Promise<string | undefined> {
  const { promise, resolve } = Promise.withResolvers<string | undefined>();
  const server = createServer();
  server.once('error', (error) => resolve('code' in error ? String(error.code) : 'unknown'));
  server.listen(port, host, () => server.close(() => resolve(undefined)));
  return promise;
}

/** True when a health endpoint of ours, or the sandbox's, is at that address, which is the operator's own. */
async function answers(outgoing: Outgoing, url: string): Promise<boolean> {
  const ask = outgoing.platform({ hosts: [], operatorBases: [url] });
  try {
    const response = await ask(url, { signal: AbortSignal.timeout(patienceMs) });
    const text = (await response.text()).slice(0, 1000);
    return response.status === 200 && /^\{"status":"ok"/.test(text);
  } catch {
    return false;
  }
}

async function checkPublicUrl(
  outgoing: Outgoing,
  { publicUrl, isLocal }: Config,
  isRunning: boolean,
): Promise<Finding> {
  const told = about('public URL');
  const only = isLocal ? ' Only this machine can use it.' : '';
  if (!isRunning) return told.ok(`${publicUrl}, not asked while no server runs here.${only}`);
  if (await answers(outgoing, `${publicUrl}/api/v1/health`)) return told.ok(`${publicUrl} answers.${only}`);
  return told.warning(
    `${publicUrl} does not answer from here: check DNS, proxy (it must pass Host on) and certificate.`,
  );
}

async function checkSandbox(outgoing: Outgoing, { sandboxUrl }: Config, isRunning: boolean): Promise<Finding> {
  const told = about('sandbox');
  if (!sandboxUrl) return told.ok('It is off.');
  if (!isRunning) return told.ok(`${sandboxUrl}, not asked while no server runs here.`);
  if (await answers(outgoing, `${sandboxUrl}/health`)) return told.ok(`${sandboxUrl} answers.`);
  return told.warning(`${sandboxUrl} does not answer from here: check DNS and proxy, or set PHARLO_SANDBOX=off.`);
}

function checkReach({ isLocal, allowedPrivateHosts, trustedProxies }: Config): Finding[] {
  const hosts = about('private hosts');
  const proxies = about('proxies');
  const open = allowedPrivateHosts.join(', ');
  return [
    open === ''
      ? hosts.ok('None may be reached by media and callbacks.')
      : isLocal
        ? hosts.ok(`Media and callbacks may reach ${open}.`)
        : hosts.warning(`Every user's media and callbacks may reach ${open}: keep PHARLO_ALLOWED_PRIVATE_HOSTS short.`),
    !isLocal && trustedProxies.length === 0
      ? proxies.warning(
          'None is trusted: behind a proxy all callers count as one network. Set PHARLO_TRUSTED_PROXIES to its CIDR.',
        )
      : proxies.ok(trustedProxies.length > 0 ? `${trustedProxies.join(', ')} may name the caller.` : 'None is needed.'),
  ];
}

/** Whether each platform has credentials, and takes them. */
export async function checkPlatforms(io: Io, config: Config): Promise<Finding[]> {
  await using outgoing = createOutgoing({ allowedPrivateHosts: [] });
  const platforms = createPlatforms({
    settings: config.platform,
    realFetch: ({ hosts }, operatorBases) => outgoing.platform({ hosts, operatorBases }),
    ...(config.sandboxUrl && { sandboxUrl: config.sandboxUrl, sandboxFetch: outgoing.sandbox(config.sandboxUrl) }),
  });
  const found: Finding[] = [];
  for (const connector of platforms.connectors) {
    const told = about(connector.slug);
    const prefix = `PHARLO_${connector.slug.toUpperCase()}`;
    const network = platforms.networkFor(connector, { workspaceId: '', sandbox: false });
    if (network) found.push(await checkCredentials(io, connector, network, prefix));
    else if (config.sandboxUrl)
      found.push(told.ok(`New channels are made on the sandbox: ${prefix}_CLIENT_ID is not set.`));
    else found.push(told.warning(`Cannot be used: set ${prefix}_CLIENT_ID and ${prefix}_CLIENT_SECRET.`));
  }
  return found;
}

type Network = Parameters<Connector['oauth']['refresh']>[0];

/** A refresh with a token nobody has: who refuses the token has taken the credentials (RFC 6749 §5.2). */
async function checkCredentials(
  io: Io,
  { slug, oauth }: Connector,
  network: Network,
  prefix: string,
): Promise<Finding> {
  const told = about(slug);
  const nobodys = { accessToken: '', refreshToken: 'pharlo-doctor', scopes: [] };
  try {
    await oauth.refresh(network, nobodys, io.now(), AbortSignal.timeout(patienceMs));
  } catch (error) {
    const isKnown = error instanceof PlatformFailure;
    if (isKnown && error.kind === 'rejected') {
      return told.failure(`The platform refuses ${prefix}_CLIENT_ID and ${prefix}_CLIENT_SECRET: correct them.`);
    }
    if (!isKnown || error.kind !== 'reauthorize') {
      return told.warning('The platform cannot be asked whether it takes the credentials: check the way out.');
    }
  }
  return told.ok('The platform takes the credentials.');
}
