import { z } from 'zod';
import type { Account, Connector, Network, Tokens } from '../contract.ts';
import { authorizeUrl, exchangeCode, type OAuth2, refreshTokens, revokeToken } from '../oauth2.ts';
import { list } from './api.ts';
import { channelMissing, missingScope } from './errors.ts';

/** Uploading needs the first; the channel's name, the state of a video and the look for a lost one need the second. */
const scopes = ['https://www.googleapis.com/auth/youtube.upload', 'https://www.googleapis.com/auth/youtube.readonly'];

const google: OAuth2 = {
  consentPath: '/o/oauth2/v2/auth',
  tokenPath: '/token',
  revokePath: '/revoke',
  scopes,
  // Without the prompt a second consent brings no refresh token.
  consentParameters: { access_type: 'offline', prompt: 'consent' },
};

const picture = z.object({ url: z.url() }).optional();

const channels = z.object({
  items: z
    .array(
      z.object({
        id: z.string().min(1),
        snippet: z.object({
          title: z.string(),
          customUrl: z.string().optional(),
          thumbnails: z.object({ high: picture, medium: picture, default: picture }).optional(),
        }),
      }),
    )
    .default([]),
});

export const oauth: Connector['oauth'] = {
  authorizeUrl: (network, request) => authorizeUrl(google, network, request),

  /** People can untick single permissions on the consent page, so what was granted is compared with what is needed. */
  async exchange(network, answer, now, signal) {
    const tokens = await exchangeCode(google, network, answer, now, signal);
    if (!scopes.every((scope) => tokens.scopes.includes(scope))) throw missingScope();
    return tokens;
  },

  refresh: (network, tokens, now, signal) => refreshTokens(google, network, tokens, now, signal),
  revoke: (network, tokens, signal) => revokeToken(google, network, tokens, signal),
  accounts,
};

/** The channel the person chose on the consent page; `mine` answers with that one alone. */
async function accounts(network: Network, tokens: Tokens, signal: AbortSignal): Promise<Account[]> {
  const caller = { network, accessToken: tokens.accessToken, signal };
  const { items } = await list(caller, 'channels', { part: 'snippet', mine: 'true' }, channels);
  if (items.length === 0) throw channelMissing();
  return items.map(({ id, snippet }) => {
    const { high, medium, default: small } = snippet.thumbnails ?? {};
    const thumbnailUrl = (high ?? medium ?? small)?.url;
    return {
      id,
      name: snippet.title,
      ...(snippet.customUrl !== undefined && { handle: snippet.customUrl }),
      ...(thumbnailUrl !== undefined && { thumbnailUrl }),
      tokens,
    };
  });
}
