import { readdirSync, readFileSync } from 'node:fs';
import { join, posix } from 'node:path';

/** One file of the repository: its path below `src` or `test`, and its text without comments. */
export type SourceFile = { path: string; text: string; code: string };

/** Every TypeScript file below a folder of the repository, paths relative to that folder. */
export function readSources(folder: string): SourceFile[] {
  const root = join(import.meta.dirname, '..', folder);
  return readdirSync(root, { recursive: true, encoding: 'utf8' })
    .filter((path) => path.endsWith('.ts'))
    .map((path) => source(path.replaceAll('\\', '/'), readFileSync(join(root, path), 'utf8')));
}

export function source(path: string, text: string): SourceFile {
  return { path, text, code: text.replace(/\/\*[\s\S]*?\*\//g, '').replace(/(^|\s)\/\/.*$/gm, '$1') };
}

/** A room is a folder of `src` or a module that stands in it alone. */
export function roomOf(path: string): string {
  return path.split('/')[0] ?? path;
}

export type Import = { target: string; typeOnly: boolean };

const importStatement = /(?:^|\n)\s*(?:import|export)\s+(type\s+)?([^'";]*?)\s*from\s*'(\.[^']+)'/g;
const bareImport = /\bimport\s*\(?\s*'(\.[^']+)'/g;

/** What a file imports of ours, as paths below `src`. */
export function importsOf({ path, code }: SourceFile): Import[] {
  const resolve = (specifier: string) => posix.join(posix.dirname(path), specifier);
  const found: Import[] = [];
  for (const [, type, names = '', specifier = ''] of code.matchAll(importStatement)) {
    const listed = /^\{([\s\S]*)\}$/
      .exec(names.trim())?.[1]
      ?.split(',')
      .filter((name) => name.trim() !== '');
    const typeOnly = type !== undefined || listed?.every((name) => name.trim().startsWith('type ')) === true;
    found.push({ target: resolve(specifier), typeOnly });
  }
  for (const [, specifier = ''] of code.matchAll(bareImport)) {
    found.push({ target: resolve(specifier), typeOnly: false });
  }
  return found;
}

/** What one room may import of the others; `types` may be imported as types only. */
export type RoomRule = { may: string; types?: string };

/** Imports that the plan of rooms does not allow, and files of rooms it does not know. */
export function importViolations(files: readonly SourceFile[], rooms: Record<string, RoomRule>): string[] {
  return files.flatMap((file) => {
    const room = roomOf(file.path);
    const rule = rooms[room];
    if (!rule) return [`${file.path}: ${room} has no line in the plan of rooms`];
    const may = rule.may.split(' ');
    const types = rule.types?.split(' ') ?? [];
    return importsOf(file)
      .filter(({ target, typeOnly }) => {
        const other = roomOf(target);
        return other !== room && !may.includes(other) && !(typeOnly && types.includes(other));
      })
      .map(({ target }) => `${file.path} imports ${target}`);
  });
}

export type Law = {
  name: string;
  /** What must not be found in code (comments do not count). */
  never: RegExp;
  /** Files or folders of `src` that the law is for; without it, all. */
  only?: readonly string[];
  /** Files or folders of `src` where it may be. */
  except?: readonly string[];
};

/** Lines of code that break a law, as `path: line`. */
export function lawViolations(files: readonly SourceFile[], { never, only, except = [] }: Law): string[] {
  const within = (path: string, places: readonly string[]) =>
    places.some((place) => path === place || path.startsWith(`${place}/`));
  return files
    .filter(({ path }) => !within(path, except) && (!only || within(path, only)))
    .flatMap(({ path, code }) =>
      code.split('\n').flatMap((line) => (never.test(line) ? [`${path}: ${line.trim()}`] : [])),
    );
}

/** Values that occur more than once. */
export function repeated<T>(values: readonly T[]): T[] {
  return values.filter((value, index) => values.indexOf(value) !== index);
}

const caughtBlock = /catch \((\w+)\) \{/g;

/** Catch blocks that use the text of what they caught without having asked whose error it is. */
export function forwardedTexts(files: readonly SourceFile[]): string[] {
  return files.flatMap(({ path, code }) =>
    [...code.matchAll(caughtBlock)].flatMap((match) => {
      const name = match[1] ?? '';
      const block = blockFrom(code, match.index + match[0].length);
      const forwards = new RegExp(`\\b${name}\\.(message|stack|cause)\\b|String\\(${name}\\)|\\$\\{${name}\\}`).test(
        block,
      );
      const asked = new RegExp(`\\b${name} instanceof (?!Error\\b|TypeError\\b)\\w+`).test(block);
      return forwards && !asked ? [`${path}: catch (${name})`] : [];
    }),
  );
}

/** The text up to the brace that closes a block whose opening brace is just before `start`. */
function blockFrom(code: string, start: number): string {
  let depth = 1;
  let end = start;
  while (depth > 0 && end < code.length) {
    if (code[end] === '{') depth += 1;
    if (code[end] === '}') depth -= 1;
    end += 1;
  }
  return code.slice(start, end);
}
