import assert from 'node:assert/strict';
import { createRequire } from 'node:module';
import { mock, test } from 'node:test';
import '../../src/kafka/request-queue.ts';

const RequestQueue = createRequire(import.meta.url)('kafkajs/src/network/requestQueue');
const logger = { debug: () => {}, namespace: () => logger };

test('kafkajs sets no timer for an empty queue, and sends throttled requests in time', () => {
  mock.timers.enable({ apis: ['setTimeout', 'Date'] });
  const queue = new RequestQueue({ logger });
  queue.checkPendingRequests();
  assert.equal(queue.throttleCheckTimeoutId, null);

  let sent = 0;
  const entry = { correlationId: 1, createdAt: 0 };
  queue.maybeThrottle(100);
  queue.push({ entry, expectResponse: true, sendRequest: () => sent++ });
  mock.timers.tick(99);
  assert.equal(sent, 0);
  mock.timers.tick(101);
  assert.equal(sent, 1);
  queue.destroy();
});
