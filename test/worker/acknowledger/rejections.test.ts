import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import { EVENT_CODES, eventCodes } from '../../../src/common/errors.ts';
import { MIB } from '../../../src/config/limits.ts';
import { Budget } from '../../../src/worker/accumulator/budget.ts';
import { Rejections } from '../../../src/worker/acknowledger/rejections.ts';

const budget = new Budget(64 * MIB);
const INDEXES = Array.from({ length: 60 }, (_, index) => index);

test('indexes of a code become ranges, in order and as few as possible', () => {
  fc.assert(
    fc.property(fc.shuffledSubarray(INDEXES, { minLength: 1 }), (events) => {
      const rejections = new Rejections(budget);
      for (const event of events) rejections.add(event, 'schema', 'wrong');
      const ranges = rejections.entries()[0]!.events!;
      const named = ranges.flatMap(([first, last]) =>
        Array.from({ length: last - first + 1 }, (_, index) => first + index),
      );
      assert.deepEqual(
        named,
        [...events].sort((a, b) => a - b),
      );
      for (let at = 1; at < ranges.length; at++) {
        assert(ranges[at]![0] > ranges[at - 1]![1] + 1, 'adjacent ranges are merged');
      }
      assert.deepEqual(rejections.entries()[0]!.events, ranges, 'a second call changes nothing');
    }),
  );
});

test('each code has one entry, with its first message', () => {
  const rejections = new Rejections(budget);
  rejections.add(0, 'schema', 'event 0: first');
  rejections.add(1, 'buffer_full', 'event 1: full');
  rejections.add(2, 'schema', 'event 2: second');
  const entries = rejections.entries();
  assert.deepEqual(
    entries.map(({ code, message, events }) => ({ code, message, events })),
    [
      {
        code: 'schema',
        message: 'event 0: first',
        events: [
          [0, 0],
          [2, 2],
        ],
      },
      { code: 'buffer_full', message: 'event 1: full', events: [[1, 1]] },
    ],
  );
});

test('a known retryAfterMs is reported: the longest of a code, a little later, never sooner', () => {
  const seen = new Set<number>();
  for (let round = 0; round < 100; round++) {
    const rejections = new Rejections(budget);
    rejections.add(0, 'rate_limited', 'too many', 700);
    rejections.add(1, 'rate_limited', 'too many', 10_000);
    rejections.add(2, 'rate_limited', 'too many', 9_000);
    const [{ retryAfterMs = 0 } = {}] = rejections.entries();
    assert(retryAfterMs >= 10_000 && retryAfterMs <= 12_500, `${retryAfterMs}`);
    seen.add(retryAfterMs);
  }
  assert(seen.size > 1, 'retries are jittered');
});

test('a frame that cannot be decoded has no ranges', () => {
  const rejections = new Rejections(budget);
  rejections.add(undefined, 'too_large', 'the frame has 70000 bytes');
  assert.deepEqual(rejections.entries(), [
    { code: 'too_large', retry: false, message: 'the frame has 70000 bytes' },
  ]);
});

test('a code of the whole frame has no events, even if one was added before', () => {
  const rejections = new Rejections(budget);
  rejections.add(0, 'too_large', 'one event');
  rejections.add(undefined, 'too_large', 'all of it');
  assert.deepEqual(rejections.entries(), [
    { code: 'too_large', retry: false, message: 'one event' },
  ]);
});

test('every retriable code has retryAfterMs, and no other', () => {
  const spread = new Set<number>();
  for (let round = 0; round < 50; round++) {
    for (const code of eventCodes) {
      const rejections = new Rejections(budget);
      rejections.add(0, code, 'why');
      const [entry] = rejections.entries();
      assert.equal(entry?.retry, EVENT_CODES[code].retry);
      assert.equal(entry?.retryAfterMs !== undefined, EVENT_CODES[code].retry, code);
      if (code !== 'timeout') continue;
      const pauseMs = entry!.retryAfterMs!;
      assert(pauseMs >= 750 && pauseMs <= 1_250, `${pauseMs} ms`);
      spread.add(pauseMs);
    }
  }
  assert(spread.size > 10, 'retries are jittered');
});

test('a message is bounded', () => {
  const rejections = new Rejections(budget);
  rejections.add(0, 'schema', 'x'.repeat(1_000));
  assert.equal(rejections.entries()[0]?.message.length, 200);
});

test('its memory is charged, at least a byte per event, beyond the limit too, until the release', () => {
  const small = new Budget(MIB);
  const all = Array.from({ length: 1_000 }, (_, frame) => {
    const rejections = new Rejections(small);
    rejections.add(0, 'schema', 'x'.repeat(100));
    const before = rejections.chargedBytes;
    rejections.add(0, 'schema', 'y');
    assert.equal(rejections.chargedBytes, before, 'nothing is added');
    rejections.add(frame, 'not_an_object', 'x'.repeat(100));
    assert(rejections.chargedBytes > before + 100 && rejections.chargedBytes > frame + 200);
    return rejections;
  });
  assert(small.usedBytes > small.limitBytes && small.underPressure);
  assert.equal(
    small.usedBytes,
    all.reduce((sum, { chargedBytes }) => sum + chargedBytes, 0),
  );
  for (const rejections of all) rejections.release();
  assert.deepEqual([small.usedBytes, small.underPressure], [0, false]);
});
