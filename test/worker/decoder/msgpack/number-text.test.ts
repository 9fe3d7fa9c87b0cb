import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import { numberText } from '../../../../src/worker/decoder/msgpack/number-text.ts';

test('all notations of a number have one text', () => {
  for (const [text, ...ways] of [
    ['0', '0', '-0', '0.0', '-0.000', '0e9', '0E-999999', '-0.0e+1'],
    ['1', '1', '1.0', '1.000', '1e0', '1E0', '1e+0', '1e-0', '10e-1', '100E-02', '0.1e1', '0.01e2'],
    ['-1', '-1', '-1.0', '-10e-1'],
    ['1500', '1500', '1.5e3', '15e2', '1500.00', '0.015E5'],
    ['1.5', '1.5', '1.50', '15e-1', '0.15e+1'],
    ['0.000001', '0.000001', '1e-6', '0.1e-5'],
    ['1e-7', '0.0000001', '1E-7', '10e-8'],
    ['1.25e-7', '0.000000125', '125e-9'],
    ['1700000000000', '1700000000000', '1.7e12'],
    ['1e+40', `1${'0'.repeat(40)}`, '1e40', '1.0E+40', '0.1e41'],
    [`1${'0'.repeat(39)}`, '1e39', `1${'0'.repeat(39)}.0`],
    ['1e+400', '1e400', '10e399', `1${'0'.repeat(400)}`],
  ]) {
    for (const way of ways) assert.equal(numberText(way), text, way);
  }
});

test('no digit is lost', () => {
  for (const text of [
    '9007199254740993',
    '18446744073709551615',
    '12345678901234567890',
    '-340282366920938463463374607431768211455',
    '340282366920938463463374607431768211450',
    '0.12345678901234567890123456789',
    '1234567890123456789.5',
  ]) {
    const zeros = text.includes('.') ? text : `${text}.0`;
    const short = text.includes('.') ? text.replace(/0+$/, '') : text;
    assert.equal(numberText(text), short);
    assert.equal(numberText(`${zeros}00`), short);
  }
  const long = `1${'2'.repeat(60_000)}`;
  assert.equal(numberText(long), `1.${'2'.repeat(60_000)}e+60000`);
});

test('a double has the same text as in JavaScript, within 40 digits', () => {
  const any = fc.oneof(
    fc.double({ noNaN: true, noDefaultInfinity: true }),
    fc.integer(),
    fc.float({ noNaN: true, noDefaultInfinity: true }),
  );
  fc.assert(
    fc.property(any, fc.nat(30), (value, places) => {
      fc.pre(Math.abs(value) < 1e21 || Math.abs(value) >= 1e40);
      const plain = JSON.stringify(value);
      assert.equal(numberText(plain), plain);
      const [digits, exponent = '0'] = plain.split('e');
      const padded = digits!.includes('.') ? digits! : `${digits}.0`;
      assert.equal(numberText(`${padded}${'0'.repeat(places)}e${exponent}`), plain);
    }),
  );
});

test('numbers are equal if and only if their texts are', () => {
  const written = fc
    .tuple(
      fc.bigInt({ min: -2000n, max: 2000n }),
      fc.nat(4),
      fc.integer({ min: -50, max: 50 }),
      fc.nat(3),
    )
    .map(([units, zeros, exponent, shift]) => ({
      text: `${units}${zeros > 0 ? `.${'0'.repeat(zeros)}` : ''}e${exponent}`,
      // In units of 10^-53.
      value: units * 10n ** BigInt(exponent + 53),
      shifted: `${units * 10n ** BigInt(shift)}E${exponent - shift}`,
    }));
  fc.assert(
    fc.property(written, written, (one, other) => {
      assert.equal(numberText(one.text) === numberText(other.text), one.value === other.value);
      assert.equal(numberText(one.text), numberText(one.shifted));
    }),
  );
});

test('an expensive text is converted quickly', () => {
  const start = performance.now();
  const zeros = '0'.repeat(60_000);
  assert.equal(numberText(`0.${zeros}1${zeros}`), '1e-60001');
  assert.equal(numberText(`1${zeros}1.${zeros}`).length, 60_010);
  const endless = `1e${'9'.repeat(60_000)}`;
  assert.equal(numberText(endless), endless);
  assert.equal(numberText(`1e${zeros}5`), '100000');
  assert(performance.now() - start < 2_000, `${performance.now() - start} ms`);
});
