import assert from 'node:assert/strict';
import { test } from 'node:test';
import { LIMITS } from '../../src/config/limits.ts';
import type { Delivery, Waiting, WorkerStatus } from '../../src/ipc.ts';
import { Outage } from '../../src/primary/outage.ts';

const { totalMs, partialMs, confirmMs, steadyMs, everyMs, missingMs } = LIMITS.outage;
const EVENT_TIMEOUT_MS = 120_000;
const LOOK_MS = 500;

const flowing: Delivery = {
  unreachableMs: 0,
  stuckMs: 0,
  unansweredMs: 0,
  stuckPartitions: 0,
  partitions: 6,
  storedAgoMs: 50,
  reason: 'of long ago',
};
const idle: Delivery = { ...flowing, storedAgoMs: Number.POSITIVE_INFINITY };
const nothing: Waiting = { events: 0, bytes: 0, oldestMs: 0 };

/** Report of a worker, by the time since Kafka stopped. */
type Worker = (ms: number) => { delivery: Delivery; waiting?: Waiting } | undefined;

const works: Worker = () => ({ delivery: flowing });
const idles: Worker = () => ({ delivery: idle });
/** Events arrived until Kafka stopped, and wait since then. */
const stuck: Worker = (ms) => ({
  delivery: {
    ...flowing,
    stuckMs: ms,
    unansweredMs: ms,
    stuckPartitions: ms < totalMs ? 0 : 6,
    storedAgoMs: ms,
    reason: 'Kafka does not answer',
  },
  waiting: { events: 10, bytes: 1_000, oldestMs: ms },
});
const unreachable: Worker = (ms) => ({
  delivery: { ...idle, unreachableMs: ms, reason: 'Kafka cannot be reached: connection refused' },
});
const onePartition: Worker = (ms) => ({
  delivery: { ...flowing, stuckMs: ms, stuckPartitions: ms < totalMs ? 0 : 1, reason: 'no leader' },
  waiting: { events: 3, bytes: 30, oldestMs: ms },
});

/** An instance and its log. */
class Instance {
  readonly lines: { level: string; message: string; [field: string]: unknown }[] = [];
  ended = 0;
  nowMs = 1_000_000;
  readonly #outage = new Outage({
    log: { write: (level, fields, message) => this.lines.push({ level, message, ...fields }) },
    eventTimeoutMs: EVENT_TIMEOUT_MS,
    ended: () => this.ended++,
  });

  /** Each worker reports this state for a time. */
  pass(forMs: number, ...workers: Worker[]): this {
    for (let ms = 0; ms <= forMs; ms += LOOK_MS) {
      const statuses = workers
        .map((worker) => worker(ms))
        .map((said) => said && ({ waiting: nothing, ...said } as unknown as WorkerStatus));
      this.#outage.update(statuses, this.nowMs);
      this.nowMs += LOOK_MS;
    }
    return this;
  }

  get current(): Outage['current'] {
    return this.#outage.current;
  }

  get messages(): string[] {
    return this.lines.map(({ message }) => message);
  }
}

test('one error line when nothing is stored for 4 s while events wait: effect, reason, deadline', () => {
  const { lines } = new Instance().pass(totalMs + confirmMs, stuck, stuck);
  const oldestMs = totalMs + confirmMs;
  assert.deepEqual(lines, [
    {
      level: 'error',
      message: 'Kafka outage began',
      effect: 'no event is stored',
      reason: 'Kafka does not answer',
      stuckPartitions: 6,
      partitions: 6,
      waitingEvents: 20,
      waitingBytes: 2_000,
      oldestMs,
      sendersNotifiedInMs: EVENT_TIMEOUT_MS - oldestMs,
    },
  ]);
});

test('one line per minute while it lasts, and one at its end with its duration', () => {
  const instance = new Instance().pass(2 * everyMs + 10_000, stuck, stuck);
  assert.deepEqual(instance.messages, [
    'Kafka outage began',
    'Kafka outage continues',
    'Kafka outage continues',
  ]);
  const [, first, second] = instance.lines;
  assert.equal(first?.level, 'warn');
  assert.equal(first?.durationMs, totalMs + confirmMs + everyMs);
  assert.equal(second?.sendersNotifiedInMs, 0, 'senders are already notified');
  assert.equal(instance.ended, 0);
  instance.pass(steadyMs, works, idles);
  const end = instance.lines.at(-1)!;
  assert.deepEqual([end.level, end.message], ['info', 'Kafka outage ended']);
  assert.equal(end.durationMs, 2 * everyMs + 10_000 + LOOK_MS, 'until all went well');
  assert.equal(instance.ended, 1);
  instance.pass(60_000, works, works);
  assert.equal(instance.lines.length, 4);
});

const BEGIN: readonly [title: string, workers: Worker[], beginsAfterMs: number, effect: string][] =
  [
    ['one worker of two has all the events', [stuck, idles], totalMs, 'no event is stored'],
    [
      'no worker has a leader, and no event waits',
      [unreachable, unreachable],
      totalMs,
      'no event is stored',
    ],
    [
      'a worker is dead, the other is stuck',
      [stuck, () => undefined],
      totalMs,
      'no event is stored',
    ],
    [
      'one partition is stuck for long',
      [works, onePartition],
      partialMs,
      'events of some partitions are not stored',
    ],
    [
      'one worker has no leader, the other stores',
      [works, unreachable],
      partialMs,
      'events of some partitions are not stored',
    ],
  ];
for (const [title, workers, afterMs, effect] of BEGIN) {
  test(`an outage: ${title}`, () => {
    const before = new Instance().pass(afterMs + confirmMs - LOOK_MS, ...workers);
    assert.deepEqual(before.messages, [], 'not sooner');
    const after = new Instance().pass(afterMs + confirmMs, ...workers);
    assert.deepEqual(after.messages, ['Kafka outage began']);
    assert.equal(after.lines[0]?.effect, effect);
  });
}

