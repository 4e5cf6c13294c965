import { z } from 'zod';
import { type ConnectRequest, type Network, PlatformFailure, type Tokens } from './contract.ts';
import { discard, readAnswer, readJson, retryAfterMs, send } from './http.ts';

/** Authorization code flow with PKCE of one platform; paths are behind the network's bases. */
export type OAuth2 = {
  consentPath: string;
  tokenPath: string;
  revokePath: string;
  scopes: readonly string[];
  /** Further parameters of the consent page. */
  consentParameters?: Readonly<Record<string, string>>;
};

const tokenAnswer = z.object({
  access_token: z.string().min(1),
  expires_in: z.number().positive().optional(),
  refresh_token: z.string().min(1).optional(),
  scope: z.string().optional(),
});

/** Address of the consent page (RFC 6749 §4.1.1, RFC 7636 §4.3). */
export function authorizeUrl(oauth: OAuth2, network: Network, request: ConnectRequest): string {
  const query = new URLSearchParams({
    response_type: 'code',
    client_id: network.clientId,
    redirect_uri: request.redirectUri,
    scope: oauth.scopes.join(' '),
    state: request.state,
    code_challenge: request.codeChallenge,
    code_challenge_method: 'S256',
    ...oauth.consentParameters,
  });
  return `${network.bases.consent}${oauth.consentPath}?${query}`;
}

type CodeAnswer = { code: string; redirectUri: string; codeVerifier: string };

/** Tokens for a code. Without a scope in the answer, what was asked for was granted (RFC 6749 §5.1). */
export async function exchangeCode(
  oauth: OAuth2,
  network: Network,
  { code, redirectUri, codeVerifier }: CodeAnswer,
  now: number,
  signal: AbortSignal,
): Promise<Tokens> {
  const form = {
    grant_type: 'authorization_code',
    code,
    redirect_uri: redirectUri,
    code_verifier: codeVerifier,
  };
  return requestTokens(oauth, network, form, { scopes: [...oauth.scopes] }, now, signal);
}

/** New tokens; refresh token and scopes stay as they are when the answer has none. */
export async function refreshTokens(
  oauth: OAuth2,
  network: Network,
  tokens: Tokens,
  now: number,
  signal: AbortSignal,
): Promise<Tokens> {
  const { refreshToken, scopes } = tokens;
  if (refreshToken === undefined) throw grantInvalid();
  const form = { grant_type: 'refresh_token', refresh_token: refreshToken };
  return requestTokens(oauth, network, form, { refreshToken, scopes }, now, signal);
}

/** Ends the grant at the platform; a token that is dead already is no error. */
export async function revokeToken(oauth: OAuth2, network: Network, tokens: Tokens, signal: AbortSignal): Promise<void> {
  const form = { token: tokens.refreshToken ?? tokens.accessToken };
  const response = await post(network, oauth.revokePath, form, signal);
  discard(response);
  if (response.status >= 500 || response.status === 429) throw unavailable(response, undefined);
}

async function requestTokens(
  oauth: OAuth2,
  network: Network,
  form: Record<string, string>,
  kept: Pick<Tokens, 'refreshToken' | 'scopes'>,
  now: number,
  signal: AbortSignal,
): Promise<Tokens> {
  const client = { client_id: network.clientId, client_secret: network.clientSecret };
  const response = await post(network, oauth.tokenPath, { ...form, ...client }, signal);
  if (!response.ok) throw await tokenFailure(response, now, signal);
  const answer = await readAnswer(response, tokenAnswer, signal);
  const refreshToken = answer.refresh_token ?? kept.refreshToken;
  return {
    accessToken: answer.access_token,
    ...(refreshToken !== undefined && { refreshToken }),
    ...(answer.expires_in !== undefined && { expiresAt: now + answer.expires_in * 1000 }),
    scopes: answer.scope?.split(' ').filter(Boolean) ?? kept.scopes,
  };
}

function post(network: Network, path: string, form: Record<string, string>, signal: AbortSignal): Promise<Response> {
  return send(network, `${network.bases.token}${path}`, {
    method: 'POST',
    headers: { 'Content-Type': 'application/x-www-form-urlencoded', Accept: 'application/json' },
    body: new URLSearchParams(form).toString(),
    signal,
  });
}

/** Only `invalid_grant` says that the grant is dead (RFC 6749 §5.2). */
async function tokenFailure(response: Response, now: number, signal: AbortSignal): Promise<PlatformFailure> {
  const answer = z.object({ error: z.string() }).safeParse(await readJson(response, signal));
  if (response.status === 400 && answer.data?.error === 'invalid_grant') return grantInvalid();
  const refused = response.status >= 400 && response.status < 500 && ![408, 429].includes(response.status);
  if (!refused) return unavailable(response, now);
  const message =
    'The platform refuses the client id, secret or redirect URI of this server; its operator must correct them.';
  return new PlatformFailure('rejected', 'client_refused', message);
}

function grantInvalid(): PlatformFailure {
  const message = 'The platform no longer accepts this authorization. Connect the account again.';
  return new PlatformFailure('reauthorize', 'grant_invalid', message);
}

function unavailable(response: Response, now: number | undefined): PlatformFailure {
  const message = 'The platform cannot answer at the moment.';
  return new PlatformFailure('retry', 'platform_unavailable', message, retryAfterMs(response.headers, now));
}
