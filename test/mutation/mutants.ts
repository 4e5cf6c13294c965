import { readFile, writeFile } from 'node:fs/promises';
import { createRequire } from 'node:module';
import { join } from 'node:path';
import { pathToFileURL } from 'node:url';

/** One planted fault. Everything but `id` says which one it is, also after lines have moved. */
export type Mutant = {
  id: string;
  file: string;
  mutator: string;
  original: string;
  replacement: string;
  /** The line it begins in, trimmed. */
  line: string;
  lineNumber: number;
};

/** A mutant that no test can tell from the source, with the reason. */
export type Equivalent = Omit<Mutant, 'id' | 'lineNumber'> & { reason: string };

type Position = { line: number; column: number };
type Planted = {
  id: string;
  fileName: string;
  mutatorName: string;
  replacement: string;
  location: { start: Position; end: Position };
};
type SourceText = { name: string; mutate: boolean; content: string };
type Options = { plugins: null; ignorers: object[]; excludedMutations: string[] };
type Instrumenter = {
  instrument(files: SourceText[], options: Options): Promise<{ files: SourceText[]; mutants: Planted[] }>;
};

/** Rewrites the files in the tree so that each carries all its mutants, and tells them. `tools` is where Stryker's instrumenter is installed. */
export async function plant(tools: string, tree: string, files: readonly string[]): Promise<Mutant[]> {
  const entry = createRequire(join(tools, 'package.json')).resolve('@stryker-mutator/instrumenter');
  const { Instrumenter } = (await import(pathToFileURL(entry).href)) as {
    Instrumenter: new (log: object) => Instrumenter;
  };
  const log = { isDebugEnabled: () => false, debug() {}, info() {}, warn() {} };
  const texts = await Promise.all(
    files.map(async (name) => ({ name, mutate: true, content: await readFile(join(tree, name), 'utf8') })),
  );
  const everything = { plugins: null, ignorers: [], excludedMutations: [] } satisfies Options;
  const planted = await new Instrumenter(log).instrument(texts, everything);
  for (const { name, content } of planted.files) await writeFile(join(tree, name), content);
  const sources = new Map(texts.map(({ name, content }) => [name, content.split('\n')]));
  return planted.mutants.map((mutant) => tell(mutant, sources.get(mutant.fileName) ?? []));
}

function tell({ id, fileName, mutatorName, replacement, location }: Planted, lines: readonly string[]): Mutant {
  const { start, end } = location;
  const original = lines
    .slice(start.line, end.line + 1)
    .map((line, n) => line.slice(n === 0 ? start.column : 0, start.line + n === end.line ? end.column : undefined))
    .join('\n');
  const line = (lines[start.line] ?? '').trim();
  return { id, file: fileName, mutator: mutatorName, original, replacement, line, lineNumber: start.line + 1 };
}

/** What a mutant is known by across versions of its file. */
export function keyOf({ file, mutator, original, replacement, line }: Omit<Mutant, 'id' | 'lineNumber'>): string {
  return JSON.stringify([file, mutator, original, replacement, line]);
}

/** Why a mutant is not measured, if so: only wording of style, never logic. */
export function excluded({ file, mutator }: Mutant): string | undefined {
  if (file === 'src/oauth/style.ts' && mutator === 'StringLiteral') return 'the text of the stylesheet';
  return undefined;
}
