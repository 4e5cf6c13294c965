import assert from 'node:assert/strict';
import { createServer } from 'node:http';
import net from 'node:net';
import { test } from 'node:test';
import { isPublicAddress } from '../../src/net/addresses.ts';
import { createConnector, type Reach } from '../../src/net/connector.ts';
import { createOutgoing, OutgoingError } from '../../src/net/outgoing.ts';
import { codeOf, createWorld, listen, trustWorld } from './world.ts';

trustWorld();

const NAMES = {
  localhost: ['127.0.0.1', '::1'],
  'app.localhost': ['127.0.0.1'],
  'loopback.test': ['127.0.0.1'],
  'loopback6.test': ['::1'],
  'mapped.test': ['::ffff:10.0.0.1'],
  'metadata.test': ['169.254.169.254'],
  'private.test': ['192.168.1.1'],
  'nat64.test': ['64:ff9b::7f00:1'],
  'mixed.test': ['93.184.215.14', '10.0.0.1'],
  'mixed6.test': ['2606:4700::1111', 'fe80::1'],
};

const LITERALS = [
  '127.0.0.1',
  '127.1',
  '127.255.255.254',
  '2130706433',
  '0x7f.1',
  '0x7f000001',
  '0177.0.0.1',
  '017700000001',
  '0',
  '0.0.0.0',
  '0.1.2.3',
  '10.0.0.1',
  '10.255.255.255',
  '100.64.0.1',
  '100.127.255.255',
  '169.254.169.254',
  '172.16.0.1',
  '172.31.255.255',
  '192.0.0.1',
  '192.168.0.1',
  '198.18.0.1',
  '224.0.0.1',
  '240.0.0.1',
  '255.255.255.255',
  '[::]',
  '[::1]',
  '[::127.0.0.1]',
  '[::ffff:127.0.0.1]',
  '[::ffff:7f00:1]',
  '[::ffff:0:127.0.0.1]',
  '[0:0:0:0:0:ffff:a9fe:a9fe]',
  '[64:ff9b::7f00:1]',
  '[64:ff9b:1::7f00:1]',
  '[100::1]',
  '[2001:0:7f00:1::1]',
  '[2001:db8::1]',
  '[2002:7f00:1::]',
  '[3fff::1]',
  '[4000::1]',
  '[fc00::1]',
  '[fd00:ec2::254]',
  '[fe80::1]',
  '[fec0::1]',
  '[ff02::1]',
  '127.0.0.1.',
  '１２７.0.0.1',
];

for (const host of [...LITERALS, ...Object.keys(NAMES)]) {
  test(`${host} is not reached, by no road, and is once the operator allows it`, async (t) => {
    const world = await createWorld(t, NAMES);
    const url = `http://${host}:${world.port}/canary`;
    const secureUrl = `https://${host}/canary`;
    const guarded = world.outgoing();

    assert.equal(await codeOf(guarded.media(url)), 'blocked_address');
    assert.equal(await codeOf(guarded.media(secureUrl)), 'blocked_address');
    assert.equal(await codeOf(guarded.callback(url, { headers: {}, body: '{}' })), 'invalid_url');
    assert.equal(await codeOf(guarded.callback(secureUrl, { headers: {}, body: '{}' })), 'blocked_address');
    assert.equal(await codeOf(guarded.platform({ hosts: [host] })(secureUrl)), 'blocked_address');
    const opened = world.outgoing({ allowedPrivateHosts: [host] });
    const document = opened.document(secureUrl, { maxBytes: 1000, timeoutMs: 10_000 });
    assert.equal(await codeOf(document), 'blocked_address', 'the allow-list opens media and callbacks only');
    assert.equal(await codeOf(opened.document(url, { maxBytes: 1000, timeoutMs: 10_000 })), 'invalid_url');
    assert.equal(await codeOf(opened.platform({ hosts: [host] })(secureUrl)), 'blocked_address');
    assert.deepEqual(world.dialled, []);
    assert.deepEqual(world.requests, []);

    assert.equal((await opened.media(url)).status, 200);
    assert.equal((await opened.callback(url, { headers: {}, body: '{}' })).status, 200);
    assert.equal(world.requests.length, 2, 'positive control');
  });
}

test('a public host is reached over http and https, at the address that was checked', async (t) => {
  const world = await createWorld(t, { 'public.test': ['93.184.215.14', '2606:4700::1111'] });
  const outgoing = world.outgoing();
  assert.equal(await (await outgoing.media(`http://public.test:${world.port}/a`)).text(), 'ok');
  assert.equal(await (await outgoing.media('https://public.test/b?c#d')).text(), 'ok');
  assert.equal(await (await outgoing.media(`http://93.184.215.14:${world.port}/e`)).text(), 'ok');
  assert.deepEqual(world.dialled, ['93.184.215.14', '93.184.215.14', '93.184.215.14']);
  assert.deepEqual(world.requests, [
    `GET public.test:${world.port} /a`,
    'GET public.test /b?c',
    `GET 93.184.215.14:${world.port} /e`,
  ]);
});

