import assert from 'node:assert/strict';
import { spawnSync } from 'node:child_process';
import fs, {
  chmodSync,
  lstatSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  renameSync,
  rmSync,
  statSync,
  symlinkSync,
  writeFileSync,
} from 'node:fs';
import { syncBuiltinESMExports } from 'node:module';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, type TestContext, test } from 'node:test';
import { addToFile } from '../../src/api-keys/file.ts';
import { parseKeys } from '../../src/api-keys/format.ts';
import { tokenHash } from '../../src/api-keys/token.ts';
import { StartError } from '../../src/common/errors.ts';

let folder: string;
let path: string;
beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), 'forebay-keys-'));
  path = join(folder, 'keys.json');
});
afterEach(() => rmSync(folder, { recursive: true }));

const entry = (name: string) => ({ name, sha256: tokenHash(name) });
const names = () => parseKeys(readFileSync(path, 'utf8')).map(({ name }) => name);
const mode = () => statSync(path).mode & 0o777;

/** Message of a failed addition. */
function refusal(name: string): string {
  try {
    addToFile(path, entry(name));
  } catch (error) {
    assert(error instanceof StartError, String(error));
    assert.equal(error.exitCode, 1);
    return error.message;
  }
  return assert.fail('it was added');
}

test('a missing file is created, readable only by its owner', () => {
  addToFile(path, entry('a'));
  addToFile(path, entry('b'));
  assert.deepEqual(names(), ['a', 'b']);
  assert.equal(mode(), 0o600);
  assert.deepEqual(readdirSync(folder), ['keys.json'], 'nothing else is left');
});

test('an existing file keeps its permissions and its other fields', () => {
  writeFileSync(path, '{"comment":"ours","keys":[]}');
  chmodSync(path, 0o640);
  addToFile(path, entry('a'));
  assert.equal(mode(), 0o640);
  assert.equal(JSON.parse(readFileSync(path, 'utf8')).comment, 'ours');
});

test('for a link, the file behind it is changed', () => {
  const behind = join(folder, 'behind.json');
  writeFileSync(behind, '{"keys":[]}');
  symlinkSync(behind, path);
  addToFile(path, entry('a'));
  assert(lstatSync(path).isSymbolicLink(), 'it is a link still');
  assert.deepEqual(names(), ['a']);
});

test('an existing name, and an invalid file: nothing is changed', () => {
  addToFile(path, entry('a'));
  assert.match(refusal('a'), /keys\.json already has a key with this name$/);
  writeFileSync(path, '{"keys":[');
  assert.match(refusal('b'), /keys\.json is not valid JSON$/);
  assert.equal(readFileSync(path, 'utf8'), '{"keys":[');
  assert.deepEqual(readdirSync(folder), ['keys.json']);
});

test('a concurrent change by another process is not disturbed', () => {
  writeFileSync(path, '{"keys":[]}');
  writeFileSync(`${path}.new`, 'theirs');
  assert.match(refusal('a'), /being changed by another process/);
  assert.equal(readFileSync(`${path}.new`, 'utf8'), 'theirs');
});

/** Runs `swap` once, just before the program calls this function of the file system. */
function before(t: TestContext, name: 'fsyncSync' | 'openSync', swap: () => void): void {
  let over = false;
  const real = fs[name] as (...args: unknown[]) => unknown;
  const mock = t.mock.method(fs, name, (...args: unknown[]) => {
    if (!over) {
      over = true;
      swap();
    }
    return real(...args);
  });
  syncBuiltinESMExports();
  t.after(() => {
    mock.mock.restore();
    syncBuiltinESMExports();
  });
}

/** A file of another owner that must stay untouched. */
function victim(name = 'victim.json'): { path: string; check: () => void } {
  const file = join(folder, name);
  writeFileSync(file, '{"keys":[]}');
  chmodSync(file, 0o600);
  const { ino, uid, gid, ctimeMs } = statSync(file);
  return {
    path: file,
    check: () => {
      const now = statSync(file);
      assert.deepEqual([now.ino, now.uid, now.gid, now.ctimeMs], [ino, uid, gid, ctimeMs]);
      assert.equal(readFileSync(file, 'utf8'), '{"keys":[]}');
    },
  };
}

