import type { Harness } from '../harness.ts';

/** What a person does with an authorization link: allows all that the page offers. Answers where the browser is sent. */
export async function allow({ key }: Harness, link: string | URL): Promise<string> {
  const begun = await fetch(link, { redirect: 'manual' });
  const page = new URL(begun.headers.get('location') ?? '', link);
  const cookie = begun.headers.get('set-cookie')?.split(';')[0] ?? '';
  const html = await (await fetch(page, { headers: { cookie } })).text();
  const form = new URLSearchParams({ key, decision: 'authorize' });
  for (const [, scope = ''] of html.matchAll(/name="scope" value="([^"]+)"/g)) form.append('scope', scope);
  const decided = await fetch(page, { method: 'POST', headers: { cookie }, body: form, redirect: 'manual' });
  const location = decided.headers.get('location');
  if (!location) throw new Error(`The consent was answered with ${decided.status}.`);
  return location;
}

/** What clients did at the authorization server, oldest first, as the server itself has noted it. */
export async function auditOf({ app }: Harness): Promise<string[]> {
  const text = `select action || ' ' || outcome as entry from audit where action like 'oauth.%' order by id`;
  const rows = await app.deps.db.query<{ entry: string }>({ text, values: [] });
  return rows.map(({ entry }) => entry);
}

/** Withdraws every consent given so far. */
export async function revokeGrants({ app }: Harness): Promise<void> {
  const text = 'update oauth_grants set revoked_at = pharlo_now() where revoked_at is null';
  await app.deps.db.query({ text, values: [] });
}
