import type { Harness } from './harness.ts';

/** Connects a new sandbox channel the way a browser would, redirects followed by hand; answers the connection's id. */
export async function connectChannel(pharlo: Harness, options: { key?: string; title?: string } = {}): Promise<string> {
  const authorization = `Bearer ${options.key ?? pharlo.key}`;
  const made = await pharlo.rest('POST', '/oauth/tickets', { platform: 'youtube' }, { authorization });
  const { ticketId, url } = made.body as { ticketId: string; url: string };
  const ticket = new URL(url).searchParams.get('ticket') ?? '';
  const begun = await post(url, [['ticket', ticket]]);
  const cookie = begun.headers.get('set-cookie')?.split(';')[0] ?? '';
  const consentUrl = location(begun);
  const page = await (await fetch(consentUrl)).text();
  const decided = await post(consentUrl, [
    ['request', valuesOf(page, 'request')[0] ?? ''],
    ['channel', 'new'],
    ['title', options.title ?? 'Test channel'],
    ...valuesOf(page, 'scope').map((scope): [string, string] => ['scope', scope]),
    ['decision', 'allow'],
  ]);
  await fetch(location(decided), { headers: { cookie }, redirect: 'manual' });
  const ended = await pharlo.rest('GET', `/oauth/tickets/${ticketId}`, undefined, { authorization });
  const [id] = ended.body.connectionIds as string[];
  if (id === undefined) throw new Error(`The channel was not connected: ${JSON.stringify(ended.body)}`);
  return id;
}

function post(url: string, form: [string, string][]): Promise<Response> {
  return fetch(url, { method: 'POST', body: new URLSearchParams(form), redirect: 'manual' });
}

function location(response: Response): string {
  const target = response.headers.get('location');
  if (response.status !== 302 || !target) throw new Error(`Expected a redirect, got ${response.status}.`);
  return target;
}

function valuesOf(page: string, name: string): string[] {
  return [...page.matchAll(new RegExp(`name="${name}" value="([^"]*)"`, 'g'))].map(([, value]) => value ?? '');
}
