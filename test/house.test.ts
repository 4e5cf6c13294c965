import assert from 'node:assert/strict';
import { readdirSync } from 'node:fs';
import { join } from 'node:path';
import { test } from 'node:test';
import { operations } from '../src/operations/index.ts';
import { createPlatforms } from '../src/platforms/index.ts';
import {
  forwardedTexts,
  importViolations,
  type Law,
  lawViolations,
  type RoomRule,
  readSources,
  repeated,
  source,
} from './house.ts';

const rooms: Record<string, RoomRule> = {
  // Words and rules.
  domain: { may: '' },
  'settings.ts': { may: 'domain' },
  'runtime.ts': { may: '' },
  'http.ts': { may: '', types: 'domain' },
  'log.ts': { may: '' },
  'vault.ts': { may: 'domain' },
  'secret-key.ts': { may: '', types: 'domain' },
  'config.ts': { may: 'domain net' },
  // What touches the world.
  net: { may: '' },
  store: { may: 'domain' },
  platforms: { may: 'domain', types: 'config.ts' },
  sandbox: { may: '' },
  'serve.ts': { may: '' },
  // What happens.
  'deps.ts': { may: '', types: 'config.ts domain log.ts net platforms store vault.ts' },
  'tokens.ts': { may: 'domain store platforms', types: 'deps.ts' },
  'media.ts': { may: 'domain net platforms', types: 'deps.ts' },
  'callback.ts': { may: 'net platforms store', types: 'config.ts deps.ts domain' },
  'connect.ts': { may: 'domain store platforms tokens.ts', types: 'deps.ts' },
  'watch.ts': { may: 'domain store', types: 'deps.ts' },
  'once.ts': { may: 'domain store', types: 'deps.ts' },
  'allowance.ts': { may: 'domain store', types: 'deps.ts' },
  'operation.ts': { may: 'domain store', types: 'deps.ts' },
  jobs: { may: 'domain store platforms callback.ts media.ts tokens.ts', types: 'deps.ts' },
  operations: { may: 'domain store platforms callback.ts media.ts tokens.ts operation.ts', types: 'deps.ts' },
  // Who gets in, and by which door.
  oauth: { may: 'domain store http.ts vault.ts', types: 'deps.ts net' },
  surfaces: {
    may: 'domain operation.ts operations oauth allowance.ts connect.ts watch.ts once.ts http.ts',
    types: 'deps.ts config.ts log.ts',
  },
  commands: {
    may: 'callback.ts domain net platforms runtime.ts secret-key.ts store tokens.ts vault.ts',
    types: 'config.ts',
  },
  // The only places where the parts meet.
  'app.ts': {
    may: 'commands config.ts deps.ts domain http.ts jobs log.ts net oauth platforms sandbox secret-key.ts store surfaces vault.ts',
  },
  'main.ts': { may: 'app.ts commands config.ts runtime.ts serve.ts store' },
};

const platforms = createPlatforms({ settings: () => ({}), realFetch: () => fetch });
const slugs = [...platforms.connectors, ...platforms.planned].map(({ slug }) => slug);
const slug = `['"](?:${slugs.join('|')})['"]`;

const laws: readonly Law[] = [
  {
    name: 'the process belongs to main.ts, what the embedded store must know of the machine excepted',
    never: /\bprocess\.\w|from 'node:process'/,
    except: ['main.ts', 'store/embedded'],
  },
  {
    name: 'the embedded store knows the machine, not the environment, arguments or streams',
    never:
      /\bprocess\.(env|argv|exit|std|cwd|on\b)|import \{[^}]*\b(env|argv|exit|std\w+|cwd)\b[^}]*\} from 'node:process'/,
    except: ['main.ts'],
  },
  { name: 'the clock is injected', never: /\bDate\.now\b|\bnew Date\(\)/, except: ['app.ts'] },
  {
    name: 'randomness is injected',
    never: /\bMath\.random\b|\brandom(Bytes|UUID|Int|Fill)\b|\bgetRandomValues\b/,
    except: ['app.ts'],
  },
  {
    name: 'fetch is handed over; serve.ts calls the one it was given',
    never: /(?<![.\w])fetch\((?!\w+\??:)|\bglobalThis\b/,
    except: ['app.ts', 'serve.ts'],
  },
  { name: 'nothing writes to the console', never: /\bconsole\./ },
  {
    name: 'no platform is compared by name outside platforms/',
    never: new RegExp(`[=!]==?\\s*${slug}|${slug}\\s*[=!]==?|\\bcase ${slug}|includes\\(${slug}`),
    except: ['platforms', 'sandbox'],
  },
  {
    name: 'SQL takes the time from pharlo_now(), which tests can move',
    never: /(?<![.\w])now\(\)|\b(clock|statement|transaction)_timestamp\b|\b(current|local)_(timestamp|time|date)\b/i,
    only: ['store'],
  },
];

const files = readSources('src');

/** Known holes in the plan; the list may only shrink. */
const holes: string[] = [];

test('every room imports what the plan allows', () => {
  assert.deepEqual(importViolations(files, rooms), holes);
});

test('the plan has no line without a room', () => {
  const present = new Set(readdirSync(join(import.meta.dirname, '../src')));
  assert.deepEqual(
    Object.keys(rooms).filter((room) => !present.has(room)),
    [],
  );
});