for (const how of ['a symbolic link', 'another file'] as const) {
  test(`${how} in place of the new file: its target keeps owner and permissions`, (t) => {
    const other = victim();
    writeFileSync(path, '{"keys":[]}');
    chmodSync(path, 0o644);
    before(t, 'fsyncSync', () => {
      rmSync(`${path}.new`);
      if (how === 'a symbolic link') symlinkSync(other.path, `${path}.new`);
      else writeFileSync(`${path}.new`, 'theirs');
    });
    assert.match(
      refusal('a'),
      /keys\.json is unchanged: .*keys\.json\.new was replaced meanwhile$/,
    );
    other.check();
    assert.equal(readFileSync(path, 'utf8'), '{"keys":[]}');
    assert(lstatSync(`${path}.new`), 'what is not ours is not removed');
  });

  test(`${how} in place of the file during the change: it stays`, (t) => {
    const other = victim();
    writeFileSync(path, '{"keys":[]}');
    before(t, 'fsyncSync', () => {
      rmSync(path);
      if (how === 'a symbolic link') symlinkSync(other.path, path);
      else writeFileSync(path, '{"keys":[],"by":"them"}');
    });
    assert.match(refusal('a'), /was changed by another program meanwhile: try again$/);
    other.check();
    if (how === 'another file') assert.equal(JSON.parse(readFileSync(path, 'utf8')).by, 'them');
    assert.deepEqual(readdirSync(folder), ['keys.json', 'victim.json'], 'nothing is left');
  });
}

test('a file that appears while the first one is created stays', (t) => {
  before(t, 'fsyncSync', () => writeFileSync(path, 'theirs'));
  assert.match(refusal('a'), /was changed by another program meanwhile/);
  assert.equal(readFileSync(path, 'utf8'), 'theirs');
});

test('a link put in place of the file after links were resolved: not read', (t) => {
  const other = victim();
  writeFileSync(path, '{"keys":[]}');
  before(t, 'openSync', () => {
    rmSync(path);
    symlinkSync(other.path, path);
  });
  assert.match(refusal('a'), /is a symbolic link to a file that does not exist, or was replaced/);
  other.check();
});

test('another folder put in place of the folder stays untouched', {
  skip: process.platform !== 'linux',
}, (t) => {
  const [inner, moved, foreign] = ['inner', 'moved', 'foreign'].map((name) => join(folder, name));
  mkdirSync(inner!);
  mkdirSync(foreign!);
  const other = victim('foreign/keys.json');
  path = join(inner!, 'keys.json');
  writeFileSync(path, '{"keys":[]}');
  before(t, 'fsyncSync', () => {
    renameSync(inner!, moved!);
    symlinkSync(foreign!, inner!);
  });
  addToFile(path, entry('a'));
  other.check();
  assert.deepEqual(readdirSync(foreign!), ['keys.json']);
  path = join(moved!, 'keys.json');
  assert.deepEqual(names(), ['a']);
  assert.deepEqual(readdirSync(moved!), ['keys.json']);
});

test('a dangling link, a pipe, and a folder are reported without blocking', () => {
  symlinkSync(join(folder, 'nothing'), path);
  assert.match(refusal('a'), /keys\.json is a symbolic link to a file that does not exist/);
  path = join(folder, 'pipe');
  assert.equal(spawnSync('mkfifo', [path]).status, 0);
  assert.match(refusal('a'), /pipe is not a regular file$/);
  path = join(folder, 'folder');
  mkdirSync(path);
  assert.match(refusal('a'), /folder cannot be changed: it is a directory, not a file \(EISDIR\)$/);
  assert.deepEqual(readdirSync(folder).sort(), ['folder', 'keys.json', 'pipe']);
});

test('a byte order mark is reported, and the file is unchanged', () => {
  const before = '\ufeff{"keys":[]}';
  writeFileSync(path, before);
  assert.match(refusal('a'), /keys\.json begins with a byte order mark \(UTF-8\): save it /);
  assert.equal(readFileSync(path, 'utf8'), before);
});

test('a missing folder is reported', () => {
  path = join(folder, 'missing', 'keys.json');
  assert.match(
    refusal('a'),
    /missing\/keys\.json cannot be changed: no such file or directory \(ENOENT\)$/,
  );
});
