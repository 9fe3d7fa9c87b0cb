import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import { linearAxis, spanningAxis } from '../../../bench/report/axis.ts';

test('a linear axis starts at 0 and has round ticks', () => {
  assert.deepEqual(linearAxis([3, 27]).ticks, [0, 5, 10, 15, 20, 25, 30]);
  assert.deepEqual(linearAxis([0.31]).ticks, [0, 0.1, 0.2, 0.3, 0.4]);
  assert.deepEqual(linearAxis([100_000]).ticks, [0, 20_000, 40_000, 60_000, 80_000, 100_000]);
  assert.deepEqual(linearAxis([0]).ticks.slice(0, 1), [0]);
});

test('a ratio above 30 is logarithmic, with ticks at 1, 2 and 5', () => {
  assert.deepEqual(spanningAxis([4, 96, 24]).ticks, [0, 20, 40, 60, 80, 100]);
  assert.deepEqual(spanningAxis([1, 30]).ticks, [0, 5, 10, 15, 20, 25, 30]);
  assert.deepEqual(spanningAxis([64, 5000]).ticks, [50, 100, 200, 500, 1000, 2000, 5000]);
  assert.deepEqual(spanningAxis([100, 10_000]).ticks, [100, 200, 500, 1000, 2000, 5000, 10_000]);
  assert.deepEqual(spanningAxis([0, 5000]).ticks[0], 0, '0 has no logarithm');
});

test('many decades have one tick each', () => {
  assert.deepEqual(spanningAxis([3, 70_000]).ticks, [1, 10, 100, 1000, 10_000, 100_000]);
});

test('every value is on its axis, and ticks ascend', () => {
  const value = fc.double({ min: 1e-6, max: 1e12, noNaN: true });
  fc.assert(
    fc.property(fc.array(value, { minLength: 1 }), (values) => {
      for (const axis of [linearAxis(values), spanningAxis(values)]) {
        const places = axis.ticks.map((tick) => axis.at(tick));
        assert(places.length >= 2 && places.length <= 20, `${axis.ticks}`);
        for (let i = 1; i < places.length; i++) assert(places[i]! > places[i - 1]!);
        assert(Math.abs(places[0]!) < 1e-9 && Math.abs(places.at(-1)! - 1) < 1e-9);
        for (const one of values) assert(axis.at(one) > -1e-9 && axis.at(one) < 1 + 1e-9);
      }
    }),
  );
});
