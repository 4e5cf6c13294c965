import { Hono } from 'hono';
import type { Config } from '../config.ts';
import type { HttpEnv } from '../http.ts';
import type { Operation } from '../operation.ts';
import { apiDocRoutes, onFirstUse } from './api-doc.ts';
import { errorCatalog } from './error-catalog.ts';
import { openApi } from './openapi.ts';
import { toolCatalog } from './tool-catalog.ts';

/** What tells about the API: the reference for people, its documents for programs and agents. Open to all. */
export function documentRoutes(config: Config, operations: readonly Operation[]): Hono<HttpEnv> {
  const app = new Hono<HttpEnv>();
  const documents = {
    '/api/doc.json': () => openApi(config, operations),
    '/errors.json': errorCatalog,
    '/mcp-tools.json': () => toolCatalog(operations),
  };
  for (const [path, describe] of Object.entries(documents)) {
    const text = onFirstUse(() => JSON.stringify(describe()));
    app.get(path, (c) => c.body(text(), 200, { 'Content-Type': 'application/json' }));
  }
  const pointers = llmsText(config);
  app.get('/llms.txt', (c) => c.text(pointers));
  app.route('/', apiDocRoutes(config, operations));
  return app;
}

/** Where an agent that finds this server goes on (llmstxt.org). */
function llmsText({ publicUrl }: Config): string {
  return `# Pharlo

> Publishes, schedules and tracks social-media content for people, programs and AI agents.

- [MCP server](${publicUrl}/_mcp): remote MCP, OAuth; the way in for agents
- [MCP tools](${publicUrl}/mcp-tools.json): every tool with scope, price and schemas
- [OpenAPI](${publicUrl}/api/doc.json): the REST API at ${publicUrl}/api/v1
- [API reference](${publicUrl}/api/doc): the same for people
- [Errors](${publicUrl}/errors.json): every code, its meaning and what to do then
`;
}
