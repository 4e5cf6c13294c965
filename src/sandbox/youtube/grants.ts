import { createHash } from 'node:crypto';
import type { SandboxContext } from '../context.ts';
import { sha256 } from '../http.ts';
import { randomId } from './channel.ts';

const codeLifetimeMs = 10 * 60_000;

export type Consent = {
  clientId: string;
  redirectUri: string;
  scope: string;
  codeChallenge: string | null;
  offline: number;
  forced: number;
};
type CodeRow = {
  hash: string;
  grantId: number;
  clientId: string;
  redirectUri: string;
  scope: string;
  codeChallenge: string | null;
  refreshable: number;
};
type TokenRow = { grantId: number; clientId: string; channelId: string; scope: string };
export type Tokens = {
  access_token: string;
  expires_in: number;
  scope: string;
  token_type: 'Bearer';
  refresh_token?: string;
};

/** Records the consent and returns its code. As at Google, a refresh token comes with the first offline consent, or when prompted again. */
export function issueCode(context: SandboxContext, consent: Consent, channelId: string): string {
  const { store, now } = context;
  const { clientId, redirectUri, scope, codeChallenge } = consent;
  store.run('INSERT INTO accessGrant (clientId, channelId) VALUES ($clientId, $channelId) ON CONFLICT DO NOTHING', {
    clientId,
    channelId,
  });
  const grant = store.get<{ id: number; refreshable: number }>(
    `SELECT id, NOT EXISTS (SELECT 1 FROM token WHERE grantId = accessGrant.id AND kind = 'refresh') AS refreshable
     FROM accessGrant WHERE clientId = $clientId AND channelId = $channelId`,
    { clientId, channelId },
  );
  if (!grant) throw new Error('the grant was just written');
  const code = `4/${randomId(context, 32)}`;
  store.run(
    `INSERT INTO authorizationCode (hash, grantId, redirectUri, scope, codeChallenge, refreshable, expiresAt)
     VALUES ($hash, $grantId, $redirectUri, $scope, $codeChallenge, $refreshable, $expiresAt)`,
    {
      hash: sha256(code),
      grantId: grant.id,
      redirectUri,
      scope,
      codeChallenge,
      refreshable: consent.offline && (consent.forced || grant.refreshable) ? 1 : 0,
      expiresAt: now() + codeLifetimeMs,
    },
  );
  return code;
}

function insertToken(
  context: SandboxContext,
  kind: 'access' | 'refresh',
  row: { grantId: number; scope: string },
): string {
  const token = kind === 'access' ? `ya29.${randomId(context, 32)}` : `1//${randomId(context, 32)}`;
  const expiresAt = kind === 'access' ? context.now() + context.accessTokenSeconds * 1000 : null;
  const sql =
    'INSERT INTO token (hash, grantId, kind, scope, expiresAt) VALUES ($hash, $grantId, $kind, $scope, $expiresAt)';
  context.store.run(sql, { hash: sha256(token), grantId: row.grantId, kind, scope: row.scope, expiresAt });
  return token;
}

function accessTokens(context: SandboxContext, row: { grantId: number; scope: string }): Tokens {
  context.store.run('DELETE FROM token WHERE expiresAt <= $now', { now: context.now() });
  return {
    access_token: insertToken(context, 'access', row),
    expires_in: context.accessTokenSeconds,
    scope: row.scope,
    token_type: 'Bearer',
  };
}

type Exchange = { clientId: string; code: string; redirectUri: string; codeVerifier: string | undefined };

/** Tokens for a code, once; otherwise the OAuth error and its description. */
export function exchangeCode(
  context: SandboxContext,
  input: Exchange,
): Tokens | { error: string; description: string } {
  const { store, now } = context;
  return store.transaction(() => {
    const row = store.get<CodeRow>(
      `SELECT authorizationCode.*, clientId FROM authorizationCode JOIN accessGrant ON accessGrant.id = grantId
       WHERE hash = $hash AND expiresAt > $now`,
      { hash: sha256(input.code), now: now() },
    );
    if (!row || row.clientId !== input.clientId) return { error: 'invalid_grant', description: 'Malformed auth code.' };
    if (row.redirectUri !== input.redirectUri) return { error: 'redirect_uri_mismatch', description: 'Bad Request' };
    if (row.codeChallenge !== null && input.codeVerifier === undefined)
      return { error: 'invalid_grant', description: 'Missing code verifier.' };
    const challenge = createHash('sha256')
      .update(input.codeVerifier ?? '')
      .digest('base64url');
    if (row.codeChallenge !== null && row.codeChallenge !== challenge)
      return { error: 'invalid_grant', description: 'Invalid code verifier.' };
    store.run('DELETE FROM authorizationCode WHERE hash = $hash OR expiresAt <= $now', { hash: row.hash, now: now() });
    const tokens = accessTokens(context, row);
    return row.refreshable ? { ...tokens, refresh_token: insertToken(context, 'refresh', row) } : tokens;
  });
}

function findToken({ store, now }: SandboxContext, token: string, kind: 'access' | 'refresh'): TokenRow | undefined {
  return store.get<TokenRow>(
    `SELECT grantId, clientId, channelId, scope FROM token JOIN accessGrant ON accessGrant.id = grantId
     WHERE hash = $hash AND kind = $kind AND (expiresAt IS NULL OR expiresAt > $now)`,
    { hash: sha256(token), kind, now: now() },
  );
}

export function findAccessToken(context: SandboxContext, token: string): TokenRow | undefined {
  return findToken(context, token, 'access');
}

/** A new access token; Google's answer holds no new refresh token. */
export function refresh(context: SandboxContext, clientId: string, refreshToken: string): Tokens | undefined {
  const row = findToken(context, refreshToken, 'refresh');
  if (!row || row.clientId !== clientId) return undefined;
  return context.store.transaction(() => accessTokens(context, row));
}

/** Ends the whole grant of the token, as Google does: every code and token of that client and channel. */
export function revoke(context: SandboxContext, token: string): boolean {
  const row = findToken(context, token, 'refresh') ?? findToken(context, token, 'access');
  return row !== undefined && context.store.run('DELETE FROM accessGrant WHERE id = $id', { id: row.grantId }) > 0;
}
