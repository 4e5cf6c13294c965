import assert from 'node:assert/strict';
import { test } from 'node:test';
import { freePort } from '../free-port.ts';
import { type Harness, startHarness } from '../harness.ts';
import { auditOf, revokeGrants } from './person.ts';
import { environment, privateFolder, runTool, toolPath } from './tool.ts';

const launcher = '@modelcontextprotocol/inspector/clients/launcher/build/index.js';

/** What only the answers of 2026-07-28 carry. */
const modernMark = 'io.modelcontextprotocol/serverInfo';

type Called = { structuredContent?: { items?: unknown[] }; _meta?: Record<string, unknown> };

/** One run of the command line per call, as a script would; what it learns it keeps in `folder`. */
async function createInspector(pharlo: Harness, era: 'legacy' | 'modern', folder: string) {
  const callback = `http://127.0.0.1:${await freePort()}/oauth/callback`;
  const fixed = ['--cli', `${pharlo.url}/_mcp`, '--transport', 'http', '--protocol-era', era, '--format', 'json'];
  const run = async (...args: string[]) => {
    const all = [toolPath(launcher), ...fixed, '--callback-url', callback, ...args];
    const own = { MCP_STORAGE_DIR: folder, MCP_INSPECTOR_SECRET_STORE: 'file', MCP_AUTO_OPEN_ENABLED: 'true' };
    const { code, stdout, stderr, links } = await runTool(pharlo, all, {
      cwd: folder,
      env: { ...environment(folder), ...own },
    });
    assert.equal(code, 0, stderr);
    return { result: (JSON.parse(stdout) as { result: object }).result, asked: links.length };
  };
  return {
    tools: () => run('--method', 'tools/list', '--strict'),
    async platforms() {
      const args = ['--method', 'tools/call', '--tool-name', 'list_platforms', '--tool-args-json', '{}'];
      const { result, asked } = await run(...args);
      const { structuredContent, _meta = {} } = result as Called;
      assert.ok(structuredContent?.items?.length);
      assert.equal(modernMark in _meta, era === 'modern');
      return asked;
    },
  };
}

for (const era of ['legacy', 'modern'] as const) {
  test(`inspector --cli, ${era} era: consent, calls, a refresh by itself, consent again after a revocation`, async () => {
    await using pharlo = await startHarness();
    await using folder = await privateFolder();
    const inspector = await createInspector(pharlo, era, folder.path);
    const { result, asked } = await inspector.tools();
    assert.ok((result as { tools: unknown[] }).tools.length > 0);
    assert.equal(asked, 1, 'it asks its person once');
    assert.equal(await inspector.platforms(), 0, 'and keeps the tokens');
    assert.deepEqual(await auditOf(pharlo), ['oauth.grant ok', 'oauth.exchange ok']);

    await pharlo.advance(3_601_000);
    assert.equal(await inspector.platforms(), 0);
    assert.deepEqual((await auditOf(pharlo)).slice(2), ['oauth.refresh ok']);

    await revokeGrants(pharlo);
    assert.equal(await inspector.platforms(), 1, 'it asks its person again');
    assert.deepEqual((await auditOf(pharlo)).slice(3), ['oauth.grant ok', 'oauth.exchange ok']);
  });
}
