import { cp, glob, mkdir, readFile, rm, writeFile } from 'node:fs/promises';
import { stripTypeScriptTypes } from 'node:module';
import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';

/** A relative specifier that ends in .ts, where static and dynamic imports and `new URL` name a module. */
const RELATIVE_SOURCE = /(\bfrom\s*|\bimport\s*\(?\s*|\bnew URL\(\s*)(['"])(\.{1,2}\/[^'"\n]*)\.ts\2/g;

/** Turns one source file into what Node runs under node_modules: types blanked, so that lines and columns stay. */
function toJavaScript(source: string): string {
  return stripTypeScriptTypes(source).replace(RELATIVE_SOURCE, '$1$2$3.js$2');
}

/** Writes `target` anew from `source`: modules as JavaScript, assets as they are, tests left out. */
async function build(source: string, target: string): Promise<void> {
  await rm(target, { recursive: true, force: true });
  for await (const entry of glob('**/*', { cwd: source, withFileTypes: true })) {
    if (!entry.isFile() || entry.name.endsWith('.test.ts')) continue;
    const from = join(entry.parentPath, entry.name);
    const to = join(target, from.slice(source.length));
    await mkdir(dirname(to), { recursive: true });
    if (!entry.name.endsWith('.ts')) await cp(from, to);
    else await writeFile(to.replace(/\.ts$/, '.js'), toJavaScript(await readFile(from, 'utf8')));
  }
}

const root = fileURLToPath(new URL('..', import.meta.url));
await build(join(root, 'src'), join(root, 'dist'));
