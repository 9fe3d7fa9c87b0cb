import assert from 'node:assert/strict';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, before, test } from 'node:test';
import { streamsSummary } from '../../../src/cli/streams/summary.ts';
import { Child } from '../../../testing/child.ts';
import { parse } from '../../streams/support.ts';

const folder = mkdtempSync(join(tmpdir(), 'forebay-streams-'));
const children: Child[] = [];
after(async () => {
  for (const child of children) await child.kill();
  rmSync(folder, { recursive: true });
});

/** Runs `streams` with these arguments. */
async function streams(args: readonly string[], env: Record<string, string> = {}) {
  const child = new Child('dist/main.js', ['streams', ...args], env);
  children.push(child);
  const { code } = await child.ended;
  return { code, stdout: child.stdout, stderr: child.stderr };
}

const FILE = join(folder, 'streams.yaml');
before(() => {
  writeFileSync(join(folder, 'good.json'), '{ "type": "object", "requird": ["a"] }');
  writeFileSync(join(folder, 'bad.json'), '{ "type": "objekt" }');
});

test('a valid file: the streams on stdout, warnings on stderr, exit code 0', async () => {
  writeFileSync(
    FILE,
    `version: 1
routing: { field: type, unknown: b }
streams:
  a: { topic: t, match: [x, y], schema: { file: good.json }, owner: team }
  b: { topic: t, key: { fields: [c, d.e] } }
`,
  );
  const { code, stdout, stderr } = await streams(['check', FILE]);
  assert.equal(
    stdout,
    `stream  topic  match  key       access  owner
a       t      x, y   clientId  open    team
b       t      -      c, d.e    open    -

routing by type; unknown values go to b
`,
  );
  assert.deepEqual(stderr.split('\n'), [
    `forebay: warning: ${FILE}:4:49: streams.a.schema.file: good.json /requird is not a keyword of draft-07 and is ignored; did you mean required?`,
    `forebay: warning: ${FILE}:5:15: streams.b.topic is also the topic of a`,
    '',
  ]);
  assert.equal(code, 0);
});

test('an invalid file: every error with its position, exit code 2', async () => {
  writeFileSync(
    FILE,
    `version: 1
streams:
  a: { topic: t, schema: { file: bad.json }, access: keyed }
  b: { topic: t, schema: { file: none.json }, x: 1 }
`,
  );
  const { code, stdout, stderr } = await streams(['check', FILE]);
  assert.deepEqual(
    stderr.split('\n').map((line) => line.replace(`forebay: ${FILE}:`, '')),
    [
      '3:34: streams.a.schema.file: bad.json is not a valid schema of draft-07: /type must be one of "array", "boolean", "integer", "null", "number", "object", "string"; did you mean object?',
      '3:54: streams.a.access is keyed, which requires FOREBAY_KEYS_FILE, FOREBAY_JWT_JWKS_FILE or FOREBAY_JWT_JWKS_URL',
      '4:34: streams.b.schema.file: none.json cannot be read: no such file or directory (ENOENT)',
      '4:47: streams.b.x: unknown property; known: topic, match, create, schema, key, headers, idField, traceField, time, ip, value, limits, origins, access, plain, deadLetter, internal, owner, required',
      '',
    ],
  );
  assert.deepEqual([code, stdout], [2, '']);
});

test('the settings of the environment count', async () => {
  writeFileSync(FILE, 'version: 1\nstreams: { a: { topic: t, access: keyed } }');
  const keyed = { FOREBAY_KEYS_FILE: '/nonexistent', FOREBAY_KEY_FIELD: 'user.id' };
  const { code, stdout, stderr } = await streams(['check', FILE], keyed);
  assert.match(stdout, /^a +t +- +user\.id +keyed/m);
  assert.match(stderr, /FOREBAY_KEYS_FILE: cannot read .*: streams of API keys are not checked/);
  assert.equal(code, 0);
  const named = await streams(['check'], { ...keyed, FOREBAY_STREAMS_FILE: FILE });
  assert.deepEqual([named.code, named.stdout], [0, stdout]);
  const invalid = await streams(['check', FILE], { FOREBAY_PORT: 'x' });
  assert.equal(invalid.code, 2);
  assert.match(invalid.stderr, /FOREBAY_PORT must be/);
});

test('an API key that names a stream which the file lacks is an error, as for the gateway', async () => {
  writeFileSync(FILE, 'version: 1\nstreams: { a: { topic: t } }');
  const keysFile = join(folder, 'keys.json');
  const keys = (...names: string[]) =>
    writeFileSync(
      keysFile,
      JSON.stringify({ keys: [{ name: 'app', sha256: 'a'.repeat(64), streams: names }] }),
    );
  keys('a', 'b');
  const wrong = await streams(['check', FILE], { FOREBAY_KEYS_FILE: keysFile });
  assert.deepEqual([wrong.code, wrong.stdout], [2, '']);
  assert.match(wrong.stderr, /the key app names streams that do not exist: b/);
  keys('a');
  const right = await streams(['check', FILE], { FOREBAY_KEYS_FILE: keysFile });
  assert.deepEqual([right.code, right.stderr], [0, '']);
});

test('wrong arguments and unreadable files: one line, exit code 2', async () => {
  const rows: [string[], RegExp][] = [
    [[], /the subcommand is missing; there are check, diff, spec/],
    [['validate'], /unknown subcommand "validate"; there are check, diff, spec/],
    [['--all'], /unknown subcommand "--all"; there are check, diff, spec/],
    [['check'], /the file is missing: name it, or set FOREBAY_STREAMS_FILE/],
    [['check', FILE, 'x'], /unexpected argument "x"/],
    [['check', '--all', FILE], /unknown option --all/],
    [['check', join(folder, 'none')], /cannot read .*none: no such file or directory \(ENOENT\)/],
    [['check', folder], /cannot read .*: it is a directory, not a file \(EISDIR\)/],
  ];
  for (const [args, message] of rows) {
    const { code, stdout, stderr } = await streams(args);
    assert.deepEqual([code, stdout], [2, '']);
    assert.match(stderr, message);
    assert.equal(stderr.trimEnd().split('\n').length, 1);
  }
  const help = await streams(['--help']);
  assert.deepEqual(await streams(['check', '-h']), help);
  assert.match(help.stdout, /^Usage: node dist\/main\.js streams check \[FILE\]\n/);
  assert.equal(help.code, 0);
});

test('long lists are shortened, and control characters escaped', () => {
  const values = Array.from({ length: 50 }, (_, index) => `value${index}`).join(', ');
  const { file } = parse(`version: 1
routing: { field: "a\\e" }
streams: { a: { topic: t, match: ["\\e[1m", ${values}], key: none } }`);
  const [, row, , routing] = streamsSummary(file!).split('\n');
  assert.match(row!, /^a {7}t {6}\\x1b\[1m, value0, .{1,30}… \(51\) +- +keyed +-$/);
  assert.equal(routing, 'routing by a\\x1b; unknown values are refused');
});
