import assert from 'node:assert/strict';
import { type TestContext, test } from 'node:test';
import { pino } from 'pino';
import { LIMITS, MIB } from '../../../src/config/limits.ts';
import { MemoryLimit } from '../../../src/worker/overload/memory-limit.ts';

const MAX = 100 * MIB;

/** A limit, the memory that it sees, the bytes that it reclaims, and its log lines. */
function setUp(t: TestContext, maxBytes: number) {
  t.mock.timers.enable({ apis: ['setInterval'] });
  const lines: { level: number; msg: string; residentBytes: number; ended: number }[] = [];
  const log = pino({}, { write: (line) => lines.push(JSON.parse(line)) });
  const resident: { bytes: number | undefined } = { bytes: 0 };
  const asked: number[] = [];
  const limit = new MemoryLimit(maxBytes, log, () => resident.bytes);
  limit.start(() => ({ reclaim: (bytes) => asked.push(Math.round(bytes)) }));
  const over = (bytes: number | undefined) => {
    resident.bytes = bytes;
    t.mock.timers.tick(LIMITS.memoryLimit.checkMs);
    return limit.exceeded;
  };
  const endTurn = (bytes: number) => {
    resident.bytes = bytes;
    limit.checkAfterTurn();
  };
  return { over, endTurn, asked, lines, limit };
}

test('above the limit memory is reclaimed; connections are rejected only if that was not enough', (t) => {
  const { over, asked, lines } = setUp(t, MAX);
  assert.deepEqual([over(MAX), over(MAX + 1), over(0.94 * MAX)], [false, false, false]);
  // The excess over the resume level, plus twice the growth since the last check.
  assert.deepEqual(asked, [0.05 * MAX + 1 + 2]);
  assert.deepEqual(lines, [], 'no connection was rejected');
  assert.deepEqual([over(2 * MAX), over(MAX)], [false, true]);
  assert.deepEqual(asked.slice(1), [1.05 * MAX + 2 * 1.06 * MAX, 0.05 * MAX]);
});

test('exceeded above the limit, until below 95 % of it: a hysteresis', (t) => {
  const { over, lines } = setUp(t, MAX);
  assert.deepEqual(
    [over(MAX - 1), over(MAX), over(MAX + 1), over(MAX)],
    [false, false, false, true],
  );
  assert.deepEqual([over(MAX - 1), over(0.95 * MAX + 1), over(0.95 * MAX)], [true, true, false]);
  assert.deepEqual([over(MAX), over(MAX + 1), over(MAX + 1)], [false, false, true]);
  assert.deepEqual(
    lines.map(({ level, msg, residentBytes, ended }) => [
      level,
      msg.split(',')[0],
      residentBytes,
      ended,
    ]),
    [
      [40, 'memory above limit', MAX, 1 + 2],
      [30, 'memory below limit', 0.95 * MAX, 1 + 2 + 3 + 4],
      [40, 'memory above limit', MAX + 1, 5 + 6],
    ],
    'a line for each change',
  );
});

test('a turn with much input evicts at once, but rejects no client', (t) => {
  let nowMs = 0;
  t.mock.method(performance, 'now', () => nowMs);
  const { over, endTurn, asked, limit } = setUp(t, MAX);
  nowMs += LIMITS.memoryLimit.turnCheckMs;
  for (let turn = 0; turn < 3; turn++) {
    endTurn(2 * MAX);
    nowMs += LIMITS.memoryLimit.turnCheckMs;
  }
  assert.deepEqual([asked.length, limit.exceeded], [3, false]);
  assert.equal(over(2 * MAX), false, 'freed memory may not be visible yet');
  endTurn(3 * MAX);
  assert.equal(asked.length, 4, 'at most once per interval');
  nowMs += LIMITS.memoryLimit.turnCheckMs;
  endTurn(0.9 * MAX);
  assert.equal(over(2 * MAX), false, 'it was below the limit meanwhile');
  endTurn(2 * MAX);
  assert.equal(over(2 * MAX), true, 'still above the limit at the next periodic check');
});

test('unreadable memory changes nothing', (t) => {
  const { over } = setUp(t, MAX);
  for (const bytes of [undefined, MAX + 1, undefined]) assert.equal(over(bytes), false);
  for (const bytes of [MAX, undefined]) assert.equal(over(bytes), true);
});

test('without a limit nothing is checked or created', (t) => {
  t.mock.timers.enable({ apis: ['setInterval'] });
  const check = () => assert.fail('no check');
  const limit = new MemoryLimit(0, pino({ level: 'silent' }), check);
  limit.start(() => assert.fail('no reclaimer'));
  t.mock.timers.tick(10 * LIMITS.memoryLimit.checkMs);
  limit.checkAfterTurn();
  assert(!limit.exceeded, 'no limit');
});
