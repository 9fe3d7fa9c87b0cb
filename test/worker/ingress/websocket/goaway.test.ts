import assert from 'node:assert/strict';
import { test } from 'node:test';
import { LIMITS } from '../../../../src/config/limits.ts';
import { Goaway, goawayText, randomAge } from '../../../../src/worker/ingress/websocket/goaway.ts';

const many = <T>(make: () => T): T[] => Array.from({ length: 1_000 }, make);

test('a goaway is complete with the pong, or at the end of the grace period', () => {
  const nowMs = performance.now();
  const leaving = new Goaway('age');
  assert.equal(leaving.reason, 'age');
  assert(!leaving.complete && !leaving.isGraceOver(nowMs + LIMITS.goawayGraceMs - 1));
  assert(leaving.isGraceOver(performance.now() + LIMITS.goawayGraceMs));
  leaving.pong();
  assert(leaving.complete && !leaving.isGraceOver(nowMs));
});

test('a restart spreads reconnects over the whole time, an age does not', () => {
  const at = (text: string) => (JSON.parse(text) as { goaway: { reconnectMs: number } }).goaway;
  const times = many(() => at(goawayText('restart', 100)).reconnectMs);
  assert(times.every((ms) => Number.isInteger(ms) && ms >= 0 && ms <= 100));
  assert(Math.min(...times) < 10 && Math.max(...times) > 90);
  assert.deepEqual(at(goawayText('restart', 0)), { reason: 'restart', reconnectMs: 0 });
  assert.deepEqual(at(goawayText('age', 100)), { reason: 'age', reconnectMs: 0 });
});

test('ages have a jitter of a tenth both ways; 0 is infinite', () => {
  const ages = many(() => randomAge(1_000));
  assert(ages.every((ms) => ms >= 900 && ms <= 1_100));
  assert(Math.min(...ages) < 920 && Math.max(...ages) > 1_080);
  assert.equal(randomAge(0), Number.POSITIVE_INFINITY);
});
