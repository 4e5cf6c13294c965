import type { Connector, Network, PlannedPlatform } from './contract.ts';

export type Platforms = {
  connectors: readonly Connector[];
  planned: readonly PlannedPlatform[];
  /** The network a new connection of this workspace would be made on, or undefined when there is none. */
  networkFor(connector: Connector, place: { workspaceId: string; sandbox: boolean }): Network | undefined;
  /** True when new connections of this platform are made on the sandbox network. */
  usesSandbox(connector: Connector): boolean;
};

