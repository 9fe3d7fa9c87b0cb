import assert from 'node:assert/strict';
import { test } from 'node:test';
import { Ajv } from 'ajv';
import formats from 'ajv-formats';
import { bodiesOf, SIZE } from '../../../bench/load/bodies.ts';
import { schemaOf } from '../../../bench/load/json-schema.ts';
import { KINDS, kindSchema } from '../../../bench/load/kinds.ts';
import { BODY_GROUPS } from '../../../bench/scenarios/body-loads.ts';

const COUNT = 120;
const SIZES = [
  { body: 'page-view', eventBytes: 500 },
  { body: 'order', eventBytes: 1_000 },
  { body: 'log', eventBytes: 3_000 },
  { body: 'mixed', eventBytes: 1_000 },
] as const;
const BUILT_IN = {
  type: 'object',
  required: ['msg', 'clientId', 'timestamp'],
  properties: {
    msg: { type: 'string' },
    clientId: { type: 'string' },
    timestamp: { type: 'integer' },
  },
};

function compiler(): Ajv {
  const ajv = new Ajv({ strict: false });
  formats.default(ajv);
  return ajv;
}

const bodies = new Map(
  SIZES.map((shape) => [shape.body, bodiesOf({ ...shape, run: 'r1' }, COUNT)]),
);

for (const { body, eventBytes } of SIZES) {
  test(`${body}: every body is valid for its schema and the built-in one, and has its size`, () => {
    const ajv = compiler();
    const builtIn = ajv.compile(BUILT_IN);
    const schemas = body === 'mixed' ? kinds() : [schemaOf(body)];
    const validators = schemas.map((schema) => ajv.compile(schema));
    for (const [index, text] of bodies.get(body)!.entries()) {
      const event: unknown = JSON.parse(text);
      assert(builtIn(event), text);
      const validate = validators[index % validators.length]!;
      assert(validate(event), `${ajv.errorsText(validate.errors)}: ${text}`);
      const bytes = Buffer.byteLength(text);
      assert(bytes >= Math.floor(eventBytes * SIZE.least) && bytes <= eventBytes * SIZE.most, text);
    }
  });

  test(`${body}: bodies vary order, white space, escapes, Unicode, numbers and size`, () => {
    const texts = bodies.get(body)!;
    const events = texts.map((text) => JSON.parse(text) as object);
    const distinct = (values: readonly unknown[]) => new Set(values).size;
    assert.equal(distinct(texts), COUNT);
    assert(distinct(events.map((event) => Object.keys(event).join())) > COUNT / 2, 'order');
    assert(distinct(events.map((event) => Object.keys(event).length)) > 1, 'optional fields');
    assert(distinct(texts.map((text) => text.length)) > COUNT / 4, 'size');
    const shares = [
      { what: 'one line without spaces', pattern: /^\{"\w+":\S.*,"\w+":/, least: 0.4 },
      { what: 'lines', pattern: /^\{\n {2}"/, least: 0.03 },
      { what: 'tabs', pattern: /^\{\n\t"/, least: 0.01 },
      { what: 'CRLF', pattern: /^\{\r\n/, least: 0.01 },
      { what: 'spaces', pattern: /^\{"\w+": /, least: 0.1 },
      { what: 'quotation marks', pattern: /\\"/, least: 0.05 },
      { what: 'backslashes', pattern: /\\\\/, least: 0.05 },
      { what: 'control characters', pattern: /\\n|\\t|\\u0007/, least: 0.3 },
      { what: 'slashes', pattern: /\\\//, least: 0.04 },
      { what: 'escaped Unicode', pattern: /\\u6771|\\u00e9|\\u20ac/, least: 0.1 },
      { what: 'escaped surrogates', pattern: /\\ud83d\\ud/, least: 0.05 },
      { what: 'two bytes', pattern: /[\u0080-\u07ff]/, least: 0.4 },
      { what: 'three bytes', pattern: /[\u0800-\ud7ff]/, least: 0.4 },
      { what: 'four bytes', pattern: /[\u{10000}-\u{10ffff}]/u, least: 0.2 },
      { what: 'exponents', pattern: /:\s?\d(\.\d+)?e[+-]\d/, least: body === 'order' ? 0.02 : 0 },
    ];
    for (const { what, pattern, least } of shares) {
      const share = texts.filter((text) => pattern.test(text)).length / COUNT;
      assert(share >= least, `${what}: ${share}`);
    }
  });
}

function kinds() {
  return Array.from({ length: KINDS }, (_, index) => kindSchema(index));
}

test('bodies are the same in each run, apart from the name of the run', () => {
  const of = (run: string) => bodiesOf({ body: 'order', eventBytes: 1_000, run }, 5);
  assert.deepEqual(
    of('r1').map((text) => text.replace('"r1-', '"r2-')),
    of('r2'),
  );
  assert.deepEqual(of('r1'), bodies.get('order')!.slice(0, 5));
});

test('each of the 16 streams accepts its own events only', () => {
  const ajv = compiler();
  const validators = kinds().map((schema) => ajv.compile(schema));
  for (const [index, text] of bodies.get('mixed')!.slice(0, KINDS).entries()) {
    const event = JSON.parse(text) as { readonly type: string };
    assert.equal(event.type, `s${index}`);
    const accepted = validators.flatMap((validate, kind) => (validate(event) ? [kind] : []));
    assert.deepEqual(accepted, [index]);
  }
});

test('the plain body is the one of earlier figures', () => {
  const [text = '', ...others] = bodiesOf({ body: 'plain', eventBytes: 140, run: 'r1' }, COUNT);
  const fields =
    '{"id":"r1-00000-00000000","clientId":"client-00000","timestamp":1000000000000,"msg":"';
  assert.equal(text, `${fields}${'x'.repeat(140 - fields.length - 2)}"}`);
  assert.deepEqual(others, []);
  const ajv = compiler();
  assert(ajv.validate(schemaOf('plain'), JSON.parse(text)));
});

test('a size that a body does not fit into is an error', () => {
  const tooSmall = () => bodiesOf({ body: 'order', eventBytes: 150, run: 'r1' }, 10);
  assert.throws(tooSmall, /^RangeError: an event does not fit into \d+ bytes$/);
});

test('every load of the scenarios fits its body', () => {
  for (const { body, loads } of BODY_GROUPS) {
    for (const { shape } of loads) {
      const { eventBytes = 140 } = shape;
      bodiesOf({ body, eventBytes, run: 'r99' }, 20);
    }
  }
});
