import type { Config } from './config.ts';
import { checkPublicUrl } from './net/outgoing.ts';

/** Why deliveries would never be sent to this URL, or undefined. Syntax and literals only; names are resolved when it is called. */
export function callbackProblem(config: Config, url: string): string | undefined {
  if (!checkPublicUrl(url, 'callback', config.allowedPrivateHosts)) return undefined;
  return 'must be a public https URL without credentials; a private host has to be in PHARLO_ALLOWED_PRIVATE_HOSTS';
}
