import assert from 'node:assert/strict';
import { execPath } from 'node:process';
import type { Readable } from 'node:stream';
import { test } from 'node:test';
import { Client } from '@modelcontextprotocol/client';
import { StdioClientTransport } from '@modelcontextprotocol/client/stdio';
import { freePort } from '../free-port.ts';
import { type Harness, startHarness } from '../harness.ts';
import { auditOf, revokeGrants } from './person.ts';
import { answerLinks, environment, privateFolder, toolPath } from './tool.ts';

/** mcp-remote between an agent that knows only stdio and the server. */
async function startRemote(pharlo: Harness, protocol: 'legacy' | 'auto', folder: string) {
  const port = await freePort();
  const transport = new StdioClientTransport({
    command: execPath,
    args: [
      ...[toolPath('mcp-remote/dist/proxy.js'), `${pharlo.url}/_mcp`, String(port)],
      ...['--transport', 'http-only', '--protocol', protocol, '--auth-timeout', '60'],
    ],
    cwd: folder,
    env: { ...environment(folder), MCP_REMOTE_CONFIG_DIR: folder },
    stderr: 'pipe',
  });
  const ended = new AbortController();
  const output = transport.stderr as Readable;
  const links = answerLinks(pharlo, output, ended.signal);
  let told = '';
  output.on('data', (piece: Buffer) => {
    told += piece.toString();
  });
  const client = new Client({ name: 'interop', version: '1.0.0' });
  await client.connect(transport);
  return {
    links,
    isModern: () => told.includes('Remote server speaks MCP 2026-07-28'),
    tools: async () => (await client.listTools()).tools,
    platforms: async () => (await client.callTool({ name: 'list_platforms', arguments: {} })).structuredContent,
    async [Symbol.asyncDispose]() {
      ended.abort();
      await client.close();
    },
  };
}

for (const protocol of ['legacy', 'auto'] as const) {
  test(`mcp-remote --protocol ${protocol}: consent, calls, a refresh by itself, consent again after a revocation`, async () => {
    await using pharlo = await startHarness();
    await using folder = await privateFolder();
    await using remote = await startRemote(pharlo, protocol, folder.path);
    assert.ok((await remote.tools()).length > 0);
    assert.ok(await remote.platforms());
    assert.equal(remote.isModern(), protocol === 'auto');
    assert.equal(remote.links.length, 1, 'it asks its person once');
    assert.deepEqual(await auditOf(pharlo), ['oauth.grant ok', 'oauth.exchange ok']);

    await pharlo.advance(3_601_000);
    assert.ok(await remote.platforms());
    assert.deepEqual((await auditOf(pharlo)).slice(2), ['oauth.refresh ok']);

    await revokeGrants(pharlo);
    assert.ok(await remote.platforms());
    assert.equal(remote.links.length, 2, 'it asks its person again');
    assert.deepEqual((await auditOf(pharlo)).slice(3), ['oauth.grant ok', 'oauth.exchange ok']);
  });
}
