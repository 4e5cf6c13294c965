import assert from 'node:assert/strict';
import { test } from 'node:test';
import { connectChannel } from '../channel.ts';
import { startHarness } from '../harness.ts';
import { callTool, getToken } from '../mcp-client.ts';
import { startMediaServer } from '../media-server.ts';
import { errorOf, refusal } from '../refusals.ts';

const forbidden = [
  'not a url',
  'ftp://media.example/a.mp4',
  'file:///etc/passwd',
  'data:video/mp4;base64,AAAA',
  'http://user:secret@media.example/a.mp4',
  'http://localhost/a.mp4',
  'http://media.localhost./a.mp4',
  'http://127.0.0.1/a.mp4',
  'http://127.1/a.mp4',
  'http://2130706433/a.mp4',
  'http://0x7f000001/a.mp4',
  'http://10.0.0.1/a.mp4',
  'http://172.16.0.1/a.mp4',
  'http://192.168.1.1/a.mp4',
  'http://169.254.169.254/latest/meta-data',
  'http://100.64.0.1/a.mp4',
  'http://0.0.0.0/a.mp4',
  'http://[::1]/a.mp4',
  'http://[::ffff:10.0.0.1]/a.mp4',
  'http://[fd00::1]/a.mp4',
  'http://[fe80::1]/a.mp4',
];

test('media that cannot be used is refused before anything is stored', async (t) => {
  await using media = await startMediaServer();
  await using canary = await startMediaServer();
  await using pharlo = await startHarness({
    environment: { PHARLO_ALLOWED_PRIVATE_HOSTS: media.host },
    world: { lookup: (_name, _how, done) => done(null, [{ address: '127.0.0.1', family: 4 }]) },
  });
  const connectionId = await connectChannel(pharlo);
  const create = (mediaUrl: string) =>
    pharlo.rest('POST', '/assignments', { connectionId, type: 'video', payload: { title: 'A title' }, mediaUrl });
  const refused = async (code: string, mediaUrl: string) => {
    await refusal(pharlo, { status: 400, code, field: 'mediaUrl' }, () => create(mediaUrl));
  };

  await t.test('the good file they differ from is taken', async () => {
    const { status, body } = await create(`${media.url}/video.mp4`);
    assert.equal(status, 201, JSON.stringify(body));
  });

  const bad: [string, string, string][] = [
    ['a file that is not there', 'media_unreachable', '/gone.mp4'],
    ['a page that calls itself a video', 'media_type_unsupported', '/page.html'],
    ['an image that calls itself a video', 'media_type_unsupported', '/image.png'],
    ['an empty file', 'media_type_unsupported', '/empty.mp4'],
    ['a file whose header points behind its end', 'media_type_unsupported', '/broken.mp4'],
  ];
  for (const [name, code, path] of bad) await t.test(name, () => refused(code, media.url + path));

  await t.test('only the status of a foreign answer is told', async () => {
    const answer = await create(`${media.url}/gone.mp4`);
    assert.match(errorOf(answer).message, /status 404/);
  });

  for (const url of forbidden) await t.test(url, () => refused('media_not_allowed', url));

  await t.test('a name that leads into the private network', () =>
    refused('media_unreachable', `http://inside.example:${canary.port}/video.mp4`),
  );

  for (const target of [`${canary.url}/video.mp4`, 'http://10.0.0.1/', 'http://[::1]/', 'file:///etc/passwd']) {
    await t.test(`a redirect to ${target.replace(/:\d+\//, '/')}`, () =>
      refused('media_unreachable', `${media.url}/redirect?to=${encodeURIComponent(target)}`),
    );
  }

  await t.test('a redirect to an allowed place is followed', async () => {
    const target = encodeURIComponent(`${media.url}/video.mp4`);
    const { status } = await create(`${media.url}/redirect?to=${target}`);
    assert.equal(status, 201);
  });

  await t.test('MCP refuses alike', async () => {
    const token = await getToken(pharlo);
    const input = { connectionId, type: 'video', payload: { title: 'A' }, mediaUrl: `${canary.url}/video.mp4` };
    const result = await callTool(pharlo, token, 'create_assignment', input);
    assert.equal(result.isError, true);
    assert.equal(result._meta['pharlo.io/error']?.code, 'media_not_allowed');
  });

  assert.deepEqual(canary.requests, [], 'a place that was not opened has been reached');
});
