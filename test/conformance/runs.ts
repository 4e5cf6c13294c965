import type { Harness } from '../harness.ts';
import { getToken } from '../mcp-client.ts';
import { runAuthorization } from './authorization.ts';
import { startProxy } from './proxy.ts';
import { type Results, runTool } from './tool.ts';

/** Everything both versions of the tool ask of the product, by the name of the run. */
export async function runAll(pharlo: Harness, signal: AbortSignal): Promise<Record<string, Results>> {
  await using proxy = await startProxy(pharlo.url, await getToken(pharlo));
  const server = ['server', '--url', `${proxy.origin}/_mcp`];
  const required = (revision: string) => runTool('0.2.0-alpha.12', [...server, '--requirements', revision], { signal });
  return {
    'MCP 2026-07-28': await required('2026-07-28'),
    'MCP 2025-11-25': await required('2025-11-25'),
    'MCP 2025-11-25, release 0.1.16': await runTool('0.1.16', [...server, '--suite', 'all'], { signal }),
    'Authorization server': await runAuthorization(pharlo, signal),
  };
}
