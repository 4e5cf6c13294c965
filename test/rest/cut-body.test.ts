import assert from 'node:assert/strict';
import { once } from 'node:events';
import { connect } from 'node:net';
import { test } from 'node:test';
import { startHarness } from '../harness.ts';
import { getToken } from '../mcp-client.ts';

test('a connection that ends inside a body is no failure of ours', async () => {
  await using pharlo = await startHarness();
  const token = await getToken(pharlo);
  const { hostname, port, host } = new URL(pharlo.url);
  const json = 'application/json';
  const calls: [path: string, type: string, secret: string][] = [
    ['/api/v1/assignments', json, pharlo.key],
    ['/_mcp', json, token],
    ['/oauth/mcp/register', json, ''],
    ['/oauth/mcp/token', 'application/x-www-form-urlencoded', ''],
  ];
  for (const [path, type, secret] of calls) {
    const socket = connect({ host: hostname === 'localhost' ? '127.0.0.1' : hostname, port: Number(port) });
    const head = `POST ${path} HTTP/1.1\r\nhost: ${host}\r\nauthorization: Bearer ${secret}\r\ncontent-type: ${type}\r\n`;
    socket.end(`${head}content-length: 100\r\n\r\n{"a":`);
    socket.resume();
    await once(socket, 'close');
    assert.equal((await fetch(`${pharlo.url}/api/v1/ready`)).status, 200);
  }
  assert.deepEqual(
    pharlo.logs.filter((line) => line.includes('"level":"error"')),
    [],
  );
});
