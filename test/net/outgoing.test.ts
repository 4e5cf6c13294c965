import assert from 'node:assert/strict';
import type { IncomingHttpHeaders, RequestListener } from 'node:http';
import { test } from 'node:test';
import { OutgoingError } from '../../src/net/outgoing.ts';
import { codeOf, createWorld, trustWorld } from './world.ts';

trustWorld();

const NAMES = {
  'public.test': ['93.184.215.14'],
  'callback.test': ['93.184.215.15'],
  'api.platform.test': ['93.184.215.16'],
  'other.test': ['93.184.215.17'],
  'private.test': ['10.0.0.1'],
  'nas.test': ['10.0.0.2'],
};

/** Redirects as the query asks: `?to=<location>&status=302`. */
const redirector: RequestListener = (request, response) => {
  const query = new URL(request.url ?? '/', 'http://any').searchParams;
  const to = query.get('to');
  if (to === null) return response.end('arrived');
  response.writeHead(Number(query.get('status') ?? 302), { location: to }).end('moved');
};

const redirectTo = (base: string, location: string, status = 302) =>
  `${base}/?to=${encodeURIComponent(location)}&status=${status}`;

const PRIVATE_GOALS = [
  'http://127.0.0.1:PORT/x',
  'http://0x7f.1:PORT/x',
  'http://[::ffff:a00:1]:PORT/x',
  'http://private.test:PORT/x',
];

for (const goal of PRIVATE_GOALS) {
  test(`a redirect to ${goal} is not followed inside`, async (t) => {
    const world = await createWorld(t, NAMES, redirector);
    const location = goal.replace('PORT', String(world.port));
    const url = redirectTo(`http://public.test:${world.port}`, location);
    assert.equal(await codeOf(world.outgoing().media(url)), 'blocked_address');
    assert.deepEqual(world.dialled, ['93.184.215.14']);

    const fromPrivate = redirectTo(`http://nas.test:${world.port}`, location);
    const nasOnly = world.outgoing({ allowedPrivateHosts: ['nas.test'] });
    assert.equal(await codeOf(nasOnly.media(fromPrivate)), 'blocked_address', 'one allowed host opens no other');
    assert.equal(world.requests.length, 2);

    const opened = world.outgoing({ allowedPrivateHosts: [new URL(location).hostname] });
    assert.equal(await (await opened.media(url)).text(), 'arrived', 'positive control');
  });
}

test('a redirect to something that is no plain web address is refused', async (t) => {
  const world = await createWorld(t, NAMES, redirector);
  for (const location of [
    'ftp://public.test/',
    'file:///etc/passwd',
    'http://u:p@public.test/',
    'http://public.test:25/',
    'http://[',
  ]) {
    const url = redirectTo(`http://public.test:${world.port}`, location);
    assert.equal(await codeOf(world.outgoing().media(url)), 'redirect_refused', location);
  }
});

test('five redirects are followed, relative ones too, and a sixth is not', async (t) => {
  const chain: RequestListener = (request, response) => {
    const left = Number(request.url?.slice(1));
    if (left === 0) return response.end('arrived');
    response.writeHead([301, 302, 303, 307, 308][left % 5] ?? 302, { location: `/${left - 1}` }).end('moved');
  };
  const world = await createWorld(t, NAMES, chain);
  const base = `http://public.test:${world.port}`;
  assert.equal(await (await world.outgoing().media(`${base}/5`)).text(), 'arrived');
  assert.equal(await codeOf(world.outgoing().media(`${base}/6`)), 'too_many_redirects');
});

