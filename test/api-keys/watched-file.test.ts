import assert from 'node:assert/strict';
import {
  mkdirSync,
  mkdtempSync,
  renameSync,
  rmSync,
  symlinkSync,
  utimesSync,
  writeFileSync,
} from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, test } from 'node:test';
import { WatchedFile } from '../../src/api-keys/watched-file.ts';
import { StartError } from '../../src/common/errors.ts';

let folder: string;
let path: string;
beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), 'forebay-watched-'));
  path = join(folder, 'file');
});
afterEach(() => rmSync(folder, { recursive: true }));

const MARK = 'begins with a byte order mark (UTF-8): save it as UTF-8 without one';
const reports: string[] = [];

function watch(): WatchedFile<string> {
  reports.length = 0;
  return new WatchedFile({
    env: 'FOREBAY_KEYS_FILE',
    path,
    parse: (text) => {
      if (text.startsWith('bad')) throw new Error('is bad');
      return text;
    },
    changed: (value) => reports.push(value),
    broken: (reason) => reports.push(`broken: ${reason}`),
  });
}

test('an unreadable or invalid file is an error at the start', () => {
  const failing = (exitCode: number, message: string) => (error: unknown) =>
    error instanceof StartError && error.exitCode === exitCode && error.message === message;
  const absent = 'no such file or directory (ENOENT)';
  assert.throws(watch, failing(1, `FOREBAY_KEYS_FILE: cannot read ${path}: ${absent}`));
  mkdirSync(path);
  const folder = 'it is a directory, not a file (EISDIR)';
  assert.throws(watch, failing(1, `FOREBAY_KEYS_FILE: cannot read ${path}: ${folder}`));
  rmSync(path, { recursive: true });
  writeFileSync(path, '\ufefffine');
  assert.throws(watch, failing(2, `FOREBAY_KEYS_FILE: ${path} ${MARK}`));
  writeFileSync(path, 'bad');
  assert.throws(watch, failing(2, `FOREBAY_KEYS_FILE: ${path} is bad`));
});

test('a byte order mark added by a change is reported, and the previous content stays', async () => {
  writeFileSync(path, 'one');
  const file = watch();
  writeFileSync(path, Buffer.from('fffe74007700', 'hex'));
  await file.check();
  assert.deepEqual(reports, [`broken: ${MARK.replace('(UTF-8)', '(UTF-16)')}`]);
  assert.equal(file.value, 'one');
});

test('a change in place is reloaded once, even with the same size and age', async () => {
  writeFileSync(path, 'one');
  const file = watch();
  assert.equal(file.value, 'one');
  await file.check();
  writeFileSync(path, 'two');
  await file.check();
  await file.check();
  assert.deepEqual(reports, ['two']);
  const [old, long] = [new Date(0), 3_600_000];
  utimesSync(path, old, old);
  await file.check();
  writeFileSync(path, 'six');
  utimesSync(path, old, new Date(long));
  await file.check();
  assert.deepEqual(reports, ['two', 'six']);
});

test('changes in quick succession with equal timestamps are reloaded', async () => {
  writeFileSync(path, '0');
  const file = watch();
  const texts = Array.from({ length: 100 }, (_, index) => `${index % 10}`);
  for (const text of texts) {
    writeFileSync(path, text);
    await file.check();
  }
  assert.deepEqual(reports, texts.slice(1));
});

test('a change by renaming, as editors do it, is reloaded', async () => {
  writeFileSync(path, 'one');
  const file = watch();
  writeFileSync(`${path}~`, 'two');
  renameSync(`${path}~`, path);
  await file.check();
  assert.deepEqual(reports, ['two']);
});

test('a swapped link in the path, as Kubernetes does it with secrets, is reloaded', async () => {
  for (const version of ['one', 'two']) {
    mkdirSync(join(folder, version));
    writeFileSync(join(folder, version, 'file'), version);
  }
  symlinkSync('one', join(folder, '..data'));
  symlinkSync('..data/file', path);
  const file = watch();
  assert.equal(file.value, 'one');
  symlinkSync('two', join(folder, '..next'));
  renameSync(join(folder, '..next'), join(folder, '..data'));
  await file.check();
  assert.deepEqual(reports, ['two']);
});

test('an invalid or missing file is reported once each, and the previous content stays', async () => {
  writeFileSync(path, 'one');
  const file = watch();
  writeFileSync(path, 'bad');
  for (let i = 0; i < 3; i++) await file.check();
  writeFileSync(path, 'bad again');
  await file.check();
  rmSync(path);
  for (let i = 0; i < 3; i++) await file.check();
  assert.deepEqual(reports, [
    'broken: is bad',
    'broken: cannot be read: no such file or directory (ENOENT)',
  ]);
  assert.equal(file.value, 'one');
  writeFileSync(path, 'one');
  await file.check();
  assert.deepEqual(reports.slice(2), ['one'], 'a valid file is reported again');
});
