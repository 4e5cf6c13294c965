import assert from 'node:assert/strict';
import { once } from 'node:events';
import { createServer, request } from 'node:http';
import type { AddressInfo } from 'node:net';
import { test } from 'node:test';
import { startProxy } from './proxy.ts';

test('the proxy adds the token and passes foreign names unchanged', async () => {
  const target = createServer((incoming, answer) => answer.end(JSON.stringify(incoming.headers))).listen(
    0,
    '127.0.0.1',
  );
  await once(target, 'listening');
  const host = `localhost:${(target.address() as AddressInfo).port}`;
  await using proxy = await startProxy(`http://${host}`, 'the-token');
  const own = new URL(proxy.origin).host;
  try {
    const mine = await headersAtTarget(proxy.origin, { host: own, origin: proxy.origin });
    assert.equal(mine.authorization, 'Bearer the-token');
    assert.equal(mine.host, host);
    assert.equal(mine.origin, `http://${host}`);
    const foreign = await headersAtTarget(proxy.origin, { host: 'evil.example', origin: 'http://evil.example' });
    assert.equal(foreign.host, 'evil.example');
    assert.equal(foreign.origin, 'http://evil.example');
  } finally {
    target.close();
    target.closeAllConnections();
  }
});

async function headersAtTarget(origin: string, headers: Record<string, string>): Promise<Record<string, string>> {
  const sent = request(origin, { headers, agent: false }).end();
  const [answer] = await once(sent, 'response');
  return JSON.parse((await answer.toArray()).join(''));
}
