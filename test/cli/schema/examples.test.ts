import assert from 'node:assert/strict';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, before, test } from 'node:test';
import { placeOf, readExamples } from '../../../src/cli/schema/examples.ts';
import { parseTestArguments } from '../../../src/cli/schema/test-arguments.ts';
import { testSchema } from '../../../src/cli/schema/test-command.ts';
import { StartError } from '../../../src/common/errors.ts';

const folder = mkdtempSync(join(tmpdir(), 'forebay-schema-'));
const file = (name: string) => join(folder, name);
const write = (name: string, content: string | Buffer) => writeFileSync(file(name), content);
before(() => {
  write('s.json', '{"type":"object","required":["a"],"properties":{"a":{"type":"integer"}}}');
  write('typo.json', '{"type":"object","requird":["a"]}');
  write('unusable.json', '{"type":"objekt"}');
  write('good.json', '[{"a":1},{"a":2}]');
  write('bad.ndjson', '{"a":"x"}\n\n{"b":1}\r\n');
  write('mixed.jsonl', '{"a":1}\n{"a":null}\n7');
  write('streams.yaml', 'version: 1\nstreams: { c: { topic: t, schema: { file: s.json } } }');
});
after(() => rmSync(folder, { recursive: true }));

/** Runs `schema test` with these arguments in the folder of the files. */
async function run(...args: string[]) {
  const named = args.map((argument) => (/\.\w+$/.test(argument) ? file(argument) : argument));
  let stdout = '';
  let stderr = '';
  const print = (text: string) => {
    stdout += text;
  };
  const say = (line: string) => {
    stderr += `${line}\n`;
  };
  const code = await testSchema(parseTestArguments(named), { print, say }).catch((error) => {
    say(error.message);
    return error.exitCode;
  });
  const short = (text: string) => text.replaceAll(`${folder}/`, '');
  return { code, stdout: short(stdout), stderr: short(stderr) };
}

test('examples are read from an array, an object and lines, with their places', () => {
  const places = (name: string) =>
    readExamples(file(name)).map((example) => placeOf(example).replace(`${folder}/`, ''));
  write('one.json', ' {"a":1}\n');
  assert.deepEqual(places('good.json'), ['good.json[0]', 'good.json[1]']);
  assert.deepEqual(places('bad.ndjson'), ['bad.ndjson:1', 'bad.ndjson:3']);
  assert.deepEqual(places('one.json'), ['one.json']);
  assert.deepEqual(
    readExamples(file('mixed.jsonl')).map(({ value }) => value),
    [{ a: 1 }, { a: null }, 7],
  );
});

test('a file that is no list of examples is an error with its place', () => {
  const rows: [string, string | Buffer, RegExp][] = [
    ['broken.ndjson', '{"a":1}\n{', /broken\.ndjson:2 is not valid JSON/],
    ['broken.json', '{"a":', /broken\.json is not valid JSON: [^;]*$/],
    [
      'lines.json',
      '{"a":1}\n{"a":2}\n',
      /; name a file with an event per line \.ndjson or \.jsonl/,
    ],
    ['none.json', '[]', /none\.json has no examples/],
    ['none.jsonl', '\n \n', /none\.jsonl has no examples/],
    ['latin1.json', Buffer.from('["\xe4"]', 'latin1'), /is not valid UTF-8/],
  ];
  for (const [name, content, message] of rows) {
    write(name, content);
    assert.throws(
      () => readExamples(file(name)),
      (error: unknown) =>
        error instanceof StartError && error.exitCode === 2 && message.test(error.message),
      name,
    );
  }
  assert.throws(() => readExamples(file('absent.json')), /cannot read .*no such file/);
});

test('schema test: unexpected results with their places, and exit codes', async () => {
  const right = await run('s.json', '--good', 'good.json', '--bad', 'bad.ndjson');
  const several = ['--good', 'mixed.jsonl', 'good.json', '--bad', 'bad.ndjson', 'good.json'];
  const wrong = await run('s.json', ...several);
  const json = await run('s.json', '--json', '--good', 'mixed.jsonl', '--bad', 'good.json');
  const ofFile = ['--stream', 'c', '--streams-file', 'streams.yaml'];
  const ofStream = await run(...ofFile, '--good', 'good.json');
  const unusable = await run('unusable.json', '--good', 'good.json');
  const unreadable = await run('s.json', '--good', 'absent.json', '--bad', 'gone.json');
  const typo = await run('typo.json', '--good', 'good.json');
  assert.deepEqual(right, {
    code: 0,
    stdout: 's.json: 2 good examples, 2 bad examples: all as expected\n',
    stderr: '',
  });
  assert.equal(
    wrong.stdout,
    `mixed.jsonl:2: must pass, but fails: /a must be integer
mixed.jsonl:3: must pass, but fails: an event must be a JSON object
good.json[0]: must fail, but passes
good.json[1]: must fail, but passes
s.json: 5 good examples, 4 bad examples: 4 not as expected
`,
  );
  assert.equal(wrong.code, 3);
  const { schema, passed, good, bad, wrong: ones } = JSON.parse(json.stdout);
  assert.deepEqual([schema, passed, good, bad, json.code], ['s.json', false, 3, 2, 3]);
  assert.deepEqual(ones[0], {
    file: 'mixed.jsonl',
    line: 2,
    expected: 'pass',
    reason: '/a must be integer',
  });
  assert.deepEqual(ones[2], { file: 'good.json', index: 0, expected: 'fail' });
  assert.deepEqual([ofStream.code, ofStream.stderr], [0, '']);
  assert.deepEqual([unusable.code, unusable.stdout], [2, '']);
  assert.match(unusable.stderr, /^schema: unusable\.json is not a valid schema of draft-07/);
  assert.equal(unreadable.code, 2);
  assert.match(unreadable.stderr, /cannot read absent\.json.*\n.*cannot read gone\.json/);
  assert.match(typo.stderr, /^warning: typo\.json \/requird is not a keyword/);
});
