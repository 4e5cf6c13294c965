import { type Context, Hono } from 'hono';
import type { SandboxContext } from '../context.ts';
import { onlyMethods, readText } from '../http.ts';
import { isClientId } from './channel.ts';
import { exchangeCode, refresh, revoke, type Tokens } from './grants.ts';

/** The same for every client of the sandbox: nothing here is worth a secret. */
const clientSecret = 'sandbox';

function basicCredentials(header: string | undefined): [id: string, secret: string] | undefined {
  const encoded = /^Basic ([A-Za-z0-9+/=]+)$/i.exec(header ?? '')?.[1];
  if (!encoded) return undefined;
  const [id = '', secret = ''] = Buffer.from(encoded, 'base64').toString('utf8').split(':');
  return [id, secret];
}

function fail(c: Context, status: 400 | 401 | 413, error: string, description: string): Response {
  if (status === 401) c.header('WWW-Authenticate', 'Basic realm="sandbox"');
  return c.json({ error, error_description: description }, status);
}

/** The token and revocation endpoints. */
export function tokenRoutes(context: SandboxContext): Hono {
  const routes = new Hono();

  routes.post('/token', async (c) => {
    const text = await readText(c.req.raw);
    if (text === undefined) return fail(c, 413, 'invalid_request', 'Request too large.');
    const form = new URLSearchParams(text);
    const [clientId, secret] = basicCredentials(c.req.header('Authorization')) ?? [
      form.get('client_id') ?? '',
      form.get('client_secret') ?? '',
    ];
    if (!isClientId(clientId)) return fail(c, 401, 'invalid_client', 'The OAuth client was not found.');
    if (secret !== clientSecret) return fail(c, 401, 'invalid_client', 'The provided client secret is invalid.');

    let answer: Tokens | { error: string; description: string } | undefined;
    if (form.get('grant_type') === 'authorization_code') {
      answer = exchangeCode(context, {
        clientId,
        code: form.get('code') ?? '',
        redirectUri: form.get('redirect_uri') ?? '',
        codeVerifier: form.get('code_verifier') ?? undefined,
      });
    } else if (form.get('grant_type') === 'refresh_token') {
      answer = refresh(context, clientId, form.get('refresh_token') ?? '');
    } else {
      return fail(c, 400, 'unsupported_grant_type', 'Invalid grant_type.');
    }
    if (!answer) return fail(c, 400, 'invalid_grant', 'Token has been expired or revoked.');
    return 'error' in answer ? fail(c, 400, answer.error, answer.description) : c.json(answer);
  });
  routes.all('/token', onlyMethods('POST'));

  routes.post('/revoke', async (c) => {
    const token = c.req.query('token') ?? new URLSearchParams((await readText(c.req.raw)) ?? '').get('token') ?? '';
    return revoke(context, token) ? c.json({}) : fail(c, 400, 'invalid_token', 'Token expired or revoked');
  });
  routes.all('/revoke', onlyMethods('POST'));
  return routes;
}
