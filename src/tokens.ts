import type { Deps } from './deps.ts';
import { newId } from './domain/ids.ts';
import { type Connector, type LookIo, type Network, PlatformFailure, type Tokens } from './platforms/contract.ts';
import {
  type ConnectionRow,
  claimRefresh,
  findConnection,
  markRevoked,
  postponeRefresh,
  saveTokens,
} from './store/connections.ts';
import type { Queryable } from './store/db.ts';

/** Tokens are renewed this long before they end, so that no step starts with a dying one. */
const renewBeforeMs = 10 * 60_000;
const timeoutMs = 20_000;

/** What a job says while it waits for a person to connect its channel again. */
export const reconnectRequired = 'reconnect_required';

/** What a job says while its channel is switched off. */
export const connectionInactive = 'connection_inactive';

/** Code of the failure that says that somebody else is just renewing the tokens. */
export const refreshRunning = 'refresh_running';

type Place = { workspaceId: string; id: string };

const context = (place: Place) => `connection:${place.workspaceId}:${place.id}:tokens`;

/**
 * Seals and stores what a platform gave, and plans the next renewal. With `lease`, only while that refresh claim
 * stands: a consent given meanwhile is newer. False when it does not.
 */
export function storeTokens(deps: Deps, on: Queryable, place: Place, tokens: Tokens, lease?: string): Promise<boolean> {
  const renewable = tokens.refreshToken !== undefined && tokens.expiresAt !== undefined;
  return saveTokens(on, place, {
    lease,
    sealed: deps.vault.seal(context(place), JSON.stringify(tokens)),
    expiresAt: tokens.expiresAt === undefined ? null : new Date(tokens.expiresAt),
    refreshAt: renewable ? new Date(Math.max((tokens.expiresAt ?? 0) - renewBeforeMs, deps.now())) : null,
  });
}

/** The stored tokens, or undefined when there are none (or the key that sealed them is gone). */
export function openTokens(
  deps: Pick<Deps, 'vault'>,
  connection: Place & Pick<ConnectionRow, 'tokens'>,
): Tokens | undefined {
  const plain = connection.tokens && deps.vault.open(context(connection), connection.tokens);
  return plain ? (JSON.parse(plain) as Tokens) : undefined;
}

/** The connector and the network a connection was made on. Throws `retry` when the operator took the credentials away. */
export function channelOf(deps: Deps, connection: ConnectionRow): { connector: Connector; network: Network } {
  const connector = deps.platforms.find(connection.platform);
  const network = connector && deps.platforms.networkFor(connector, connection);
  if (!connector || !network) {
    throw new PlatformFailure('rejected', 'platform_unconfigured', 'This platform is not configured on this server.');
  }
  return { connector, network };
}

/**
 * Tokens good for a step that starts now; renews them first when they are about to end.
 * Throws PlatformFailure `reauthorize` when only a person can repair the connection.
 */
export async function freshTokens(deps: Deps, connection: ConnectionRow): Promise<Tokens> {
  const tokens = openTokens(deps, connection);
  if (!tokens || connection.tokenRevokedAt) throw dead();
  const ending = tokens.expiresAt !== undefined && tokens.expiresAt - 60_000 < deps.now();
  return ending && tokens.refreshToken ? renewTokens(deps, connection) : tokens;
}

/** Renews the tokens now. One refresher per connection: while another one works, throws `retry`. */
export async function renewTokens(deps: Deps, connection: ConnectionRow): Promise<Tokens> {
  const lease = newId(deps.now(), deps.random);
  const claimed = await claimRefresh(deps.db, connection.workspaceId, connection.id, lease);
  if (!claimed) throw new PlatformFailure('retry', refreshRunning, 'The channel is just being renewed.');
  return renewClaimed(deps, claimed, lease);
}

/** Renews the tokens of a connection whose refresh claim is held. Gives the claim back in every case. */
export async function renewClaimed(deps: Deps, claimed: ConnectionRow, lease: string): Promise<Tokens> {
  const tokens = openTokens(deps, claimed);
  try {
    if (!tokens || claimed.tokenRevokedAt) throw dead();
    const { connector, network } = channelOf(deps, claimed);
    const fresh = await connector.oauth.refresh(network, tokens, deps.now(), AbortSignal.timeout(timeoutMs));
    if (!(await storeTokens(deps, deps.db, claimed, fresh, lease))) throw outrun();
    return fresh;
  } catch (error) {
    if (error instanceof PlatformFailure && error.kind === 'reauthorize') {
      if (!(await markRevoked(deps.db, claimed, lease))) throw outrun();
    } else {
      await postponeRefresh(deps.db, claimed.id, lease);
    }
    throw error;
  }
}

/**
 * Asks a channel's platform something that may be asked twice; a token it refuses is renewed once. Throws PlatformFailure,
 * also when no answer comes in time, or the reason of `signal`.
 */
export async function askPlatform<T>(
  deps: Deps,
  connection: ConnectionRow,
  signal: AbortSignal,
  ask: (connector: Connector, io: LookIo) => Promise<T>,
): Promise<T> {
  const { connector, network } = channelOf(deps, connection);
  const deadline = AbortSignal.timeout(timeoutMs);
  const asking = AbortSignal.any([signal, deadline]);
  const askWith = ({ accessToken }: Tokens) => ask(connector, { network, accessToken, signal: asking, now: deps.now });
  const tokens = await freshTokens(deps, connection);
  try {
    return await askWith(tokens).catch(async (error: unknown) => {
      if (!(error instanceof PlatformFailure) || error.kind !== 'reauthorize') throw error;
      return askWith(await replaceTokens(deps, connection, tokens));
    });
  } catch (error) {
    if (error instanceof PlatformFailure || signal.aborted || !deadline.aborted) throw error;
    throw new PlatformFailure('retry', 'platform_timeout', 'The platform did not answer in time.');
  }
}

/** Tokens other than those just refused: what somebody else has renewed meanwhile, else renewed now. */
async function replaceTokens(deps: Deps, connection: ConnectionRow, refused: Tokens): Promise<Tokens> {
  const now = await findConnection(deps.db, connection.workspaceId, connection.id);
  const stored = now && !now.tokenRevokedAt ? openTokens(deps, now) : undefined;
  if (stored && stored.accessToken !== refused.accessToken) return stored;
  return renewTokens(deps, connection);
}

/** The channel was connected again while this refresh ran; its outcome is about tokens of the past. */
function outrun(): PlatformFailure {
  return new PlatformFailure('retry', 'reconnected', 'The channel was just connected again.');
}

function dead(): PlatformFailure {
  return new PlatformFailure('reauthorize', reconnectRequired, 'The channel must be connected again.');
}

/** Ends the grant at the platform. Throws when the platform cannot be reached; nothing stored changes. */
export async function revokeTokens(deps: Deps, connection: ConnectionRow): Promise<void> {
  const tokens = openTokens(deps, connection);
  if (!tokens || connection.tokenRevokedAt) return;
  const { connector, network } = channelOf(deps, connection);
  await connector.oauth.revoke?.(network, tokens, AbortSignal.timeout(timeoutMs));
}
