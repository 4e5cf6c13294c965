import { html } from 'hono/html';
import type { Config } from '../config.ts';
import { errorCodes } from '../domain/error-codes.ts';
import { atRest, type Operation, type RestFace } from '../operation.ts';
import { tryForm } from './api-doc-form.ts';
import { codes, errorsOf, statusOf } from './error-catalog.ts';
import { exampleOf } from './examples.ts';
import { tagOf } from './openapi.ts';
import { type Member, membersOf } from './schema-words.ts';
import { schemasOf } from './schemas.ts';
import { creditsOf } from './tool-catalog.ts';

type Html = ReturnType<typeof html>;

/** The API reference: every call of the registry, closed until somebody opens it. */
export function apiDocPage({ publicUrl }: Config, operations: readonly Operation[]): Html {
  const calls = operations.map(atRest).flatMap((op) => (op.rest ? [{ op, face: op.rest }] : []));
  const nouns = [...new Set(calls.map(({ face }) => tagOf(face)))];
  return html`<!doctype html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<title>API reference – Pharlo</title>
<link rel="stylesheet" href="/api/doc.css">
<script src="/api/doc.js" defer></script>
</head>
<body class="reference">
<header><a class="skip" href="#calls">Skip to the calls</a><a class="home" href="/">Pharlo</a></header>
<main>
<h1>API reference</h1>
<p>Everything below is at <code>${publicUrl}/api/v1</code> and takes a key: <code>Authorization: Bearer ds_live_…</code>.
For programs: <a href="/api/doc.json">OpenAPI</a>, <a href="/mcp-tools.json">MCP tools</a>, <a href="/errors.json">errors</a>.</p>
<form class="panel" id="who" hidden>
<div class="field"><label for="key">Your key</label>
<input id="key" type="password" autocomplete="off" autocapitalize="none" spellcheck="false" aria-describedby="key-note" placeholder="ds_live_…">
<p class="soft" id="key-note">Used for the calls you try here. It stays in this page and is forgotten when you leave.</p></div>
<div class="field"><label for="organization">Organization <span class="soft">(optional)</span></label>
<input id="organization" type="text" autocomplete="off" spellcheck="false" placeholder="Id; narrows every call to it"></div>
<div class="field"><label for="find">Find a call</label>
<input id="find" type="search" autocomplete="off" spellcheck="false" placeholder="Word, path or name" aria-describedby="found">
<p class="soft" id="found" role="status">${calls.length} calls</p></div>
</form>
<div id="calls" tabindex="-1">
${nouns.map((noun) =>
  group(
    noun,
    calls.filter(({ face }) => tagOf(face) === noun),
    publicUrl,
  ),
)}
</div>
<section aria-labelledby="errors">
<h2 id="errors">Errors</h2>
<p>An error is <code>{"error": {"code", "message", "details"?}}</code>. A failed call costs nothing.</p>
<dl class="errors">${codes().map(
    (code) => html`
<div id="error-${code}"><dt><code>${code}</code> ${statusOf(code)}</dt><dd>${errorCodes[code].meaning} <span class="soft">${errorCodes[code].next}</span></dd></div>`,
  )}
</dl>
</section>
</main>
</body>
</html>`;
}

type Call = { op: Operation; face: RestFace<unknown> };

const spelled: Record<string, string> = { oauth: 'OAuth' };

function group(noun: string, calls: Call[], publicUrl: string): Html {
  const id = `noun-${noun}`;
  return html`<section class="noun" aria-labelledby="${id}"><h2 id="${id}">${spelled[noun] ?? noun.charAt(0).toUpperCase() + noun.slice(1)}</h2>
${calls.map((call) => callBlock(call, publicUrl))}</section>`;
}

function callBlock({ op, face }: Call, publicUrl: string): Html {
  const credits = creditsOf(op);
  const words = [op.name, op.title, face.method, face.path].join(' ').toLowerCase();
  const { input } = schemasOf(op);
  return html`
<details class="call" id="${op.name}" data-words="${words}">
<summary><span class="method ${face.method.toLowerCase()}">${face.method}</span><span class="path">${breakable(face.path)}</span><h3>${op.title}</h3></summary>
<div class="inside">
<p>${op.description}</p>
<dl>
<div><dt>Needs</dt><dd>${needs(op)}</dd></div>
<div><dt>Costs</dt><dd>${price(credits.rest)}${op.mcp ? html`; ${price(credits.mcp)} as a tool` : ''}</dd></div>
${op.mcp ? html`<div><dt>MCP tool</dt><dd><code>${op.name}</code></dd></div>` : ''}
</dl>
${input.properties && Object.keys(input.properties).length > 0 ? html`<h4>Takes</h4>${memberList(membersOf(input), taken(face.path))}` : ''}
<h4>Answers ${face.status}</h4>
${answer(op, face)}
<h4>Errors</h4>
<p class="codes">${errorsOf(op).map((code) => html`<a href="#error-${code}">${code}</a> `)}</p>
${tryForm(op, face, publicUrl)}
</div>
</details>`;
}

function needs({ access }: Operation): Html {
  if (access === 'key') return html`a ds_live_ key`;
  if (access === 'full_key') return html`a ds_live_ key with every scope`;
  if (access === 'session') return html`a person who is logged in`;
  return html`<code>${access}</code>`;
}

function price(credits: number): string {
  return credits === 0 ? 'nothing' : `${credits} ${credits === 1 ? 'credit' : 'credits'}`;
}

function answer(op: Operation, face: RestFace<unknown>): Html {
  if (face.status === 204) return html`<p>No body.</p>`;
  const { output } = schemasOf(op);
  return html`<pre class="example" aria-label="Example of an answer" role="group">${JSON.stringify(exampleOf(output), null, 2)}</pre>
<details class="more"><summary>All members</summary>${memberList(membersOf(output), answered)}</details>`;
}

/** What is said of a member beside its type. */
type Mark = (member: Member) => string;

const taken =
  (path: string): Mark =>
  ({ name, required }) =>
    [...(path.includes(`{${name}}`) ? ['in the path'] : []), ...(required ? ['required'] : [])].join(', ');

const answered: Mark = ({ required }) => (required ? '' : 'can be absent');

function memberList(members: Member[], mark: Mark): Html {
  return html`<ul class="members">${members.map((member) => {
    const { name, type, description, members: inner } = member;
    const marked = mark(member);
    return html`
<li><code>${name}</code> <span class="soft">${type}</span>${marked ? html` <strong>${marked}</strong>` : ''}
${description ? html`<p>${description}</p>` : ''}${inner.length > 0 ? memberList(inner, mark) : ''}</li>`;
  })}</ul>`;
}

/** A long path may break behind a slash. */
function breakable(path: string): Html {
  const parts = path.slice(1).split('/');
  return html`${parts.map((part) => html`<wbr>/${part}`)}`;
}
