import assert from 'node:assert/strict';
import { isUtf8 } from 'node:buffer';
import { test } from 'node:test';
import fc from 'fast-check';
import { INVALID } from '../../../../src/worker/decoder/json/json-grammar.ts';
import {
  writeInteger,
  writeNumber,
  writeString,
} from '../../../../src/worker/decoder/msgpack/json-writer.ts';

const into = Buffer.alloc(1_000);

/** Writes a string as JSON and checks the bytes around it; undefined = rejected. */
function written(source: Buffer): string | undefined {
  into.fill(0xee);
  const padded = Buffer.concat([Buffer.from('é'), source, Buffer.from('é')]);
  const end = writeString(padded, 2, padded.length - 2, into, 3);
  if (end === INVALID) return undefined;
  assert(end - 3 <= 6 * source.length + 2, 'within the maximum length');
  assert.equal(into.toString('latin1', 0, 3), '\xee\xee\xee');
  assert.equal(into[end], 0xee, 'the byte after it is unchanged');
  return into.toString('utf8', 3, end);
}

test('any text is written as by JSON.stringify', () => {
  const unit = fc.oneof(
    fc.constantFrom(...'"\\/\b\t\n\f\r\0\u001f \u007f\u0080é\u2028\ufeff\uffff😀'),
    fc.constantFrom('\u07ff', '\u0800', '\ud7ff', '\ue000', '\u{10000}', '\u{10ffff}'),
  );
  fc.assert(
    fc.property(fc.oneof(fc.string({ unit }), fc.string({ unit: 'binary' })), (text) => {
      assert.equal(written(Buffer.from(text)), JSON.stringify(text));
    }),
    { numRuns: 1_000 },
  );
});

test('each ASCII character is written as by JSON.stringify', () => {
  for (let code = 0; code < 0x80; code++) {
    const text = String.fromCharCode(code);
    assert.equal(written(Buffer.from(text)), JSON.stringify(text));
  }
});

test('of all pairs of bytes, and starts of longer sequences, only UTF-8 is accepted', () => {
  const edges = [0x00, 0x22, 0x7f, 0x80, 0x8f, 0x90, 0x9f, 0xa0, 0xbf, 0xc0, 0xff];
  const tails = [[], ...edges.map((a) => [a]), ...edges.flatMap((a) => edges.map((b) => [a, b]))];
  let accepted = 0;
  for (let first = 0; first < 0x100; first++) {
    for (let second = 0; second < 0x100; second++) {
      // Further bytes matter only for longer sequences.
      for (const tail of first < 0xe0 ? [[]] : tails) {
        const bytes = Buffer.from([first, second, ...tail]);
        const end = writeString(bytes, 0, bytes.length, into, 0);
        if (isUtf8(bytes) !== (end !== INVALID)) assert.fail(`${bytes.toString('hex')}: ${end}`);
        if (end === INVALID) continue;
        accepted++;
        const json = into.toString('utf8', 0, end);
        if (JSON.parse(json) !== bytes.toString()) assert.fail(bytes.toString('hex'));
      }
    }
  }
  assert(accepted > 10_000, `${accepted} were accepted`);
});

test('numbers round-trip, -0 too', () => {
  const special = [
    -0.0000010016698261829272,
    0,
    -0,
    1e21,
    1e-7,
    5e-324,
    Number.MAX_VALUE,
    2 ** 53,
    -(2 ** 53),
    2 ** 53 + 2,
  ];
  const number = fc.oneof(
    fc.double({ noNaN: true, noDefaultInfinity: true }),
    fc.float({ noNaN: true, noDefaultInfinity: true }),
    fc.maxSafeInteger(),
    fc.constantFrom(...special, ...special.map((value) => -value)),
  );
  fc.assert(
    fc.property(number, (value) => {
      into.fill(0xee);
      const end = writeNumber(value, into, 0);
      assert(end <= 25, `${end} bytes`);
      assert.equal(into[end], 0xee, 'the byte after it is unchanged');
      const text = into.toString('latin1', 0, end);
      assert.equal(text, Object.is(value, -0) ? '-0' : JSON.stringify(value));
      assert(Object.is(JSON.parse(text), value), text);
    }),
    { numRuns: 2_000 },
  );
});

test('integers of every length are written digit by digit', () => {
  for (let power = 1; power <= 2 ** 53; power *= 10) {
    for (const value of [power - 1, power, power + 1, power * 7]) {
      if (value > 2 ** 53) continue;
      for (const signed of [value, 0 - value]) {
        const text = into.toString('latin1', 0, writeInteger(signed, into, 0));
        assert.equal(text, BigInt(signed).toString());
      }
    }
  }
});
