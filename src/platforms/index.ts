import type { PlatformSettings } from '../config.ts';
import type { BaseName, Connector, Network, PlannedPlatform, PlatformFetch } from './contract.ts';
import { planned } from './planned.ts';
import { youtube } from './youtube/index.ts';

export type PlatformStatus = 'live' | 'unconfigured' | 'planned';

export type Platforms = {
  connectors: readonly Connector[];
  planned: readonly PlannedPlatform[];
  find(slug: string): Connector | undefined;
  /** `unconfigured` = neither credentials nor a sandbox network; undefined = no such platform. */
  status(slug: string): PlatformStatus | undefined;
  /** The network a new connection of this workspace would be made on, or undefined when there is none. */
  networkFor(connector: Connector, place: { workspaceId: string; sandbox: boolean }): Network | undefined;
  /** True when new connections of this platform are made on the sandbox network. */
  usesSandbox(connector: Connector): boolean;
};

export type PlatformsOptions = {
  /** Origin of the sandbox networks; undefined = off. */
  sandboxUrl?: string;
  settings: (slug: string) => PlatformSettings;
  /** Reaches the sandbox networks and nothing else. */
  sandboxFetch?: PlatformFetch;
  /** Makes the fetch that reaches one connector's hosts and the bases its operator set, and nothing else. */
  realFetch: (connector: Connector, operatorBases: string[]) => PlatformFetch;
};

const connectors: readonly Connector[] = [youtube];

/** The registry: what can be published to, and where each platform is reached. */
export function createPlatforms(options: PlatformsOptions): Platforms {
  const { sandboxUrl, sandboxFetch, settings, realFetch } = options;
  const fetches = new Map<string, PlatformFetch>();

  function fetchOf(connector: Connector, { authUrl, apiUrl }: PlatformSettings): PlatformFetch {
    const operatorBases = [authUrl, apiUrl].filter((base) => base !== undefined);
    const fetch = fetches.get(connector.slug) ?? realFetch(connector, operatorBases);
    fetches.set(connector.slug, fetch);
    return fetch;
  }

  function sandboxNetwork({ slug }: Connector, workspaceId: string): Network | undefined {
    if (sandboxUrl === undefined || sandboxFetch === undefined) return undefined;
    const base = `${sandboxUrl}/${slug}`;
    return {
      sandbox: true,
      // Scopes channels and videos of the sandbox to the workspace.
      clientId: `pharlo-sandbox.${workspaceId}`,
      clientSecret: 'sandbox',
      bases: { consent: base, token: base, api: base, upload: base },
      fetch: sandboxFetch,
    };
  }

  function realNetwork(connector: Connector): Network | undefined {
    const own = settings(connector.slug);
    const { clientId, clientSecret, authUrl, apiUrl } = own;
    if (clientId === undefined || clientSecret === undefined) return undefined;
    const bases: Record<BaseName, string> = {
      consent: authUrl ?? connector.bases.consent,
      token: authUrl ?? connector.bases.token,
      api: apiUrl ?? connector.bases.api,
      upload: apiUrl ?? connector.bases.upload,
    };
    return { sandbox: false, clientId, clientSecret, bases, fetch: fetchOf(connector, own) };
  }

  function hasCredentials({ slug }: Connector): boolean {
    const { clientId, clientSecret } = settings(slug);
    return clientId !== undefined && clientSecret !== undefined;
  }

  const hasSandbox = sandboxUrl !== undefined && sandboxFetch !== undefined;
  const find = (slug: string) => connectors.find((connector) => connector.slug === slug);

  return {
    connectors,
    planned,
    find,
    status(slug) {
      const connector = find(slug);
      if (connector) return hasCredentials(connector) || hasSandbox ? 'live' : 'unconfigured';
      return planned.some((platform) => platform.slug === slug) ? 'planned' : undefined;
    },
    networkFor: (connector, { workspaceId, sandbox }) =>
      sandbox ? sandboxNetwork(connector, workspaceId) : realNetwork(connector),
    usesSandbox: (connector) => hasSandbox && !hasCredentials(connector),
  };
}