test('what is asked of media survives redirects, credentials never leave and answers stay as they are', async (t) => {
  const seen: IncomingHttpHeaders[] = [];
  const world = await createWorld(t, NAMES, (request, response) => {
    seen.push(request.headers);
    if (request.headers.host?.startsWith('public.test')) {
      response.writeHead(302, { location: `http://other.test:${world.port}/b`, 'set-cookie': 'a=b' }).end();
    } else {
      response.writeHead(206, { 'content-encoding': 'gzip', 'content-range': 'bytes 5-8/9' }).end('raw!');
    }
  });
  const answer = await world.outgoing().media(`http://public.test:${world.port}/a`, {
    headers: {
      Range: 'bytes=5-8',
      Authorization: 'Bearer x',
      Cookie: 'c=d',
      Host: 'evil',
      'X-Trace': '1',
      'Accept-Encoding': 'gzip',
    },
  });
  assert.equal(answer.status, 206);
  assert.equal(await answer.text(), 'raw!');
  const common = {
    range: 'bytes=5-8',
    accept: '*/*',
    'accept-encoding': 'identity',
    'user-agent': 'Pharlo/1',
    connection: 'keep-alive',
  };
  assert.deepEqual(
    seen.map((one) => ({ ...one })),
    [
      { ...common, host: `public.test:${world.port}`, 'x-trace': '1' },
      { ...common, host: `other.test:${world.port}` },
    ],
  );
});

test('HEAD of media has no body and keeps its length', async (t) => {
  const world = await createWorld(t, NAMES, (_request, response) => {
    response.setHeader('content-length', 1234).end();
  });
  const answer = await world.outgoing().media(`http://public.test:${world.port}/`, { method: 'HEAD' });
  assert.equal(answer.headers.get('content-length'), '1234');
  assert.equal(answer.body, null);
  assert.deepEqual(world.requests, [`HEAD public.test:${world.port} /`]);
});

test('a callback is posted once over https and a redirect comes back as it is', async (t) => {
  const bodies: string[] = [];
  const world = await createWorld(t, NAMES, async (request, response) => {
    let body = '';
    for await (const chunk of request) body += chunk;
    bodies.push(`${request.headers['content-type']} ${request.headers['content-length']} ${body}`);
    response.writeHead(307, { location: 'https://callback.test/again' }).end();
  });
  const answer = await world.outgoing().callback('https://callback.test/hook', {
    headers: { 'content-type': 'application/json' },
    body: '{"ä":1}',
  });
  assert.equal(answer.status, 307);
  assert.deepEqual(bodies, ['application/json 8 {"ä":1}']);
  assert.deepEqual(world.requests, ['POST callback.test /hook']);
});

test('a certificate for another name or from an unknown issuer is refused', async (t) => {
  const world = await createWorld(t, NAMES);
  await assert.rejects(world.outgoing().media('https://other.test/'), (error) => {
    assert.ok(error instanceof OutgoingError);
    assert.equal(error.code, 'tls');
    assert.equal(error.sent, false);
    return true;
  });
  assert.deepEqual(world.requests, []);
});

test('a platform fetch reaches its declared hosts over https and nothing else', async (t) => {
  const world = await createWorld(t, NAMES, redirector);
  const fetch = world.outgoing({ allowedPrivateHosts: ['private.test', 'other.test', '127.0.0.1'] }).platform({
    hosts: ['api.platform.test', 'api.platform.test:25', 'private.test', '127.0.0.1'],
  });
  const headers = { authorization: 'Bearer secret' };
  const refused = [
    'https://other.test/',
    'https://public.test/',
    'https://api.platform.test.other.test/',
    'https://sub.api.platform.test/',
    'https://api.platform.test.:443/',
    'https://api.platform.test:8443/',
    'https://api.platform.test:25/',
    'https://private.test/',
    'https://127.0.0.1/',
    'http://api.platform.test/',
    `http://127.0.0.1:${world.port}/`,
  ];
  for (const url of refused) assert.equal(await codeOf(fetch(url, { headers })), 'blocked_address', url);
  assert.equal(await codeOf(fetch('https://user@api.platform.test/', { headers })), 'invalid_url');
  assert.deepEqual(world.dialled, []);

  const answer = await fetch(redirectTo('https://api.platform.test', 'https://other.test/', 308), { headers });
  assert.equal(answer.status, 308, 'a redirect is returned as it is');
  assert.deepEqual(world.dialled, ['93.184.215.16']);
});

test('a base URL of the operator may be http and private, at exactly its origin', async (t) => {
  const world = await createWorld(t, NAMES);
  const fetch = world.outgoing().platform({ hosts: [], operatorBases: [`http://private.test:${world.port}/api/v1`] });
  assert.equal((await fetch(`http://private.test:${world.port}/other`, { method: 'DELETE' })).status, 200);
  for (const url of [
    'http://private.test/',
    `https://private.test:${world.port}/`,
    `http://nas.test:${world.port}/`,
    `http://10.0.0.1:${world.port}/`,
  ]) {
    assert.equal(await codeOf(fetch(url)), 'blocked_address', url);
  }
  assert.deepEqual(world.requests, [`DELETE private.test:${world.port} /other`]);
});

