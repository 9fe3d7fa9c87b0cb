import assert from 'node:assert/strict';
import { test } from 'node:test';
import { LIMITS } from '../../src/config/limits.ts';
import type { Fault } from '../../src/ipc.ts';
import { FaultLog } from '../../src/primary/fault-log.ts';

const { quietMs, repeatMs } = LIMITS.faults;

function faultLog() {
  const lines: [level: string, message: string, worker: unknown, held: unknown][] = [];
  const clock = { nowMs: 5_000 };
  const write = (level: string, fields: object, message: string) => {
    const { worker, held } = fields as Record<string, unknown>;
    lines.push([level, message, worker, held]);
  };
  const log = new FaultLog({ write }, () => clock.nowMs);
  const fault = (key: string, held = 0): Fault => ({
    level: 'warn',
    key,
    message: `m ${key}`,
    fields: { a: 1 },
    held,
  });
  return { lines, clock, log, fault };
}

test('a fault of eight workers for five minutes is one line', () => {
  const { lines, clock, log, fault } = faultLog();
  for (let tens = 0; tens < 30; tens++) {
    for (let slot = 1; slot <= 8; slot++) log.report(slot, fault('broker 1'));
    clock.nowMs += 10_000;
  }
  assert.deepEqual(lines, [['warn', 'm broker 1', 1, 0]]);
});

test('faults with different keys have separate lines', () => {
  const { lines, log, fault } = faultLog();
  for (const key of ['broker 1', 'broker 2', 'broker 1']) log.report(2, fault(key));
  assert.deepEqual(
    lines.map(([, message]) => message),
    ['m broker 1', 'm broker 2'],
  );
});

test('a lasting fault is logged again after ten minutes, with the suppressed count', () => {
  const { lines, clock, log, fault } = faultLog();
  const everyMs = quietMs / 2;
  for (let ms = 0; ms <= repeatMs; ms += everyMs) {
    log.report(1, fault('f', 4));
    clock.nowMs += everyMs;
  }
  const heldBack = (repeatMs / everyMs - 1) * 5;
  assert.deepEqual(
    lines.map(([, , , held]) => held),
    [4, heldBack + 4],
  );
});

test('a fault that recurs after a pause, or after Kafka has recovered, is new', () => {
  const { lines, clock, log, fault } = faultLog();
  log.report(1, fault('f'));
  clock.nowMs += quietMs;
  log.report(1, fault('f'));
  assert.equal(lines.length, 2);
  log.report(1, fault('f'));
  assert.equal(lines.length, 2);
  log.forget();
  log.report(1, fault('f'));
  assert.equal(lines.length, 3);
});

test('a fault marked once is one line: for all workers, permanently, also after an outage', () => {
  const { lines, clock, log, fault } = faultLog();
  for (let hour = 0; hour < 24; hour++) {
    for (let slot = 1; slot <= 8; slot++) log.report(slot, { ...fault('once'), once: true });
    log.forget();
    clock.nowMs += 3_600_000;
  }
  assert.deepEqual(lines, [['warn', 'm once', 1, 0]]);
});
