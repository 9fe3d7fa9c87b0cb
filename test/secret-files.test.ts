import assert from 'node:assert/strict';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { test } from 'node:test';
import { readSecret, readSecretFile } from '../src/secret-files.ts';

test('a file that cannot be read is named with its setting', () => {
  for (const read of [readSecretFile, readSecret]) {
    assert.throws(() => read('KAFKA_TLS_CA_FILE', '/does/not/exist'), {
      name: 'StartError',
      message: 'KAFKA_TLS_CA_FILE: cannot read /does/not/exist (ENOENT)',
      exitCode: 1,
    });
  }
});

test('a secret is all of its file but the end of its last line', (t) => {
  const folder = mkdtempSync(join(tmpdir(), 'forebay-secret-'));
  t.after(() => rmSync(folder, { recursive: true }));
  const file = join(folder, 'token');
  for (const [text, secret] of [
    ['s3cret', 's3cret'],
    ['s3cret\n', 's3cret'],
    [' s3cret \r\n', ' s3cret '],
    ['two\nlines\n\n', 'two\nlines\n'],
    ['\n', ''],
  ] as const) {
    writeFileSync(file, text);
    assert.equal(readSecret('FOREBAY_ADMIN_TOKEN_FILE', file), secret);
    assert.equal(readSecretFile('FOREBAY_ADMIN_TOKEN_FILE', file), text);
  }
});
