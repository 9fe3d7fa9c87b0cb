import assert from 'node:assert/strict';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { test } from 'node:test';
import { readSecret, readSecretFile } from '../../src/config/secret-files.ts';

test('an unreadable file is reported with its setting', () => {
  for (const read of [readSecretFile, readSecret]) {
    assert.throws(() => read('KAFKA_TLS_CA_FILE', '/does/not/exist'), {
      name: 'StartError',
      message: 'KAFKA_TLS_CA_FILE: cannot read /does/not/exist: no such file or directory (ENOENT)',
      exitCode: 1,
    });
  }
});

test('a byte order mark is reported, in any encoding', (t) => {
  const folder = mkdtempSync(join(tmpdir(), 'forebay-secret-'));
  t.after(() => rmSync(folder, { recursive: true }));
  const file = join(folder, 'token');
  const marks = {
    'UTF-8': ['efbbbf'],
    'UTF-16': ['feff', 'fffe'],
    'UTF-32': ['fffe0000', '0000feff'],
  };
  for (const [encoding, forms] of Object.entries(marks)) {
    for (const mark of forms) {
      writeFileSync(file, Buffer.concat([Buffer.from(mark, 'hex'), Buffer.from('s3cret')]));
      for (const read of [readSecretFile, readSecret]) {
        assert.throws(() => read('FOREBAY_ADMIN_TOKEN_FILE', file), {
          message:
            `FOREBAY_ADMIN_TOKEN_FILE: ${file} begins with a byte order mark (${encoding}): ` +
            'save it as UTF-8 without one',
          exitCode: 1,
        });
      }
    }
  }
  writeFileSync(file, 'a\ufeff');
  assert.equal(readSecret('FOREBAY_ADMIN_TOKEN_FILE', file), 'a\ufeff');
});

test('a secret that is not UTF-8 is reported: its characters would change', (t) => {
  const folder = mkdtempSync(join(tmpdir(), 'forebay-secret-'));
  t.after(() => rmSync(folder, { recursive: true }));
  const file = join(folder, 'token');
  for (const bytes of [Buffer.from('pässword', 'latin1'), Buffer.from('c3', 'hex')]) {
    writeFileSync(file, bytes);
    assert.throws(() => readSecret('KAFKA_SASL_PASSWORD_FILE', file), {
      message: `KAFKA_SASL_PASSWORD_FILE: ${file} is not valid UTF-8: save it as UTF-8`,
      exitCode: 1,
    });
  }
  writeFileSync(file, 'pässword 😀');
  assert.equal(readSecret('KAFKA_SASL_PASSWORD_FILE', file), 'pässword 😀');
  // Comments in PEM files may have any encoding.
  const comment = Buffer.from('Müller\n', 'latin1');
  writeFileSync(file, comment);
  assert.equal(readSecretFile('KAFKA_TLS_CA_FILE', file).length, comment.length);
});

test('an empty file is rejected', (t) => {
  const folder = mkdtempSync(join(tmpdir(), 'forebay-secret-'));
  t.after(() => rmSync(folder, { recursive: true }));
  const file = join(folder, 'token');
  for (const text of ['', '\n', '\r\n']) {
    writeFileSync(file, text);
    assert.throws(() => readSecret('KAFKA_SASL_PASSWORD_FILE', file), {
      message: `KAFKA_SASL_PASSWORD_FILE: ${file} is empty`,
      exitCode: 1,
    });
  }
});

test('a secret is the file’s content without the final newline', (t) => {
  const folder = mkdtempSync(join(tmpdir(), 'forebay-secret-'));
  t.after(() => rmSync(folder, { recursive: true }));
  const file = join(folder, 'token');
  for (const [text, secret] of [
    ['s3cret', 's3cret'],
    ['s3cret\n', 's3cret'],
    [' s3cret \r\n', ' s3cret '],
    ['two\nlines\n\n', 'two\nlines\n'],
  ] as const) {
    writeFileSync(file, text);
    assert.equal(readSecret('FOREBAY_ADMIN_TOKEN_FILE', file), secret);
    assert.equal(readSecretFile('FOREBAY_ADMIN_TOKEN_FILE', file), text);
  }
});
