/** One broker with two connections: routes of lanes, timeouts, round-robin, quotas. */
import assert from 'node:assert/strict';
import { after, describe, test } from 'node:test';
import { setTimeout as sleep } from 'node:timers/promises';
import { LIMITS } from '../../../src/config/limits.ts';
import { Budget } from '../../../src/worker/accumulator/budget.ts';
import { BASE_TIMEOUTS } from '../../../src/worker/producer/adaptive-timeouts.ts';
import { copiesOfRequests, requestBytesMax } from '../../../src/worker/producer/broker.ts';
import { until } from '../../../testing/wait.ts';
import { endRigs, type Produced, ProduceRig, type Reply } from './produce-rig.ts';

const HEALTHY = 0;
const TROUBLED = 1;
const TIMEOUT_MS = 30_000;

/** Sends these replies in order, then stores everything. */
function inTurn(...replies: Reply[]): (request: Produced) => Reply {
  return () => replies.shift() ?? {};
}

/** Returns a rig whose lanes have each stored a batch. */
async function warmRig(options: Parameters<typeof ProduceRig.start>[0] = {}): Promise<ProduceRig> {
  const rig = await ProduceRig.start(options);
  for (let partition = 0; partition < rig.partitions; partition++) rig.send(partition);
  await rig.storedCount(rig.partitions);
  rig.requests.length = 0;
  rig.stored.length = 0;
  return rig;
}

after(endRigs);

