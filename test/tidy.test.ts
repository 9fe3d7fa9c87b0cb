/** House rules that a program can check. */
import assert from 'node:assert/strict';
import { execFileSync } from 'node:child_process';
import { existsSync, readFileSync } from 'node:fs';
import { normalize } from 'node:path';
import { test } from 'node:test';
import { fileURLToPath } from 'node:url';

const root = fileURLToPath(new URL('..', import.meta.url));
const tracked = execFileSync('git', ['ls-files', '-co', '--exclude-standard'], {
  cwd: root,
  encoding: 'utf8',
})
  .split('\n')
  .filter((path) => path !== '' && existsSync(root + path));
const code = tracked.filter((path) => /\.(ts|mjs|js)$/.test(path));
const read = (path: string) => readFileSync(root + path, 'utf8');

/** Lines of `paths` that match `pattern`, as file and line number. */
function hits(paths: readonly string[], pattern: RegExp): string[] {
  return paths.flatMap((path) =>
    read(path)
      .split('\n')
      .flatMap((line, index) => (pattern.test(line) ? [`${path}:${index + 1}`] : [])),
  );
}

test('no file of src is longer than 350 lines, or 400 with a ruling invariant in its header', () => {
  const sources = code.filter((path) => path.startsWith('src/'));
  const linesMax = (text: string) =>
    /^[^*]*\/\*\*[^/]*\b([Oo]ne invariant rules it|Invariant:)/.test(text) ? 400 : 350;
  assert.deepEqual(
    sources.filter((path) => read(path).split('\n').length > linesMax(read(path)) + 1),
    [],
  );
});

