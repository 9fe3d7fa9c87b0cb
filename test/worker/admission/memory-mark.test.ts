import assert from 'node:assert/strict';
import { test } from 'node:test';
import { pino } from 'pino';
import { MIB } from '../../../src/limits.ts';
import { MemoryMark } from '../../../src/worker/admission/memory-mark.ts';

const MAX = 100 * MIB;

/** A mark, the memory that it sees, and its log lines. */
function setUp(maxBytes: number) {
  const lines: { level: number; msg: string; residentBytes: number }[] = [];
  const log = pino({}, { write: (line) => lines.push(JSON.parse(line)) });
  const resident: { bytes: number | undefined } = { bytes: 0 };
  const mark = new MemoryMark(maxBytes, log, () => resident.bytes);
  const over = (bytes: number | undefined) => {
    resident.bytes = bytes;
    mark.look();
    return mark.over;
  };
  return { over, lines, mark };
}

test('over above the mark, and no longer below 95% of it: it does not waver between', () => {
  const { over, lines } = setUp(MAX);
  assert.deepEqual([over(MAX - 1), over(MAX), over(MAX + 1)], [false, false, true]);
  assert.deepEqual([over(MAX - 1), over(0.95 * MAX + 1), over(0.95 * MAX)], [true, true, false]);
  assert.deepEqual([over(MAX), over(MAX + 1)], [false, true]);
  assert.deepEqual(
    lines.map(({ level, msg, residentBytes }) => [level, msg.split(':')[0], residentBytes]),
    [
      [40, 'memory is short', MAX + 1],
      [30, 'memory is there again', 0.95 * MAX],
      [40, 'memory is short', MAX + 1],
    ],
    'a line for each change',
  );
});

test('memory that cannot be read changes nothing', () => {
  const { over } = setUp(MAX);
  assert.deepEqual([over(undefined), over(MAX + 1), over(undefined)], [false, true, true]);
});

test('without a mark nothing is looked at', () => {
  const { mark } = setUp(0);
  mark.start();
  assert(!mark.over, 'no mark');
});
