import assert from 'node:assert/strict';
import { test } from 'node:test';
import type { OutgoingDocument } from '../../src/net/outgoing.ts';
import { createClients } from '../../src/oauth/clients.ts';
import { createDocuments } from '../../src/oauth/documents.ts';
import { createServer, redirectUri, type Server } from './server.ts';

const network = '192.0.2.1';
const hour = 3600;
const day = 24 * hour;

/** An internet that answers every URL with a good document, until it is down; a clock of its own. */
async function createWeb() {
  const server = await createServer();
  const web = { asked: [] as unknown[][], down: false, name: 'A', at: server.deps.now() };
  const document = async (...asked: [string, object]): Promise<OutgoingDocument> => {
    web.asked.push(asked);
    if (web.down) throw new Error('down');
    const body = { client_id: asked[0], client_name: web.name, redirect_uris: [redirectUri] };
    const headers = new Headers({ 'content-type': 'application/json' });
    return { status: 200, headers, body: new TextEncoder().encode(JSON.stringify(body)) };
  };
  const deps: Server['deps'] = { ...server.deps, now: () => web.at, outgoing: { document } };
  return { server, web, deps };
}

const url = 'https://a.example/c.json';

test('a document is fetched with its limits and gives a public client of the MCP profile', async () => {
  const { server, web, deps } = await createWeb();
  await using _ = server;
  assert.deepEqual(await createDocuments(deps).read(url, { network, known: false }), {
    id: url,
    name: 'A',
    redirectUris: [redirectUri],
    grantTypes: ['authorization_code', 'refresh_token'],
    scope: null,
    authMethod: 'none',
    secretHash: null,
    mcpProfile: true,
    documentFetchedAt: new Date(web.at),
    createdAt: new Date(web.at),
  });
  assert.deepEqual(web.asked, [[url, { maxBytes: 10_240, timeoutMs: 5000 }]]);
});

test('a document is remembered for an hour, a failure for a minute, to the second', async () => {
  const { server, web, deps } = await createWeb();
  await using _ = server;
  const documents = createDocuments(deps);
  const read = () => documents.read(url, { network, known: true });
  assert.ok(await read());
  web.at += hour * 1000 - 1;
  assert.ok(await read());
  assert.equal(web.asked.length, 1);
  web.down = true;
  web.at += 1;
  assert.equal(await read(), undefined);
  web.at += 60_000 - 1;
  web.down = false;
  assert.equal(await read(), undefined);
  assert.equal(web.asked.length, 2);
  web.at += 1;
  assert.ok(await read());
  assert.equal(web.asked.length, 3);
});

test('a thousand documents are remembered; the oldest is forgotten first', async () => {
  const { server, web, deps } = await createWeb();
  await using _ = server;
  const documents = createDocuments(deps);
  const read = (n: number) => documents.read(`${url}?${n}`, { network, known: true });
  for (let n = 0; n < 1000; n++) await read(n);
  await read(0);
  assert.equal(web.asked.length, 1000, 'all are remembered');
  await read(1000);
  await read(1);
  assert.equal(web.asked.length, 1001, 'the second still is');
  await read(0);
  assert.equal(web.asked.length, 1002, 'the first is not');
});

test('what is read again counts as new', async () => {
  const { server, web, deps } = await createWeb();
  await using _ = server;
  const documents = createDocuments(deps);
  const read = (n: number) => documents.read(`${url}?${n}`, { network, known: true });
  for (let n = 0; n < 1000; n++) {
    if (n === 1) web.at += 1000;
    await read(n);
  }
  web.at += hour * 1000 - 1000;
  await read(0);
  await read(1000);
  const before = web.asked.length;
  await read(0);
  assert.equal(web.asked.length, before, 'kept, though it was the first');
});

test('fetches of unknown documents count against who asks and against the host; others do not', async () => {
  const { server, web, deps } = await createWeb();
  await using _ = server;
  const documents = createDocuments(deps);
  const counted = async () =>
    (await server.query(`select subject from rate_limits where subject like 'document%' order by 1`)).map(
      ({ subject }) => subject,
    );
  await documents.read(url, { network, known: true });
  assert.deepEqual(await counted(), []);
  await documents.read(url, { network, known: false });
  assert.deepEqual(await counted(), [], 'remembered');
  web.at += hour * 1000;
  const both = [1, 2].map(() => documents.read(url, { network, known: true }));
  await Promise.all([...both, documents.read(url, { network: '192.0.2.9', known: false })]);
  assert.deepEqual(await counted(), [], 'on its way already');
  await documents.read('https://b.example:8443/x', { network, known: false });
  assert.deepEqual(await counted(), ['document-host:b.example:8443', `document-network:${network}`]);
});

test('a stored copy counts for an hour, is renewed then, and serves a live grant for seven days', async () => {
  const { server, web, deps } = await createWeb();
  await using _ = server;
  const { key } = await server.addKey();
  const names = async () => (await server.query('select name from oauth_clients')).map(({ name }) => name);
  const find = () => createClients(deps).find(url, network);
  assert.equal((await find())?.name, 'A');
  assert.deepEqual(await names(), [], 'not stored by looking');
  const body = new TextEncoder().encode(
    JSON.stringify({ client_id: url, client_name: 'A', redirect_uris: [redirectUri] }),
  );
  const headers = new Headers({ 'content-type': 'application/json' });
  Object.assign(server.deps.outgoing, { document: async () => ({ status: 200, headers, body }) });
  await server.getTokens(url, key);
  const stamp = async () =>
    Number(
      (await server.query('select extract(epoch from document_fetched_at) * 1000 as at from oauth_clients'))[0]?.at,
    );
  const fetched = await stamp();
  web.asked = [];
  web.name = 'B';
  web.at = fetched + hour * 1000 - 1;
  assert.equal((await find())?.name, 'A');
  assert.equal(web.asked.length, 0);
  web.at = fetched + hour * 1000;
  assert.equal((await find())?.name, 'B');
  assert.deepEqual([await names(), web.asked.length], [['B'], 1]);
  const renewed = await stamp();
  assert.equal(renewed, web.at);
  web.down = true;
  web.at = renewed + 7 * day * 1000;
  assert.equal((await find())?.name, 'B');
  web.at += 1000;
  assert.equal(await find(), undefined);
  web.at = renewed + hour * 1000;
  await server.query('update oauth_grants set revoked_at = pharlo_now()');
  assert.equal(await find(), undefined, 'no live grant');
});

test('what can be no id is looked for nowhere', async () => {
  const { server, web, deps } = await createWeb();
  await using _ = server;
  const names: unknown[] = [];
  const db: Server['deps']['db'] = {
    ...deps.db,
    query: async (statement) => {
      names.push(statement.name);
      return [];
    },
  };
  const clients = createClients({ ...deps, db });
  const id = `mcp_client_${'x'.repeat(22)}`;
  for (const odd of [undefined, '', 'x', `${id}x`, `x${id}`, id.slice(0, -1), `${id.slice(0, -1)}.`, `${id}\n`]) {
    assert.equal(await clients.find(odd, network), undefined);
  }
  assert.deepEqual([names, web.asked], [[], []]);
  await clients.find(id, network);
  assert.deepEqual([names, web.asked], [['oauth_clients_find'], []]);
});
