import { html } from 'hono/html';
import type { Operation, RestFace } from '../operation.ts';
import { takesBody } from './error-catalog.ts';
import { exampleOf } from './examples.ts';
import { type JsonSchema, schemasOf } from './schemas.ts';

type Html = ReturnType<typeof html>;

/** The form that makes a call, filled in as far as can be foreseen; api-doc-client.js shows and sends it. */
export function tryForm(op: Operation, face: RestFace<unknown>, publicUrl: string): Html {
  const { properties = {}, required = [] } = schemasOf(op).input as Input;
  const inPath = [...face.path.matchAll(/\{(\w+)\}/g)].map(([, name]) => name ?? '');
  const others = Object.entries(properties).filter(([name]) => !inPath.includes(name));
  const hasBody = takesBody(face) && others.length > 0;
  const body = hasBody ? bodyText(Object.fromEntries(others), required) : undefined;
  const inputs = [
    ...inPath.map((name) => input(op, 'path', name, properties[name] ?? {}, true)),
    ...(takesBody(face)
      ? []
      : others.map(([name, schema]) => input(op, 'query', name, schema, required.includes(name)))),
  ];
  const id = `${op.name}-body`;
  return html`<h4>With curl</h4>
<pre class="example" aria-label="The call with curl" role="group">${curl(face, publicUrl, properties, body)}</pre>
<form class="try" hidden data-method="${face.method}" data-path="${face.path}" aria-label="Try ${op.title}">
<h4>Try it</h4>
${inputs}
${body === undefined ? '' : html`<div class="field"><label for="${id}">Body</label><textarea id="${id}" name="body" rows="${body.split('\n').length + 1}" spellcheck="false" autocapitalize="none">${body}</textarea></div>`}
${op.access === 'session' ? html`<p class="soft">This takes the token of a person who is logged in; a key is refused.</p>` : ''}
${op.hints.readOnly ? '' : html`<p class="soft">This is a real call${properties.dryRun ? ', unless dryRun is true' : ''}.</p>`}
<div class="actions"><button class="primary">Send</button></div>
<div class="result" role="status"></div>
</form>`;
}

type Input = { properties?: Record<string, JsonSchema>; required?: string[] };

function input(op: Operation, place: 'path' | 'query', name: string, schema: JsonSchema, required: boolean): Html {
  const id = `${op.name}-${name}`;
  const choices = (schema.enum as string[] | undefined) ?? (schema.type === 'boolean' ? ['true', 'false'] : undefined);
  const label = html`<label for="${id}">${name}${required ? '' : html` <span class="soft">(optional)</span>`}</label>`;
  if (choices) {
    return html`<div class="field">${label}<select id="${id}" name="${name}" data-in="${place}"><option value=""></option>${choices.map((choice) => html`<option>${choice}</option>`)}</select></div>`;
  }
  const example = String(exampleOf(schema, name));
  // Nobody's ids are foreseen; a word such as a platform's is.
  const value = required && schema.format === undefined ? example : '';
  const hint = schema.format === 'date-time' || schema.format === 'uuid' ? example : '';
  return html`<div class="field">${label}<input id="${id}" name="${name}" data-in="${place}" type="text" value="${value}" placeholder="${hint}" autocomplete="off" autocapitalize="none" spellcheck="false"${required ? html` aria-required="true"` : ''}></div>`;
}

/** What is required and what is telling; a call that can be tried without effect is. */
function bodyText(properties: Record<string, JsonSchema>, required: string[]): string {
  const needed = required.filter((name) => Object.hasOwn(properties, name));
  const example = exampleOf({ type: 'object', properties, required: needed }) as object;
  return JSON.stringify({ ...example, ...(properties.dryRun && { dryRun: true }) }, null, 2);
}

function curl(
  { method, path }: RestFace<unknown>,
  publicUrl: string,
  properties: Record<string, JsonSchema>,
  body: string | undefined,
): string {
  const filled = path.replace(/\{(\w+)\}/g, (_, name: string) => String(exampleOf(properties[name] ?? {}, name)));
  return [
    `curl ${method === 'GET' ? '' : `-X ${method} `}${publicUrl}/api/v1${filled}`,
    '-H "Authorization: Bearer $PHARLO_KEY"',
    ...(body === undefined ? [] : ["-H 'Content-Type: application/json'", `-d '${body}'`]),
  ].join(' \\\n  ');
}
