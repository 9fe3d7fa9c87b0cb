import assert from 'node:assert/strict';
import { execFileSync } from 'node:child_process';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, test } from 'node:test';
import { tokenHash } from '../../src/api-keys/token.ts';
import { EXIT } from '../../src/common/errors.ts';
import { readConfig } from '../../src/config/config.ts';
import { checkFiles } from '../../src/config/file-check.ts';

const folder = mkdtempSync(join(tmpdir(), 'forebay-files-'));
after(() => rmSync(folder, { recursive: true }));

function file(name: string, content: string): string {
  const path = join(folder, name);
  writeFileSync(path, content);
  return path;
}

const NOTHING = {
  schema: { ignored: [], unmatchable: [] },
  certificates: [],
  keys: [],
  streams: undefined,
};

test('without files, no checks and no warnings', async () => {
  assert.deepEqual(await checkFiles(readConfig({})), NOTHING);
});

test('usable files pass without a warning', async () => {
  const env = {
    FOREBAY_EVENT_SCHEMA: file('schema.json', '{"required":["msg"]}'),
    FOREBAY_KEYS_FILE: file('keys.json', '{"keys":[]}'),
    FOREBAY_ADMIN_TOKEN_FILE: file('token', 'token'),
    KAFKA_SASL_MECHANISM: 'plain',
    KAFKA_SASL_USERNAME: 'me',
    KAFKA_SASL_PASSWORD_FILE: file('password', 'password'),
  };
  assert.deepEqual(await checkFiles(readConfig(env)), NOTHING);
});

test('streams of API keys without a stream file are a warning', async () => {
  const entry = { name: 'till', sha256: tokenHash('till'), streams: ['orders'] };
  const path = file('limited.json', JSON.stringify({ keys: [entry] }));
  const { keys } = await checkFiles(readConfig({ FOREBAY_KEYS_FILE: path }));
  const line = 'FOREBAY_KEYS_FILE: without FOREBAY_STREAMS_FILE, streams of till have no effect';
  assert.deepEqual(keys, [line]);
});

test('the exit code of an invalid file takes precedence over that of an unreadable one', async () => {
  const FOREBAY_ADMIN_TOKEN_FILE = join(folder, 'absent');
  const unreadable = checkFiles(readConfig({ FOREBAY_ADMIN_TOKEN_FILE }));
  await assert.rejects(unreadable, { exitCode: EXIT.failed });
  const FOREBAY_EVENT_SCHEMA = file('wrong.json', '[]');
  const both = checkFiles(readConfig({ FOREBAY_ADMIN_TOKEN_FILE, FOREBAY_EVENT_SCHEMA }));
  await assert.rejects(both, { exitCode: EXIT.configuration });
});

test('a pipe is left to its only reader', async () => {
  const pipe = join(folder, 'pipe');
  execFileSync('mkfifo', [pipe]);
  assert.deepEqual(await checkFiles(readConfig({ FOREBAY_ADMIN_TOKEN_FILE: pipe })), NOTHING);
});
