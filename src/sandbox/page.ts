import { html } from 'hono/html';
import type { HtmlEscapedString } from 'hono/utils/html';

export type Html = HtmlEscapedString | Promise<HtmlEscapedString>;

export const stylesheetPath = '/sandbox.css';

/** The frame of every sandbox page; says on each of them that this is no real network. */
export function page(options: { title: string; notice: string; wide?: boolean; body: Html }): Html {
  return html`<!doctype html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<meta name="color-scheme" content="light dark">
<meta name="robots" content="noindex">
<title>${options.title}</title>
<link rel="stylesheet" href="${stylesheetPath}">
</head>
<body>
<header class="notice"><p><strong>${options.notice}</strong> <span>Made by Pharlo for trying things out.</span></p></header>
<main class="${options.wide ? 'wide' : 'narrow'}">
${options.body}
</main>
</body>
</html>`;
}
