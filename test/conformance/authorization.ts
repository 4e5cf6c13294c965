import { freePort } from '../free-port.ts';
import type { Harness } from '../harness.ts';
import { type Results, runTool } from './tool.ts';

/** The tool as a client of the authorization server; what it asks of a browser is done over HTTP. */
export async function runAuthorization(pharlo: Harness, signal: AbortSignal): Promise<Results> {
  const port = await freePort();
  const registered = await fetch(`${pharlo.url}/oauth/mcp/register`, {
    method: 'POST',
    headers: { 'content-type': 'application/json' },
    body: JSON.stringify({
      redirect_uris: [`http://127.0.0.1:${port}/callback`],
      client_name: 'Conformance',
      token_endpoint_auth_method: 'none',
    }),
  });
  const { client_id } = (await registered.json()) as { client_id: string };
  return runTool(
    '0.2.0-alpha.12',
    [
      ...['authorization', '--url', pharlo.url, '--spec-version', '2026-07-28', '--resource', `${pharlo.url}/_mcp`],
      ...['--client-id', client_id, '--port', String(port)],
    ],
    {
      signal,
      async onLine(line) {
        if (line.startsWith(`${pharlo.url}/oauth/mcp/authorize?`)) await fetch(await consent(pharlo, line));
      },
    },
  );
}

/** Allows all that the page offers; answers the address the browser is sent to. */
async function consent(pharlo: Harness, url: string): Promise<string> {
  const begun = await fetch(url, { redirect: 'manual' });
  const page = new URL(begun.headers.get('location') ?? '', url);
  const cookie = begun.headers.get('set-cookie')?.split(';')[0] ?? '';
  const html = await (await fetch(page, { headers: { cookie } })).text();
  const form = new URLSearchParams({ key: pharlo.key, decision: 'authorize' });
  for (const [, scope = ''] of html.matchAll(/name="scope" value="([^"]+)"/g)) form.append('scope', scope);
  const decided = await fetch(page, { method: 'POST', headers: { cookie }, body: form, redirect: 'manual' });
  const location = decided.headers.get('location');
  if (!location) throw new Error(`The consent was answered with ${decided.status}.`);
  return location;
}