describe('a broker', { concurrency: true, timeout: TIMEOUT_MS }, () => {
  test('sends retries on a separate connection, opened on demand', async () => {
    const rig = await warmRig();
    assert.equal(rig.connections, 1);
    rig.reply = inTurn({ codes: { 0: 19 } });
    for (let count = 1; count <= 4; count++) {
      rig.send(0);
      await rig.storedCount(count);
    }
    assert.deepEqual(
      rig.requests.map(({ connection }) => connection),
      [HEALTHY, TROUBLED, TROUBLED, HEALTHY, HEALTHY],
      'and the next first attempt too, until one is stored',
    );
    assert.equal(rig.connections, 2);
    rig.end();
  });

  test('sends requests a linger apart, with batches of all lanes; the first one at once', async () => {
    // Long, so that a slow machine does not look like a wait.
    const lingerMs = 600;
    const rig = await warmRig({ partitions: 3, lingerMs });
    await sleep(lingerMs);
    const startMs = performance.now();
    rig.send(2);
    await rig.storedCount(1);
    assert(rig.requests[0]!.atMs - startMs < lingerMs / 2, 'idle before');
    rig.send(2);
    await sleep(lingerMs / 4);
    rig.send(0);
    await rig.storedCount(3);
    const requests = rig.requests.map(({ partitions }) => partitions);
    assert.deepEqual(requests, [[2], [0, 2]]);
    // Timers fire late, so it is due a millisecond earlier.
    assert(rig.requests[1]!.atMs - startMs >= lingerMs - 2, 'a linger apart');
    rig.end();
  });

  test('has one request in flight on each connection', async () => {
    const rig = await warmRig({ partitions: 6 });
    const open = [0, 0];
    let most = 0;
    rig.reply = ({ connection, partitions }) => {
      open[connection]!++;
      most = Math.max(most, ...open);
      setTimeout(() => open[connection]!--, 9);
      const codes = Object.fromEntries(partitions.map((each) => [each, each < 3 ? 19 : 0]));
      return { codes, delayMs: 10 };
    };
    rig.onStored = (partition) => rig.send(partition);
    for (let partition = 0; partition < 6; partition++) rig.send(partition);
    await until(() => rig.requests.length > 60, { everyMs: 5, what: 'requests' });
    assert.equal(most, 1);
    assert(rig.requests.some(({ connection }) => connection === TROUBLED));
    rig.end();
  });

  test('doubles its timeouts with each consecutive timeout, and resets them with a response', async () => {
    const rig = await warmRig();
    const late = { codes: { 0: 7 } };
    rig.reply = inTurn(late, late, late, late, late, late, { codes: { 0: 19 } });
    rig.send(0);
    await rig.storedCount(1);
    const times = rig.requests.map(({ connection, ackTimeoutMs }) => [connection, ackTimeoutMs]);
    assert.deepEqual(times, [
      [HEALTHY, 1_000],
      [TROUBLED, 1_000],
      [TROUBLED, 2_000],
      [TROUBLED, 4_000],
      [TROUBLED, 7_500],
      [TROUBLED, 7_500],
      [TROUBLED, 7_500],
      [TROUBLED, 1_000],
    ]);
    rig.send(1);
    await rig.storedCount(2);
    assert.equal(rig.requests.at(-1)?.ackTimeoutMs, 2_000, 'each connection separately');
    rig.end();
  });

  test('increases its timeouts without a response, but not after a reset', async () => {
    for (const [instead, ackTimeoutMs] of [
      ['silence', 2_000],
      ['reset', 1_000],
    ] as const) {
      const rig = await warmRig();
      rig.reply = inTurn({ codes: { 0: 19 } }, { instead });
      const startedMs = performance.now();
      rig.send(0);
      await rig.storedCount(1);
      assert.equal(rig.requests[2]?.ackTimeoutMs, ackTimeoutMs, instead);
      if (instead === 'silence') assert(performance.now() - startedMs >= BASE_TIMEOUTS.guardMs);
      rig.end();
    }
  });

  test('over its quota is not sent anything on either connection, without a fault', async () => {
    const rig = await warmRig({ partitions: 3 });
    rig.reply = inTurn({ codes: { 0: 19 } });
    rig.send(0);
    await rig.storedCount(1);
    rig.requests.length = 0;
    const throttleMs = BASE_TIMEOUTS.guardMs + 500;
    rig.reply = ({ partitions }) => (partitions.includes(1) ? { throttleMs } : {});
    rig.send(1);
    await rig.storedCount(2);
    const throttledAtMs = performance.now();
    rig.send(0);
    rig.send(2);
    await rig.storedCount(4);
    const [first, ...later] = rig.requests;
    assert.deepEqual(later.map(({ connection }) => connection).sort(), [HEALTHY, TROUBLED]);
    for (const { atMs } of later) {
      assert(atMs >= first!.atMs + throttleMs, `after ${atMs - first!.atMs} ms`);
      assert(atMs < throttledAtMs + throttleMs + 5_000, 'no longer than that');
    }
    assert.equal(rig.connections, 2, 'no connection was closed');
    const line = rig.lines.find((each) => each.throttleMs === throttleMs);
    assert.equal(line?.broker, 1);
    rig.end();
  });

  test('over its quota for a short time is paused no longer than that', async () => {
    const rig = await warmRig();
    rig.reply = () => ({ throttleMs: 20 });
    rig.onStored = (partition) => rig.send(partition);
    rig.send(0);
    await rig.storedCount(12);
    const gaps = rig.requests.slice(1).map(({ atMs }, index) => atMs - rig.requests[index]!.atMs);
    gaps.sort((one, other) => one - other);
    // Not the maximum: the machine may be busy.
    assert(gaps[0]! >= 20 && gaps[3]! < 65, `${gaps.map(Math.round)}`);
    rig.end();
  });

  test('enforces deadlines while it is over its quota', async () => {
    const rig = await warmRig({ eventTimeoutMs: 400 });
    rig.reply = inTurn({ throttleMs: 10_000 });
    rig.send(0);
    await rig.storedCount(1);
    rig.send(0, 10, 'late');
    const startedMs = performance.now();
    await until(() => rig.refused.length > 0, { everyMs: 5, what: 'its rejection' });
    assert(performance.now() - startedMs < 5_000, 'before the end of the throttle time');
    assert.deepEqual(rig.refused, [['0:late'.padEnd(10), 'kafka_unavailable']]);
    assert.equal(rig.requests.length, 1);
    rig.end();
  });

  for (const [name, connection, code] of [
    ['healthy', HEALTHY, 0],
    ['troubled', TROUBLED, 19],
  ] as const) {
    test(`serves ${name} lanes round-robin when more is due than fits`, async () => {
      const bytes = 30_000;
      const lanes = 5;
      const rig = await warmRig({ partitions: lanes, maxRequestBytes: 2.5 * bytes });
      rig.reply = ({ partitions }) => {
        const codes = Object.fromEntries(partitions.map((partition) => [partition, code]));
        return { codes, delayMs: 300 };
      };
      rig.onStored = (partition) => rig.send(partition, bytes);
      for (let partition = 0; partition < lanes; partition++) rig.send(partition, bytes);
      const requests = () => rig.requests.filter((each) => each.connection === connection);
      await until(() => requests().length >= 14, { what: 'requests' });
      // The first requests find lanes that become ready one by one.
      const full = requests().slice(4, 14);
      assert(
        full.every(({ partitions }) => partitions.length === 2),
        'two fit',
      );
      const turns = Array.from({ length: lanes }, (_, partition) => {
        return full.filter(({ partitions }) => partitions.includes(partition)).length;
      });
      assert.deepEqual(turns, new Array(lanes).fill(4), 'equally often each');
      rig.end();
    });
  }

  test('reports the end of rejections when the batch has its result', async () => {
    const rig = await warmRig();
    const reports: [refused: boolean, stored: number, settled: boolean][] = [];
    rig.onPolicy = (refused) => {
      reports.push([refused, rig.stored.length, rig.producer.settled]);
    };
    rig.reply = inTurn({ codes: { 0: 29 } });
    rig.send(0);
    await rig.storedCount(1);
    assert.deepEqual(reports, [
      [true, 0, false],
      [false, 1, true],
    ]);
    rig.end();
  });

  test('a drain waits for both connections', async () => {
    const rig = await warmRig();
    let stuck = true;
    rig.reply = ({ partitions }) =>
      partitions.includes(0) && stuck ? { codes: { 0: 19 } } : { delayMs: 50 };
    rig.send(0);
    rig.send(1);
    rig.producer.flush();
    await rig.storedCount(1);
    assert.equal(rig.producer.settled, false);
    rig.send(1);
    await rig.storedCount(2);
    assert.deepEqual(
      new Set(
        rig
          .requestsWith(1)
          .slice(1)
          .map(({ connection }) => connection),
      ),
      new Set([HEALTHY]),
    );
    assert.equal(rig.producer.settled, false);
    stuck = false;
    await rig.storedCount(3);
    assert.equal(rig.producer.settled, true);
    assert.equal(rig.budget.usedBytes, 0, 'copies on both connections were released');
    rig.end();
  });

  test('stops while both connections have a request in flight', async () => {
    const rig = await warmRig();
    rig.reply = ({ partitions }) => (partitions.includes(0) ? { codes: { 0: 19 } } : {});
    rig.send(0);
    await until(() => rig.requests.some(({ connection }) => connection === TROUBLED), {
      what: 'a retry',
    });
    rig.reply = () => ({ instead: 'silence' });
    rig.send(1);
    await sleep(300);
    rig.producer.stop();
    const { length } = rig.requests;
    await sleep(300);
    assert.equal(rig.requests.length, length, 'nothing else is sent');
    rig.end();
  });
});

test('copies of the largest requests of all connections take up to a quarter of the budget', () => {
  for (const limitBytes of [4 * 2 ** 20, 64 * 2 ** 20, 1_000_003]) {
    for (const brokers of [1, 3, 50]) {
      const budget = new Budget(limitBytes);
      const requestBytes = requestBytesMax(budget, brokers);
      assert.equal(requestBytes, Math.floor(limitBytes / (16 * brokers)));
      const copies = copiesOfRequests(requestBytes, brokers);
      assert.equal(copies, requestBytes * LIMITS.requestCopies * 2 * brokers);
      budget.reserve(copies);
      assert(budget.eventLimitBytes >= (limitBytes * 3) / 4);
    }
  }
  assert.equal(requestBytesMax(new Budget(1_600), 0), 100, 'no broker is known');
});

test('the reserve covers both connections', async () => {
  const rig = await ProduceRig.start({ maxRequestBytes: 100_000 });
  const { limitBytes, eventLimitBytes } = rig.budget;
  assert.equal(limitBytes - eventLimitBytes, 100_000 * LIMITS.requestCopies * 2);
  rig.end();
});