for (const law of laws) {
  test(law.name, () => assert.deepEqual(lawViolations(files, law), []));
}

test('no error from elsewhere lends its text to an answer', () => {
  const answering = files.filter(({ path }) => /^(surfaces|operations|oauth|jobs)\//.test(path));
  assert.deepEqual(forwardedTexts(answering), []);
});

test('no file is longer than 400 lines', () => {
  const long = ['src', 'test', 'demo', 'scripts', 'bench'].flatMap((folder) =>
    (readdirSync(join(import.meta.dirname, '..')).includes(folder) ? readSources(folder) : [])
      .filter(({ text }) => text.trimEnd().split('\n').length > 400)
      .map(({ path }) => `${folder}/${path}`),
  );
  assert.deepEqual(long, []);
});

test('names of statements are unique, so that no two share a plan', () => {
  const store = files.filter(({ path }) => path.startsWith('store/') && path !== 'store/db.ts');
  const code = store.map((file) => file.code).join('\n');
  const names = [...code.matchAll(/\bnamed<[\s\S]*?>\(\s*'([^']+)'/g)].map(([, name]) => name);
  assert.equal(names.length, [...code.matchAll(/\bnamed</g)].length, 'every statement is seen');
  assert.deepEqual(repeated(names), []);
});

test('migrations are numbered without gap', () => {
  const names = readdirSync(join(import.meta.dirname, '../migrations')).sort();
  const numbers = names.map((name) => /^(\d{4})_[a-z0-9_]+\.sql$/.exec(name)?.[1]);
  assert.deepEqual(
    numbers,
    names.map((_, index) => String(index + 1).padStart(4, '0')),
  );
});

test('every capability a file exports is in the registry, once', async () => {
  const exported: string[] = [];
  for (const { path } of files.filter((file) => /^operations\/(?!index\.)/.test(file.path))) {
    const module: Record<string, unknown> = await import(`../src/${path}`);
    for (const value of Object.values(module)) {
      if (typeof value === 'object' && value !== null && 'access' in value && 'kind' in value && 'name' in value) {
        exported.push(String(value.name));
      }
    }
  }
  assert.deepEqual(exported.sort(), operations.map(({ name }) => name).sort());
});

test('names and routes of capabilities are unique and read as verb_noun', () => {
  assert.deepEqual(repeated(operations.map(({ name }) => name)), []);
  const routes = operations.flatMap(({ rest }) =>
    rest ? [`${rest.method} ${rest.path.replace(/\{\w+\}/g, '{}')}`] : [],
  );
  assert.deepEqual(repeated(routes), []);
  for (const { name, title, description, rest, mcp } of operations) {
    assert.match(name, /^[a-z]+(_[a-z0-9]+)+$/);
    assert.ok(name.length <= 64, name);
    assert.ok(title.trim() && description.trim(), name);
    assert.ok(rest || mcp, `${name} has a face`);
  }
});

test('the checks themselves find what is wrong', () => {
  const plan: Record<string, RoomRule> = { domain: { may: '' }, store: { may: 'domain', types: 'deps.ts' } };
  const check = (path: string, text: string) => importViolations([source(path, text)], plan);
  assert.deepEqual(check('domain/a.ts', "import { b } from '../store/b.ts';"), ['domain/a.ts imports store/b.ts']);
  assert.deepEqual(check('domain/a.ts', "export * from '../store/b.ts';"), ['domain/a.ts imports store/b.ts']);
  assert.deepEqual(check('domain/a.ts', "await import('../store/b.ts');"), ['domain/a.ts imports store/b.ts']);
  assert.deepEqual(check('domain/a.ts', "import '../store/b.ts';"), ['domain/a.ts imports store/b.ts']);
  assert.deepEqual(check('store/x/a.ts', "import { b } from '../../deps.ts';"), ['store/x/a.ts imports deps.ts']);
  assert.deepEqual(check('store/a.ts', "import { b, type C } from '../deps.ts';"), ['store/a.ts imports deps.ts']);
  assert.deepEqual(check('attic/a.ts', ''), ['attic/a.ts: attic has no line in the plan of rooms']);
  const allowed =
    "import { type A, type B } from '../deps.ts';\nimport {\n  c,\n} from '../domain/c.ts';\n// import '../app.ts'";
  assert.deepEqual(check('store/a.ts', allowed), []);

  const broken = [
    'process.exit(1);',
    "import { env } from 'node:process';",
    'const at = Date.now();',
    'Math.random();',
    'await fetch(url);',
    'console.log(1);',
    `if (platform === '${slugs[0]}') stop();`,
    'where due_at < now()',
  ].map((line) => source('store/a.ts', line));
  for (const law of laws) assert.equal(lawViolations(broken, law).length > 0, true, law.name);
  assert.deepEqual(lawViolations([source('a.ts', '// process.exit(1)')], { name: '', never: /process\./ }), []);

  const caught = (body: string) => forwardedTexts([source('surfaces/a.ts', `try { a(); } catch (error) { ${body} }`)]);
  assert.equal(caught('return error.message;').length, 1);
  assert.equal(caught('if (error instanceof Error) { return error.message; }').length, 1);
  assert.equal(caught('if (error instanceof DomainError) return error.message; throw error;').length, 0);
  assert.deepEqual(repeated(['a', 'b', 'a']), ['a']);
});
