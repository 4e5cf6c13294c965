import { createHash } from 'node:crypto';
import type { Deps } from './deps.ts';
import { hashSecret, newId, newSecret } from './domain/ids.ts';
import { type Account, PlatformFailure } from './platforms/contract.ts';
import {
  describeConnection,
  findConnection,
  insertConnection,
  lockAccount,
  type NewConnection,
} from './store/connections.ts';
import type { Tx } from './store/db.ts';
import { wakeAssignments } from './store/publish-jobs.ts';
import {
  beginTicket,
  findTicketBySecret,
  finishTicket,
  type TicketPlace,
  type TicketRow,
  takeTicket,
} from './store/tickets.ts';
import { reconnectRequired, storeTokens } from './tokens.ts';

/** The browser's half of connecting a channel: a ticket's page, the way to the platform, the way back. */

/** The live ticket a browser holds the secret of, for the page that shows where it leads. */
export async function openTicket(deps: Deps, platform: string, secret: string): Promise<TicketPlace | undefined> {
  const ticket = await findTicketBySecret(deps.db, hashSecret(secret));
  return ticket && ticket.platform === platform && ticket.status === 'pending' && !ticket.expired ? ticket : undefined;
}

const verifierContext = (ticketId: string) => `ticket:${ticketId}:verifier`;

const callbackUrl = (deps: Deps, platform: string) => `${deps.config.publicUrl}/api/v1/oauth/${platform}/callback`;

/**
 * Continue was pressed: answers the platform's consent URL. The callback is taken only from the browser that shows the
 * same secret. Undefined when the ticket is over.
 */
export async function beginConnect(deps: Deps, ticket: TicketPlace, browser: string): Promise<string | undefined> {
  const connector = deps.platforms.find(ticket.platform);
  const network = connector && deps.platforms.networkFor(connector, ticket);
  if (!connector || !network) return undefined;
  const state = newSecret('', deps.random);
  const verifier = newSecret('', deps.random);
  const begun = await beginTicket(deps.db, ticket.id, {
    stateHash: hashSecret(state),
    browserHash: hashSecret(browser),
    codeVerifier: deps.vault.seal(verifierContext(ticket.id), verifier),
  });
  if (!begun) return undefined;
  const codeChallenge = createHash('sha256').update(verifier).digest('base64url');
  const redirectUri = callbackUrl(deps, ticket.platform);
  return connector.oauth.authorizeUrl(network, { redirectUri, state, codeChallenge });
}

export type CallbackAnswer = { state: string; code?: string; error?: string };

/** How a connect attempt ended; `redirectUrl` is where the ticket's maker wants the browser to go. */
export type ConnectResult = { redirectUrl: string | undefined } & (
  | { ok: true; connectionIds: string[]; names: string[] }
  | { ok: false; errorCode: string }
);

/** The platform sent the browser back. Undefined for a foreign browser, a used state or a ticket that is over. */
export async function finishConnect(
  deps: Deps,
  platform: string,
  answer: CallbackAnswer,
  browser: string,
): Promise<ConnectResult | undefined> {
  const ticket = await takeTicket(deps.db, hashSecret(answer.state), hashSecret(browser), platform);
  if (!ticket) return undefined;
  const redirectUrl = ticket.redirectUrl ?? undefined;
  try {
    const accounts = await fetchAccounts(deps, ticket, answer);
    const connectionIds = await deps.db.transaction((tx) => saveAccounts(deps, tx, ticket, accounts));
    return { redirectUrl, ok: true, connectionIds, names: accounts.map(({ name }) => name) };
  } catch (error) {
    const errorCode = error instanceof PlatformFailure ? error.code : 'connect_failed';
    if (!(error instanceof PlatformFailure)) deps.log.error('connect_failed', error, { id: ticket.id });
    await finishTicket(deps.db, ticket.id, { status: 'failed', errorCode });
    return { redirectUrl, ok: false, errorCode };
  }
}

async function fetchAccounts(deps: Deps, ticket: TicketRow, answer: CallbackAnswer): Promise<Account[]> {
  const connector = deps.platforms.find(ticket.platform);
  const network = connector && deps.platforms.networkFor(connector, ticket);
  const verifier = ticket.codeVerifier && deps.vault.open(verifierContext(ticket.id), ticket.codeVerifier);
  if (!connector || !network || !verifier) {
    throw new PlatformFailure('rejected', 'platform_unconfigured', 'This platform is not configured on this server.');
  }
  if (answer.code === undefined) {
    const denied = answer.error === 'access_denied' ? 'access_denied' : 'connect_failed';
    throw new PlatformFailure('rejected', denied, 'The platform sent no code.');
  }
  const signal = AbortSignal.timeout(20_000);
  const exchange = { code: answer.code, redirectUri: callbackUrl(deps, ticket.platform), codeVerifier: verifier };
  const tokens = await connector.oauth.exchange(network, exchange, deps.now(), signal);
  return connector.oauth.accounts(network, tokens, signal);
}

/** Makes or repairs the connections of a consent and ends the ticket, all or nothing. */
async function saveAccounts(deps: Deps, tx: Tx, ticket: TicketRow, accounts: Account[]): Promise<string[]> {
  const repaired = ticket.connectionId ? await findConnection(tx, ticket.workspaceId, ticket.connectionId) : undefined;
  const wanted = ticket.connectionId ? accounts.filter(({ id }) => id === repaired?.accountId) : accounts;
  if (wanted.length === 0) {
    throw new PlatformFailure('rejected', 'account_mismatch', 'The consent is for another account.');
  }
  const ids: string[] = [];
  for (const account of wanted) ids.push(await saveAccount(deps, tx, ticket, account));
  if (!(await finishTicket(tx, ticket.id, { status: 'success', connectionIds: ids }))) {
    throw new PlatformFailure('rejected', 'ticket_over', 'The ticket was used before.');
  }
  return ids;
}

async function saveAccount(deps: Deps, tx: Tx, ticket: TicketRow, account: Account): Promise<string> {
  const connection: NewConnection = {
    id: newId(deps.now(), deps.random),
    workspaceId: ticket.workspaceId,
    organizationId: ticket.organizationId,
    keyId: ticket.keyId,
    grantId: ticket.grantId,
    platform: ticket.platform,
    sandbox: ticket.sandbox,
    accountId: account.id,
    name: account.name,
    handle: account.handle ?? null,
    thumbnailUrl: account.thumbnailUrl ?? null,
  };
  const isNew = await insertConnection(tx, connection);
  const known = isNew ? undefined : await lockAccount(tx, connection);
  if (known) await describeConnection(tx, ticket.workspaceId, known, connection);
  const id = known ?? connection.id;
  await storeTokens(deps, tx, { workspaceId: ticket.workspaceId, id }, account.tokens);
  await wakeAssignments(tx, ticket.workspaceId, id, reconnectRequired);
  tx.afterCommit(() => deps.nudge('publish'));
  return id;
}