test('a name is asked once per connection, so a second answer cannot move it inside', async (t) => {
  const world = await createWorld(t, { 'rebind.test': [['93.184.215.14'], ['127.0.0.1']] }, (_request, response) => {
    response.setHeader('connection', 'close').end('ok');
  });
  const outgoing = world.outgoing();
  const url = `http://rebind.test:${world.port}/`;
  assert.equal(await (await outgoing.media(url)).text(), 'ok');
  assert.deepEqual(world.asked, ['rebind.test']);
  assert.equal(await codeOf(outgoing.media(url)), 'blocked_address');
  assert.deepEqual(world.dialled, ['93.184.215.14'], 'the private answer was never dialled');

  const opened = world.outgoing({ allowedPrivateHosts: ['rebind.test'] });
  assert.equal(await (await opened.media(url)).text(), 'ok');
  assert.deepEqual(world.dialled, ['93.184.215.14', '127.0.0.1'], 'positive control');
});

test('the connector itself dials no private literal and nothing out of reach', async (t) => {
  const world = await createWorld(t, {});
  const open = (reach: Reach, hostname: string) => {
    const connect = createConnector({ reach: () => reach, lookup: world.lookup, connectMs: 10_000 });
    const { promise, resolve } = Promise.withResolvers<unknown>();
    const target = { protocol: 'http:', host: `${hostname}:${world.port}`, hostname, port: String(world.port) };
    connect(target, (error, socket) => {
      socket?.destroy();
      resolve(error ?? 'open');
    });
    return promise;
  };
  for (const hostname of ['127.0.0.1', '::1', '[::ffff:7f00:1]', 'localhost']) {
    assert.deepEqual(await open('public', hostname), new OutgoingError('blocked_address'));
  }
  assert.deepEqual(await open('none', '93.184.215.14'), new OutgoingError('blocked_address'));
  assert.deepEqual(world.dialled, []);
  assert.equal(await open('any', '127.0.0.1'), 'open');
  assert.equal(await open('public', '93.184.215.14'), 'open');
  assert.deepEqual(world.dialled, ['127.0.0.1', '93.184.215.14']);
});

test('a socket that arrives somewhere private is closed before the first byte', async (t) => {
  const received: string[] = [];
  const port = await listen(
    t,
    createServer((request, response) => {
      received.push(String(request.url));
      response.end();
    }),
  );
  const connect = net.connect;
  t.mock.method(net, 'connect', () => connect({ host: '127.0.0.1', port }));
  const outgoing = createOutgoing({ allowedPrivateHosts: ['93.184.215.15'] });
  t.after(() => outgoing[Symbol.asyncDispose]());
  assert.equal(await codeOf(outgoing.media('http://93.184.215.14/')), 'blocked_address');
  assert.deepEqual(received, []);
  await outgoing.media('http://93.184.215.15/control');
  assert.deepEqual(received, ['/control']);
});

test('without any stand-in, loopback is refused and reached only when allowed', async (t) => {
  const received: string[] = [];
  const server = createServer((request, response) => {
    received.push(String(request.headers.host));
    response.end('ok');
  });
  const port = await listen(t, server);
  const hosts = ['127.0.0.1', 'localhost', '2130706433'];
  const guarded = createOutgoing({ allowedPrivateHosts: ['example.org'] });
  const opened = createOutgoing({ allowedPrivateHosts: [`127.0.0.1:${port}`, 'LOCALHOST'] });
  t.after(() => Promise.all([guarded[Symbol.asyncDispose](), opened[Symbol.asyncDispose]()]));
  for (const host of hosts) assert.equal(await codeOf(guarded.media(`http://${host}:${port}/`)), 'blocked_address');
  assert.deepEqual(received, []);
  for (const host of hosts) assert.equal(await (await opened.media(`http://${host}:${port}/`)).text(), 'ok');
  assert.equal(received.length, 3);
});

test('proxy settings of the environment are not followed', async (t) => {
  const world = await createWorld(t, { 'public.test': ['93.184.215.14'], 'proxy.test': ['93.184.215.99'] });
  const before = { ...process.env };
  t.after(() => {
    process.env = before;
  });
  for (const name of ['HTTP_PROXY', 'http_proxy', 'ALL_PROXY']) process.env[name] = 'http://proxy.test:8080';
  await (await world.outgoing().media(`http://public.test:${world.port}/`)).text();
  assert.deepEqual(world.dialled, ['93.184.215.14']);
});

test('blocked and unreachable hosts are told in the same words, without any of the cause', async (t) => {
  const world = await createWorld(t, { 'private.test': ['10.0.0.1'] });
  const outgoing = world.outgoing();
  const messages = new Set<string>();
  for (const host of ['private.test', 'missing.test', '127.0.0.1']) {
    await assert.rejects(outgoing.media(`http://${host}:${world.port}/`), (error) => {
      assert.ok(error instanceof OutgoingError);
      assert.equal(error.sent, false);
      assert.equal(error.cause, undefined);
      messages.add(error.message);
      return true;
    });
  }
  assert.deepEqual([...messages], ['The host could not be reached.']);
});

test('global unicast addresses are public, also at the edges of refused ranges', () => {
  for (const address of ['1.1.1.1', '9.255.255.255', '11.0.0.0', '100.63.255.255', '100.128.0.0', '172.32.0.0']) {
    assert.equal(isPublicAddress(address), true, address);
  }
  assert.equal(isPublicAddress('2606:4700:4700::1111'), true);
  assert.equal(isPublicAddress('::ffff:1.1.1.1'), true);
  for (const address of ['', 'example.org', '1.1.1', 'fe80::1%eth0']) {
    assert.equal(isPublicAddress(address), false, address);
  }
});