test('no line of code is longer than 100 columns, except test titles and texts', () => {
  assert.deepEqual(hits(code, /^(?!.*https?:)(?!\s*(await t\.)?test\()(?!.*[`']).{101,}$/), []);
});

test('every assertion of src has a message: generating one from the source takes seconds', () => {
  const sources = code.filter((path) => path.startsWith('src/'));
  assert.deepEqual(hits(sources, /\bassert(\.\w+)?\([^'"`]*\);$/), []);
});

/** Words of a translated English. Each has a better term in the field. */
const DENIED = [
  /^\s*\/\*\* (What|Who|Whom|Whose|That|Where|How)\b/,
  /\b(somebody|someone|nobody|no one|who|whom|people)\b/i,
  /\b(so many|so long as|so long|so often|at the most|at the least)\b/i,
  /\b(of which|so that it may|what is the case|be had|besides?|thereof|whereof)\b/i,
  /\b(hears?|heard|(is|are|was|were) told)\b/i,
  /\b((comes?|came|becomes?|became) of|(taken|takes?) apart|taken up|lets? in|is there again)\b/i,
  /\b(for ever|by and by|ere|in force|for the sake of|by way of|begin of)\b/i,
  /\b(mend(s|ed)?|ails?|nowhere|anew|hitherto|once more|as yet|no more)\b/i,
];

test('texts use the terms of the field, and none of the deny-list', () => {
  // The changelog quotes the messages of earlier versions, and this file the list.
  const quoting = ['CHANGELOG.md', 'test/tidy.test.ts'];
  const texts = tracked.filter(
    (path) => /\.(ts|js|md|ya?ml|html|css|cfg|conf)$|file$/.test(path) && !quoting.includes(path),
  );
  assert.deepEqual(
    DENIED.flatMap((pattern) => hits(texts, pattern)),
    [],
  );
});

test('no deferred work, and no disabled test', () => {
  const marks = new RegExp(['TO' + 'DO', 'FIX' + 'ME', '\\b(test|it)\\.' + 'only\\('].join('|'));
  assert.deepEqual(hits(code, marks), []);
});

test('only one file imports uWebSockets.js, and one file kafkajs’s internals', () => {
  const sources = code.filter((path) => path.startsWith('src/'));
  assert.deepEqual(
    hits(sources, /['"`]uWebSockets\.js/).map((hit) => hit.split(':')[0]),
    ['src/worker/ingress/transport/uws.ts'],
  );
  const deep = hits(sources, /['"`]kafkajs\/src/).map((hit) => hit.split(':')[0]);
  assert.deepEqual(
    [...new Set(deep)],
    ['src/kafka/request-queue.ts', 'src/worker/producer/kafkajs.ts'],
  );
});

test('the primary does not import stages, and no stage imports the primary', () => {
  const primary = code.filter((path) => path.startsWith('src/primary/'));
  const worker = code.filter((path) => path.startsWith('src/worker/'));
  assert.deepEqual(hits(primary, /from '.*\/worker\//), []);
  assert.deepEqual(hits(worker, /from '.*\/primary\//), []);
});

/** Files of `paths` that each file imports, types included. */
function importsOf(paths: readonly string[]): Map<string, readonly string[]> {
  const known = new Set(paths);
  return new Map(
    paths.map((path) => {
      const texts = read(path).matchAll(/\bfrom '(\.[^']+)'|\bimport\('(\.[^']+)'\)/g);
      const targets = [...texts].map(([, named, dynamic]) =>
        normalize(`${path.slice(0, path.lastIndexOf('/'))}/${named ?? dynamic}`),
      );
      return [path, targets.filter((target) => known.has(target))];
    }),
  );
}

/** Files in an import cycle. */
function cyclic(imports: ReadonlyMap<string, readonly string[]>): string[] {
  const left = new Map(imports);
  // Files whose imports are all removed are in no cycle.
  for (let before = -1; before !== left.size; ) {
    before = left.size;
    for (const [path, targets] of left) {
      if (!targets.some((target) => left.has(target))) left.delete(path);
    }
  }
  return [...left.keys()];
}

test('no import cycles in src, bench or testing', () => {
  const imports = importsOf(code.filter((path) => /^(src|bench|testing)\//.test(path)));
  assert.ok([...imports.values()].flat().length > 500, 'imports were found');
  assert.deepEqual(cyclic(imports), []);
  assert.deepEqual(
    cyclic(
      new Map([
        ['a', ['b']],
        ['b', ['a']],
        ['c', []],
      ]),
    ),
    ['a', 'b'],
  );
});

test('every make target named in the documents exists', () => {
  const documents = tracked.filter((path) => path.endsWith('.md'));
  const named = documents.flatMap((path) =>
    [...read(path).matchAll(/`make ([a-z-]+)/g)].map(([, target]) => target!),
  );
  const makefile = read('Makefile');
  assert.deepEqual(
    [...new Set(named)].filter((target) => !new RegExp(`^${target}:`, 'm').test(makefile)),
    [],
  );
});

test('every folder of src is on the map of ARCHITECTURE.md', () => {
  const map = read('ARCHITECTURE.md');
  const folders = code.flatMap((path) => path.match(/^src\/(?:worker\/)?(\w+)\/[^/]+$/)?.[1] ?? []);
  assert.deepEqual(
    [...new Set(folders)].filter((folder) => !map.includes(`${folder}/`)),
    [],
  );
});

/** Anchors of a document's headings, as on rendered pages. */
function anchors(path: string): Set<string> {
  const text = read(path).replace(/^```[\s\S]*?^```/gm, '');
  const found = new Set<string>();
  for (const [, heading] of text.matchAll(/^#+ (.*)$/gm)) {
    const plain = heading!.toLowerCase().replace(/[^\p{L}\p{N}\s_-]/gu, '');
    const name = plain.replaceAll(' ', '-');
    let anchor = name;
    for (let nth = 1; found.has(anchor); nth++) anchor = `${name}-${nth}`;
    found.add(anchor);
  }
  return found;
}

test('links of the documents lead to existing files and headings', () => {
  let headings = 0;
  for (const path of tracked.filter((name) => name.endsWith('.md'))) {
    const folder = path.includes('/') ? path.slice(0, path.lastIndexOf('/') + 1) : '';
    const links = read(path).matchAll(/\]\((?!https?:)([^)#\s]*)(?:#([^)\s]+))?\)/g);
    for (const [, file, heading] of links) {
      const target = file === '' ? path : normalize(folder + file);
      assert.ok(existsSync(root + target), `${path} links to ${file}`);
      if (heading === undefined || !target.endsWith('.md')) continue;
      headings++;
      assert.ok(anchors(target).has(heading), `${path} links to ${file}#${heading}`);
    }
  }
  assert.ok(headings > 20, `${headings} links to headings were looked at`);
});
