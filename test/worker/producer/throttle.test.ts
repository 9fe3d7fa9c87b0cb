/** A broker with a throttle time of weeks, which is bounded. A separate file, for its bound. */
import assert from 'node:assert/strict';
import { createRequire } from 'node:module';
import { after, before, test } from 'node:test';
import { LIMITS } from '../../../src/config/limits.ts';
import { endRigs, ProduceRig } from './produce-rig.ts';

const WEEKS_MS = 2 ** 31 - 1;
const BOUND_MS = 300;
const limits: { throttleMs: number } = LIMITS;
const { throttleMs } = LIMITS;
before(() => {
  limits.throttleMs = BOUND_MS;
});
after(() => {
  limits.throttleMs = throttleMs;
  endRigs();
});

test('the broker is sent to again after the bound, and the log has both times', async () => {
  const rig = await ProduceRig.start({});
  rig.reply = () => ({ throttleMs: WEEKS_MS });
  rig.send(0);
  await rig.storedCount(1);
  rig.send(0);
  await rig.storedCount(2);
  const [first, second] = rig.requests;
  assert(second!.atMs - first!.atMs >= BOUND_MS, 'not before');
  const line = rig.lines.find((each) => each.broker === 1);
  assert.deepEqual([line?.throttleMs, line?.mutedMs], [WEEKS_MS, BOUND_MS]);
  rig.end();
});

test('kafkajs waits no longer either, in the queue of its admin client and authentication', () => {
  const RequestQueue = createRequire(import.meta.url)('kafkajs/src/network/requestQueue');
  const logger = { debug: () => {}, namespace: () => logger };
  const queue = new RequestQueue({ logger, isConnected: () => true });
  for (const asked of [null, 0, -1, WEEKS_MS]) {
    queue.maybeThrottle(asked);
    const waitMs = queue.throttledUntil - Date.now();
    assert(asked === WEEKS_MS ? waitMs > 0 && waitMs <= BOUND_MS : waitMs <= 0, `${asked}`);
  }
});