const NONE: readonly [title: string, workers: Worker[], forMs: number][] = [
  ['a leader election of 2 s for all', [stuck, stuck], 2_000],
  ['an election of 10 s for one partition', [works, onePartition], 10_000],
  ['idle workers', [idles, idles], 3_600_000],
  ['workers that have not spoken yet', [() => undefined, () => undefined], 60_000],
];
for (const [title, workers, forMs] of NONE) {
  test(`no outage: ${title}`, () => {
    const instance = new Instance().pass(forMs, ...workers).pass(10_000, works, works);
    assert.deepEqual(instance.lines, []);
  });
}

test('one bad report after a stall of the whole instance is no outage', () => {
  const instance = new Instance().pass(10_000, works);
  const stalled: Worker = () => stuck(60_000);
  assert.deepEqual(instance.pass(LOOK_MS, stalled).pass(10_000, works).lines, []);
});

test('a Kafka that takes 6 s per batch is one outage, not several', () => {
  const instance = new Instance();
  for (let batch = 0; batch < 20; batch++) instance.pass(6_000, stuck);
  const begun = instance.messages.filter((message) => message === 'Kafka outage began');
  assert.equal(begun.length, 1);
  assert.equal(instance.ended, 0);
});

test('replaced or silent workers do not end an outage', () => {
  const instance = new Instance().pass(10_000, stuck, stuck);
  instance.pass(10_000, () => undefined, works).pass(3_000, unreachable, works);
  assert.deepEqual(instance.messages, ['Kafka outage began']);
  instance.pass(steadyMs, idles, works);
  assert.deepEqual(instance.messages.slice(1), ['Kafka outage ended']);
});

/** Events expired for an unreachable leader, and nothing was sent since. */
const expired: Worker = (ms) => ({
  delivery: { ...idle, stuckMs: ms, stuckPartitions: ms < totalMs ? 0 : 1, reason: 'no leader' },
});

test('an outage that widens from some partitions to all is logged as an error immediately', () => {
  const instance = new Instance().pass(partialMs + confirmMs, works, onePartition);
  assert.deepEqual(instance.messages, ['Kafka outage began']);
  const beganMs = instance.nowMs;
  instance.pass(totalMs + confirmMs, stuck, stuck);
  const [, widened, ...more] = instance.lines;
  assert.deepEqual(
    [widened?.level, widened?.message, widened?.effect, more.length],
    ['error', 'Kafka outage widened', 'no event is stored', 0],
  );
  const durationMs = widened?.durationMs as number;
  assert(durationMs >= beganMs + totalMs - 1_000_000 && durationMs <= instance.nowMs - 1_000_000);
  instance.pass(everyMs, stuck, stuck);
  assert.deepEqual(instance.messages.slice(2), ['Kafka outage continues']);
});

test('an outage that widens and narrows repeatedly is at most two lines per minute', () => {
  const instance = new Instance().pass(partialMs + confirmMs, works, onePartition);
  for (let i = 0; i < 60; i++) {
    instance.pass(totalMs + confirmMs, stuck, stuck).pass(4_000, works, () => onePartition(40_000));
  }
  const minutes = (instance.nowMs - 1_000_000) / 60_000;
  const { length } = instance.messages;
  assert(length >= minutes - 1 && length <= 2 * minutes + 2, `${length} in ${minutes} minutes`);
});

test('one bad report after a stall does not widen an outage', () => {
  const instance = new Instance().pass(partialMs + confirmMs, works, onePartition);
  instance.pass(LOOK_MS, () => stuck(60_000)).pass(10_000, works, () => onePartition(50_000));
  assert.deepEqual(instance.messages, ['Kafka outage began']);
});

test('a total outage keeps its effect while connections open and close', () => {
  const instance = new Instance().pass(10_000, stuck, stuck);
  /** Just lost again: without a known scope. */
  const waits: Worker = () => ({ delivery: { ...idle, unreachableMs: 1_000 } });
  instance.pass(everyMs, waits, waits);
  assert.deepEqual(
    instance.lines.map(({ message, effect }) => [message, effect]),
    [
      ['Kafka outage began', 'no event is stored'],
      ['Kafka outage continues', 'no event is stored'],
    ],
  );
});

test('events that expired for one leader, with nothing sent since, are an outage of some partitions', () => {
  const instance = new Instance().pass(partialMs + everyMs, expired, idles);
  assert.deepEqual(
    instance.lines.map(({ message, effect }) => [message, effect]),
    [['Kafka outage began', 'events of some partitions are not stored']],
  );
  instance.pass(steadyMs, idles, idles);
  assert.equal(instance.messages.at(-1), 'Kafka outage ended');
});

test('a slot without a worker delays the end of an outage, but not indefinitely', () => {
  const instance = new Instance().pass(10_000, stuck, stuck);
  const none: Worker = () => undefined;
  instance.pass(missingMs - LOOK_MS, works, none);
  assert.equal(instance.ended, 0, 'a worker that is replaced');
  instance.pass(steadyMs + LOOK_MS, works, none);
  assert.equal(instance.ended, 1);
});

test('the current outage is available to other parts until its end', () => {
  const instance = new Instance();
  assert.equal(instance.pass(totalMs, stuck).current, undefined);
  const beganMs = instance.nowMs;
  instance.pass(60_000, stuck, idles);
  assert.deepEqual(instance.current, {
    sinceMs: beganMs,
    scope: 'all',
    effect: 'no event is stored',
    reason: 'Kafka does not answer',
  });
  assert.equal(instance.pass(steadyMs, works, works).current, undefined);
});
