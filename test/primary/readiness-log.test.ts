import assert from 'node:assert/strict';
import { type TestContext, test } from 'node:test';
import { LIMITS } from '../../src/config/limits.ts';
import { ReadinessLog } from '../../src/primary/readiness-log.ts';

const { repeatMs } = LIMITS.faults;

/** Log lines of an instance by its readiness, with a manual clock. */
function rig(t: TestContext) {
  t.mock.timers.enable({ apis: ['setTimeout'] });
  const lines: string[] = [];
  const state = { nowMs: 0, stops: false };
  const write = (level: string, fields: object, message: string) => {
    const { reasons = [] } = fields as { reasons?: string[] };
    lines.push([level, message, ...reasons].join(' | '));
  };
  const log = new ReadinessLog(
    { write },
    () => state.stops,
    () => state.nowMs,
  );
  t.after(() => log.end());
  /** Keeps this state for a time; no reasons = ready. */
  const pass = (forMs: number, ...reasons: string[]) => {
    log.update({ ready: reasons.length === 0, reasons });
    state.nowMs += forMs;
    t.mock.timers.tick(forMs);
  };
  return { lines, pass, state };
}

test('reasons that alternate for an hour are one line each per 10 minutes', (t) => {
  const { lines, pass } = rig(t);
  for (let ms = 0; ms < 3_600_000; ms += 4_000) {
    pass(2_000, 'refused');
    pass(2_000, 'no such host');
  }
  const repeats = 3_600_000 / repeatMs;
  assert.deepEqual(lines.slice(0, 2), [
    'warn | not ready | refused',
    'warn | not ready | no such host',
  ]);
  assert(lines.length >= 2 * repeats - 2 && lines.length <= 2 * repeats, `${lines.length}`);
});

test('another order or mix of logged reasons adds no line', (t) => {
  const { lines, pass } = rig(t);
  pass(2_000, 'a', 'b', 'c');
  for (const mix of ['a', 'b a', 'c', 'c a b', 'c b']) pass(2_000, ...mix.split(' '));
  assert.deepEqual(lines, ['warn | not ready | a | b | c']);
  pass(2_000, 'a', 'd');
  assert.equal(lines.at(-1), 'warn | not ready | a | d', 'a new one comes with all that hold');
});

test('each transition is a line, even with reasons logged before it', (t) => {
  const { lines, pass } = rig(t);
  pass(2_000, 'a');
  pass(2_000);
  pass(2_000, 'a');
  pass(2_000);
  assert.deepEqual(lines, [
    'warn | not ready | a',
    'info | ready',
    'warn | not ready | a',
    'info | ready',
  ]);
});

test('a state shorter than a second is not logged; a longer one is, even if its reasons change', (t) => {
  const { lines, pass } = rig(t);
  pass(1_000);
  pass(900, 'a');
  pass(1_000);
  assert.deepEqual(lines, ['info | ready']);
  for (let i = 0; i < 10; i++) pass(400, i % 2 ? 'a' : 'b');
  assert.deepEqual(lines.slice(1), ['warn | not ready | b', 'warn | not ready | a']);
});

test('a stop is not logged', (t) => {
  const { lines, pass, state } = rig(t);
  pass(1_000);
  state.stops = true;
  pass(5_000, 'draining');
  assert.deepEqual(lines, ['info | ready']);
});
