import assert from 'node:assert/strict';
import {
  chmodSync,
  lstatSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  rmSync,
  statSync,
  symlinkSync,
  writeFileSync,
} from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, test } from 'node:test';
import { StartError } from '../../src/errors.ts';
import { addToFile } from '../../src/keys/file.ts';
import { parseKeys } from '../../src/keys/format.ts';
import { tokenHash } from '../../src/keys/token.ts';

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

/** The message of an addition that must fail. */
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

test('a file that is not there is made, for its owner alone', () => {
  addToFile(path, entry('a'));
  addToFile(path, entry('b'));
  assert.deepEqual(names(), ['a', 'b']);
  assert.equal(mode(), 0o600);
  assert.deepEqual(readdirSync(folder), ['keys.json'], 'nothing else is left');
});

test('a file that is there keeps its rights, and what it has beside keys', () => {
  writeFileSync(path, '{"comment":"ours","keys":[]}');
  chmodSync(path, 0o640);
  addToFile(path, entry('a'));
  assert.equal(mode(), 0o640);
  assert.equal(JSON.parse(readFileSync(path, 'utf8')).comment, 'ours');
});

test('of a link the file behind it is changed', () => {
  const behind = join(folder, 'behind.json');
  writeFileSync(behind, '{"keys":[]}');
  symlinkSync(behind, path);
  addToFile(path, entry('a'));
  assert(lstatSync(path).isSymbolicLink(), 'it is a link still');
  assert.deepEqual(names(), ['a']);
});

test('a name that is there, and a file that is wrong already: nothing is changed', () => {
  addToFile(path, entry('a'));
  assert.match(refusal('a'), /keys\.json has a key of that name$/);
  writeFileSync(path, '{"keys":[');
  assert.match(refusal('b'), /keys\.json is not valid JSON$/);
  assert.equal(readFileSync(path, 'utf8'), '{"keys":[');
  assert.deepEqual(readdirSync(folder), ['keys.json']);
});

test('somebody else who is changing it is not disturbed', () => {
  writeFileSync(path, '{"keys":[]}');
  writeFileSync(`${path}.new`, 'theirs');
  assert.match(refusal('a'), /being changed by somebody else/);
  assert.equal(readFileSync(`${path}.new`, 'utf8'), 'theirs');
});

test('a byte order mark is named, and the file stays as it is', () => {
  const before = '\ufeff{"keys":[]}';
  writeFileSync(path, before);
  assert.match(refusal('a'), /keys\.json begins with a byte order mark \(UTF-8\): save it /);
  assert.equal(readFileSync(path, 'utf8'), before);
});

test('a folder that is not there is named', () => {
  path = join(folder, 'nowhere', 'keys.json');
  assert.match(
    refusal('a'),
    /nowhere\/keys\.json cannot be changed: no such file or directory \(ENOENT\)$/,
  );
});
