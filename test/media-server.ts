import { readFile } from 'node:fs/promises';
import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';

const sample = new URL('../src/sandbox/assets/sample.mp4', import.meta.url);

/** A 1 × 1 PNG. */
const png = Buffer.from(
  'iVBORw0KGgoAAAANSUhEUgAAAAEAAAABCAYAAAAfFcSJAAAADUlEQVR42mNk+M9QDwADhgGAWjR9awAAAABJRU5ErkJggg==',
  'base64',
);

/** An ID3 tag that claims more than is there: sniffers run past the end. */
const broken = Buffer.from('49443304000000007f7f7f7f000000', 'hex');

/** Media as callers offer it, good and bad, on a loopback port of its own; `requests` counts what came in. */
export async function startMediaServer() {
  const video = await readFile(sample);
  const requests: string[] = [];
  const files: Record<string, [type: string, bytes: Buffer]> = {
    '/video.mp4': ['video/mp4', video],
    '/page.html': ['video/mp4', Buffer.from('<!doctype html><title>Sign in</title>')],
    '/image.png': ['video/mp4', png],
    '/empty.mp4': ['video/mp4', Buffer.alloc(0)],
    '/broken.mp4': ['video/mp4', broken],
  };
  const server = createServer((request, response) => {
    const url = new URL(request.url ?? '/', 'http://media');
    requests.push(url.pathname);
    const target = url.searchParams.get('to');
    if (target !== null) return void response.writeHead(302, { location: target }).end();
    const file = files[url.pathname];
    if (!file) return void response.writeHead(404).end('upstream says: no such file');
    response.writeHead(200, { 'content-type': file[0], 'content-length': file[1].length }).end(file[1]);
  });
  await new Promise<void>((done) => server.listen(0, '127.0.0.1', done));
  const { port } = server.address() as AddressInfo;
  return {
    host: `127.0.0.1:${port}`,
    url: `http://127.0.0.1:${port}`,
    port,
    requests,
    async [Symbol.asyncDispose]() {
      server.closeAllConnections();
      await new Promise((done) => server.close(done));
    },
  };
}
