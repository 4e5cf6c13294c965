import { Hono } from 'hono';
import { html } from 'hono/html';
import type { Deps } from '../deps.ts';
import type { HttpEnv } from '../http.ts';
import { page } from '../oauth/pages.ts';

/** What somebody sees who opens the server's address. */
export function homeRoutes(deps: Deps): Hono<HttpEnv> {
  const { publicUrl, sandboxUrl } = deps.config;
  const app = new Hono<HttpEnv>();
  app.get('/', (c) => {
    const body = html`<h1>Pharlo is running</h1>
<p>Give your agent this MCP address. It opens a page here that asks for your key; <code>pharlo keys create</code> makes one.</p>
<p class="address">${publicUrl}/_mcp</p>
<dl>
<div><dt>REST API</dt><dd>${publicUrl}/api/v1</dd></div>
<div><dt>API reference</dt><dd><a href="/api/doc">/api/doc</a></dd></div>
${sandboxUrl ? html`<div><dt>Sandbox networks</dt><dd><a href="${sandboxUrl}">${sandboxUrl}</a></dd></div>` : ''}
</dl>`;
    return page(c, { status: 200, title: 'Welcome', body });
  });
  return app;
}
