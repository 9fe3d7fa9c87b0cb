import assert from 'node:assert/strict';
import { mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, test } from 'node:test';
import { parseKeys } from '../../../src/api-keys/format.ts';
import { tokenHash } from '../../../src/api-keys/token.ts';
import { Child } from '../../../testing/child.ts';

const folder = mkdtempSync(join(tmpdir(), 'forebay-key-'));
after(() => rmSync(folder, { recursive: true }));

async function key(...args: readonly string[]) {
  const child = new Child('dist/main.js', ['key', ...args], {});
  const { code } = await child.ended;
  return { code, stdout: child.stdout, stderr: child.stderr };
}

const TOKEN = /^fbk_[\w-]{43}\n$/;

test('key new prints only the token on stdout, and the entry for the file on stderr', async () => {
  const options = ['--events-per-second', '5', '--burst', '9', '--expires', '2999-01-31'];
  const { code, stdout, stderr } = await key('new', '--name', 'till', ...options);
  assert.equal(code, 0);
  assert.match(stdout, TOKEN);
  const entry = JSON.parse(stderr.slice(stderr.indexOf('{')));
  const sha256 = tokenHash(stdout.trim());
  const expected = { name: 'till', sha256, expires: '2999-01-31', eventsPerSecond: 5, burst: 9 };
  assert.deepEqual(entry, expected);
  assert(!stderr.includes(stdout.trim()), 'the token is shown once');
});

test('key new --file adds the entry, and prints no token if that fails', async () => {
  const file = join(folder, 'keys.json');
  const { stdout, stderr } = await key('new', '--name', 'a', '--file', file);
  const [entry] = parseKeys(readFileSync(file, 'utf8'));
  assert.deepEqual([entry?.name, entry?.sha256], ['a', tokenHash(stdout.trim())]);
  assert.equal(stderr, `added to ${file}\n`);
  const again = await key('new', '--name', 'a', '--file', file);
  assert.deepEqual([again.code, again.stdout], [1, '']);
  assert.match(again.stderr, /^forebay: key: .* already has a key with this name\n$/);
});

test('invalid arguments: one line, exit code 2, no token', async () => {
  const { code, stdout, stderr } = await key('new', '--name', 'a b');
  assert.deepEqual([code, stdout], [2, '']);
  assert.match(
    stderr,
    /^forebay: key: --name must be [^\n]*, not "a b" \(see node dist\/main\.js key --help\)\n$/,
  );
});
