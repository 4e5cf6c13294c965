const prefix = 'https://www.googleapis.com/auth/';

/** The scopes the sandbox knows, with the words its consent page uses. */
export const scopeTexts: ReadonlyMap<string, string> = new Map([
  [`${prefix}youtube.upload`, 'Upload videos to this channel'],
  [`${prefix}youtube.readonly`, 'See this channel, its videos and their numbers'],
  [`${prefix}youtube`, 'Manage this channel and its videos'],
  [`${prefix}youtube.force-ssl`, 'See, edit and delete videos, ratings, comments and captions'],
  [`${prefix}yt-analytics.readonly`, 'See analytics reports of this channel'],
]);

/** Any one of these is enough. */
export const readScopes = [`${prefix}youtube.readonly`, `${prefix}youtube`, `${prefix}youtube.force-ssl`];
export const uploadScopes = [`${prefix}youtube.upload`, `${prefix}youtube`, `${prefix}youtube.force-ssl`];

export function splitScope(scope: string): string[] {
  return [...new Set(scope.split(' ').filter(Boolean))];
}