test('the sandbox fetch reaches its origin and no other, not by a redirect either', async (t) => {
  const world = await createWorld(t, NAMES, redirector);
  const origin = `http://127.0.0.1:${world.port}`;
  const outgoing = world.outgoing({ allowedPrivateHosts: ['nas.test'] });
  const fetch = outgoing.sandbox(`${origin}/`);
  assert.equal(await (await fetch(`${origin}/youtube/upload`, { method: 'PUT', body: 'x' })).text(), 'arrived');
  for (const url of [
    `http://127.0.0.1:${world.port + 1}/`,
    'http://127.0.0.1/',
    `https://127.0.0.1:${world.port}/`,
    `http://localhost:${world.port}/`,
    `http://nas.test:${world.port}/`,
    'https://api.platform.test/',
  ]) {
    assert.equal(await codeOf(fetch(url)), 'blocked_address', url);
  }
  const answer = await fetch(redirectTo(origin, `http://nas.test:${world.port}/`));
  assert.equal(answer.status, 302);
  assert.equal(world.requests.length, 2);
  assert.ok(world.dialled.every((address) => address === '127.0.0.1'));
});

test('a socket opened under one policy serves no other', async (t) => {
  const world = await createWorld(t, { 'public.test': ['10.0.0.1'] });
  const outgoing = world.outgoing({ allowedPrivateHosts: ['public.test'] });
  const url = 'https://public.test/';
  const operator = outgoing.platform({ hosts: [], operatorBases: [url] });
  for (const open of [outgoing.media(url), operator(url), outgoing.sandbox(url)(url)]) await (await open).text();
  assert.equal(world.dialled.length, 3);
  assert.equal(await codeOf(outgoing.document(url, { maxBytes: 100, timeoutMs: 10_000 })), 'blocked_address');
  assert.equal(await codeOf(outgoing.platform({ hosts: ['public.test'] })(url)), 'blocked_address');
  assert.equal(world.requests.length, 3);
});

test('a document is read within its limits and never by redirect', async (t) => {
  const world = await createWorld(t, NAMES, (request, response) => {
    if (request.url === '/moved') response.writeHead(302, { location: '/here' }).end();
    else if (request.url === '/endless') response.write('x'.repeat(1000));
    else response.setHeader('content-type', 'application/json').end('{"a":1}');
  });
  const outgoing = world.outgoing();
  const limits = { maxBytes: 7, timeoutMs: 10_000 };
  const found = await outgoing.document('https://public.test/client.json', limits);
  assert.equal(found.status, 200);
  assert.equal(found.headers.get('content-type'), 'application/json');
  assert.equal(new TextDecoder().decode(found.body), '{"a":1}');
  assert.equal(await codeOf(outgoing.document('https://public.test/a', { ...limits, maxBytes: 6 })), 'too_large');
  assert.equal(await codeOf(outgoing.document('https://public.test/endless', limits)), 'too_large');
  const slow = outgoing.document('https://public.test/endless', { maxBytes: 2000, timeoutMs: 50 });
  assert.equal(await codeOf(slow), 'timeout');
  assert.equal(await codeOf(outgoing.document('https://public.test/moved', limits)), 'redirect_refused');
  assert.equal(await codeOf(outgoing.document('http://public.test/', limits)), 'invalid_url');
  assert.equal(await codeOf(outgoing.document('https://public.test:8443/', limits)), 'invalid_url');
});

test('a malformed header fails without telling its value', async (t) => {
  const world = await createWorld(t, NAMES);
  const fetch = world.outgoing().platform({ hosts: ['api.platform.test'] });
  await assert.rejects(fetch('https://api.platform.test/', { headers: { authorization: 'Bearer a\r\nx: y' } }), {
    name: 'TypeError',
    message: 'The outgoing request is malformed.',
  });
  assert.deepEqual(world.requests, []);
});
