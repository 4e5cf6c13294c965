import { type Handler, Hono } from 'hono';
import type { HttpEnv } from '../http.ts';
import { errorJson } from './answers.ts';
import { authorize } from './authorize.ts';
import { createClients } from './clients.ts';
import { decideConsent, showConsent } from './consent.ts';
import { type OAuthContext, type OAuthDeps, paths, type ServerDeps } from './context.ts';
import { cors } from './cors.ts';
import { OAuthError } from './errors.ts';
import { introspect } from './introspect.ts';
import { resourceMetadata, serverMetadata } from './metadata.ts';
import { messagePage } from './pages.ts';
import { register } from './register.ts';
import { revoke } from './revoke.ts';
import { createSigning } from './signing.ts';
import { token } from './token.ts';

export { type Authentication, authenticate, challenge, type Door, scopeChallenge } from './bearer.ts';

/** Public documents; far shorter than a signing key is published before it is used. */
const briefly = { 'Cache-Control': 'public, max-age=300' };

const pagePaths: readonly string[] = [paths.authorize, paths.consent];

/** The authorization server, with its full paths: to be mounted at the root. */
export function oauthRoutes(given: OAuthDeps): Hono<HttpEnv> {
  const deps: ServerDeps = { ...given, clients: createClients(given), signing: createSigning(given) };
  const app = new Hono<HttpEnv>();
  const issuer = deps.config.publicUrl;
  const documents = [
    [paths.serverMetadata, serverMetadata(deps.config)],
    [paths.resourceMetadata, resourceMetadata(issuer)],
  ] as const;
  for (const [path, document] of documents) {
    for (const at of [path, path + paths.resource]) {
      app.use(at, cors(deps, ['GET', 'HEAD']));
      app.get(at, (c) => c.json(document, 200, briefly));
      app.all(at, notAllowed('GET, HEAD, OPTIONS'));
    }
  }
  app.use(paths.keys, cors(deps, ['GET', 'HEAD']));
  app.get(paths.keys, async (c) => c.json(await deps.signing.publicKeys(), 200, briefly));
  app.all(paths.keys, notAllowed('GET, HEAD, OPTIONS'));
  const called = { [paths.register]: register, [paths.token]: token, [paths.revoke]: revoke };
  for (const [path, handle] of Object.entries(called)) {
    app.use(path, cors(deps, ['POST']));
    app.post(path, (c) => handle(c, deps));
    app.all(path, notAllowed('POST, OPTIONS'));
  }
  app.post(paths.introspect, (c) => introspect(c, deps));
  app.all(paths.introspect, notAllowed('POST'));
  app.on(['GET', 'POST'], paths.authorize, (c) => authorize(c, deps));
  app.get(`${paths.consent}/:id`, (c) => showConsent(c, deps));
  app.post(`${paths.consent}/:id`, (c) => decideConsent(c, deps));
  for (const path of [paths.authorize, `${paths.consent}/:id`]) app.all(path, notAllowed('GET, HEAD, POST'));
  app.onError((error, c) => answerError(c, deps, error));
  return app;
}

function notAllowed(allow: string): Handler<HttpEnv> {
  return () => {
    throw new OAuthError('invalid_request', 'This method is not allowed here.', {
      status: 405,
      headers: { Allow: allow },
    });
  };
}

/** Pages answer people, the rest answers clients. A failure of ours is 503: clients keep their tokens and try again. */
function answerError(c: OAuthContext, deps: OAuthDeps, error: Error): Response | Promise<Response> {
  const known = error instanceof OAuthError;
  if (!known) deps.log.error('oauth_failed', error, { route: c.req.routePath, method: c.req.method, status: 503 });
  const answer = known
    ? error
    : new OAuthError('temporarily_unavailable', 'Try again in a moment.', { headers: { 'Retry-After': '5' } });
  const isPage = pagePaths.some((path) => c.req.path.startsWith(path));
  return isPage
    ? messagePage(c, answer.status === 401 ? 400 : answer.status, 'This did not work', answer.message, answer.headers)
    : errorJson(answer);
}
