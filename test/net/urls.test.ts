import assert from 'node:assert/strict';
import { test } from 'node:test';
import { checkPublicUrl, createOutgoing } from '../../src/net/outgoing.ts';
import { codeOf, createWorld } from './world.ts';

const REFUSED = [
  '',
  'not a url',
  '//public.test/a',
  'ftp://public.test/a',
  'file:///etc/passwd',
  'data:text/plain,hello',
  'gopher://public.test/',
  'javascript:alert(1)',
  'blob:http://public.test/1',
  'http://user@public.test/',
  'http://user:pass@public.test/',
  'http://:pass@public.test/',
  'https://public.test:22/',
  'https://public.test:25/',
  'http://public.test:1023/',
  'http://public.test:1/',
  'http://public.test:65536/',
  'http:// public.test/',
  'http://[::1/',
];

for (const url of REFUSED) {
  test(`${url || 'an empty text'} is refused before any name is asked for`, async (t) => {
    const world = await createWorld(t, { 'public.test': ['93.184.215.14'] });
    const outgoing = world.outgoing();
    assert.equal(checkPublicUrl(url, 'media', []), 'invalid_url');
    assert.equal(checkPublicUrl(url, 'callback', []), 'invalid_url');
    assert.equal(await codeOf(outgoing.media(url)), 'invalid_url');
    assert.equal(await codeOf(outgoing.callback(url, { headers: {}, body: '' })), 'invalid_url');
    assert.equal(await codeOf(outgoing.document(url, { maxBytes: 1, timeoutMs: 10_000 })), 'invalid_url');
    assert.deepEqual(world.asked, []);
    assert.deepEqual(world.dialled, []);
    assert.equal((await outgoing.media(`http://public.test:${world.port}/`)).status, 200, 'positive control');
  });
}

test('the save-time check tells literals from bad URLs and lets public ones pass', () => {
  assert.equal(checkPublicUrl('http://127.1/a', 'media', []), 'blocked_address');
  assert.equal(checkPublicUrl('https://localhost/a', 'callback', []), 'blocked_address');
  assert.equal(checkPublicUrl('http://example.org/a', 'callback', []), 'invalid_url');
  assert.equal(checkPublicUrl('https://example.org:8443/a', 'callback', []), undefined);
  assert.equal(checkPublicUrl('http://example.org:8080/a#part', 'media', []), undefined);
});

test('an allowed private host is matched by canonical name and, when given, by port', () => {
  const check = (url: string, entry: string) => checkPublicUrl(url, 'callback', [entry]);
  assert.equal(check('http://127.0.0.1:81/', '127.0.0.1'), undefined);
  assert.equal(check('http://127.0.0.1:8080/', '127.0.0.1:8080'), undefined);
  assert.equal(check('https://127.0.0.1:8081/', '127.0.0.1:8080'), 'blocked_address');
  assert.equal(check('http://NAS.Home:9000/', 'nas.home'), undefined);
  assert.equal(check('http://nas.home/', 'NAS.home:80'), undefined);
  assert.equal(check('https://nas.home/', 'nas.home:443'), undefined);
  assert.equal(check('http://sub.nas.home/', 'nas.home'), 'invalid_url');
  assert.equal(check('http://[0:0::1]:8080/', '[::1]:8080'), undefined);
  assert.equal(check('http://[fd00::2]/', '[FD00::2]'), undefined);
  assert.equal(check('https://[::ffff:127.0.0.1]/', '127.0.0.1'), 'blocked_address');
  assert.equal(check('http://user@nas.home/', 'nas.home'), 'invalid_url');
  assert.equal(check('ftp://nas.home/', 'nas.home'), 'invalid_url');
});

test('an allow-list entry that is no host is refused at the start', () => {
  for (const entry of ['http://nas.home', 'nas.home/path', 'a b', '::1', 'user@nas', 'nas:port']) {
    assert.throws(() => createOutgoing({ allowedPrivateHosts: [entry] }), TypeError, entry);
  }
});
