import { readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';

/** Why an assignment fails or waits: a code of `errors[]` or of `waiting.reason`, with its sentence. */
export type FailureCode = { code: string; meaning: string; platform?: string };

const literal = `(?:'[^'\\n]*'|"[^"\\n]*"|\`[^\`]*\`)`;
const sentence = `${literal}(?:\\s*\\+\\s*${literal})*`;

/** A code, by itself or by its constant, with its sentence or the local name of that beside it. */
const told = new RegExp(
  `('[a-z]+(?:_[a-z]+)*'|\\b\\w+),\\s*(?=(?:message:\\s*)?(${sentence}|\\b(?:text|message)\\b))`,
  'g',
);
const codeConstant = /\bconst (\w+) = '([a-z]+(?:_[a-z]+)+)';/g;
const sentenceConstant = new RegExp(`\\bconst (text|message) =\\s*(${sentence})`, 'g');

/**
 * Reads the codes out of the connectors and the jobs, where each stands once, beside the sentence a client is told.
 * A connector is known by its folder; what all share has no platform.
 */
export function collectFailureCodes(root: string): FailureCode[] {
  const texts = sources(root).map((path) => ({ path, text: readFileSync(join(root, path), 'utf8') }));
  const constants = new Map(texts.flatMap(({ text }) => [...text.matchAll(codeConstant)].map(([, n, v]) => [n, v])));
  const found = new Map<string, FailureCode>();
  for (const { path, text } of texts) {
    const [, platform] = /^platforms\/(\w+)\//.exec(path) ?? [];
    for (const { code, meaning } of codesIn(text, constants)) {
      const key = `${code} ${platform ?? ''}`;
      if (!found.has(key)) found.set(key, { code, meaning, ...(platform && { platform }) });
    }
  }
  return [...found].sort(([a], [b]) => (a < b ? -1 : 1)).map(([, one]) => one);
}

function sources(root: string): string[] {
  const all = readdirSync(root, { recursive: true, encoding: 'utf8' }).map((path) => path.replaceAll('\\', '/'));
  return all.filter((path) => /^(?:(?:jobs|platforms)\/.*|tokens|media)\.ts$/.test(path)).sort();
}

type Constants = ReadonlyMap<string | undefined, string | undefined>;

export function codesIn(text: string, constants: Constants = new Map()): FailureCode[] {
  const sentences = [...text.matchAll(sentenceConstant)];
  return [...text.matchAll(told)].flatMap(({ 1: name = '', 2: words = '', index }) => {
    const code = name.startsWith("'") ? name.slice(1, -1) : constants.get(name);
    const before = sentences.filter((one) => one[1] === words && one.index < index).at(-1)?.[2];
    const meaning = plain(before ?? words);
    return code && /^[A-Z].* .*\.$/.test(meaning) ? [{ code, meaning }] : [];
  });
}

function plain(words: string): string {
  const parts = [...words.matchAll(new RegExp(literal, 'g'))].map(([part]) => part.slice(1, -1));
  return parts.join('').replace(/\$\{[^}]*\}/g, '…');
}
