/**
 * Every row of the error table, returned by a broker over TCP to the real producer. Partition 0
 * gets the error; partition 1 shares the request and must not be affected.
 */
import assert from 'node:assert/strict';
import { after, describe, test } from 'node:test';
import type { ProduceErrorClass } from '../../../src/metrics/labels.ts';
import { errorName } from '../../../src/worker/producer/error-table.ts';
import { PATIENCE_MS, until } from '../../../testing/wait.ts';
import { type Attempt, FakeCluster } from '../../fakes/broker/cluster.ts';
import type { Fault, Injection } from '../../fakes/broker/injections.ts';
import { endPipelines, Pipeline, type PipelineOptions, TOPIC } from './pipeline.ts';

after(endPipelines);

interface Scene {
  readonly cluster: FakeCluster;
  readonly pipeline: Pipeline;
  /** Faults for the next batches of partition 0, in order. */
  inject(...faults: Fault[]): void;
  /** Attempts of partition 0. */
  attempts(): Attempt[];
  log(): string[];
}

/** Runs `act`; asserts that all faults were injected, and that the neighbor was stored at once. */
async function scene(act: (scene: Scene) => Promise<void>, options: PipelineOptions = {}) {
  const cluster = await FakeCluster.start({ topics: { [TOPIC]: 2 } });
  const pipeline = await Pipeline.start(cluster, options);
  const injections: Injection[] = [];
  await act({
    cluster,
    pipeline,
    inject: (...faults) => {
      const target = { request: 'Produce', partition: 0 } as const;
      for (const fault of faults) injections.push(cluster.inject(target, fault));
      pipeline.send(1, 'neighbour');
    },
    attempts: () => cluster.attempts.filter(({ partition }) => partition === 0),
    log: () => cluster.partition(TOPIC, 0).values,
  });
  for (const { fault, consumed } of injections) {
    assert.equal(consumed, 1, `${JSON.stringify(fault)} happened`);
  }
  assert.deepEqual(cluster.partition(TOPIC, 1).values, ['neighbour']);
  const neighbor = cluster.attempts.filter(({ partition }) => partition === 1);
  assert.equal(neighbor.length, 1, 'the neighbor was sent once');
  await pipeline.close();
}

function fatesOf({ pipeline }: Scene): Record<string, string> {
  const { neighbour, ...fates } = Object.fromEntries(pipeline.fates);
  assert.equal(neighbour, 'stored');
  return fates;
}

/** Asserts that partition 0 continues: the next batch is stored. */
async function continues({ pipeline, log }: Scene): Promise<void> {
  await pipeline.exchange(0, 'next');
  assert.equal(pipeline.fates.get('next'), 'stored');
  assert.equal(log().at(-1), 'next');
}

const title = (code: number) => errorName(code);
/** Rejects batches that were never unknown; a batch that may be stored is given up. */
const INVALID_RECORD: Fault = { code: 87 };

/** [code, class] of errors that may follow the append, so that the fate is open. */
const OPEN: readonly [number, ProduceErrorClass][] = [
  ...[3, 5, 6, 7, 8, 9, 13, 20, 56].map((code) => [code, 'unknown'] as const),
  ...[-1, 1, 42, 90, 99].map((code) => [code, 'unexpected'] as const),
].map(([code, errorClass]) => [code, errorClass]);

describe('the fate is open after', { concurrency: true, timeout: PATIENCE_MS }, () => {
  for (const [code, errorClass] of OPEN) {
    for (const append of [true, false]) {
      test(`${title(code)}, ${append ? 'appended' : 'not appended'}: the same bytes again`, () =>
        scene(async (s) => {
          s.inject({ code, append });
          const asked = s.cluster.count('Metadata');
          await s.pipeline.exchange(0, 'a', 'b');
          assert.deepEqual(fatesOf(s), { a: 'stored', b: 'stored' });
          assert.deepEqual(s.log(), ['a', 'b']);
          assert.deepEqual(s.pipeline.errors, { [errorClass]: 1 });
          const [first, second, ...more] = s.attempts();
          assert.deepEqual(first?.bytes, second?.bytes);
          assert.deepEqual(more, []);
          assert.deepEqual(s.pipeline.resets, { epoch: 0, producerId: 0 });
          await until(() => s.cluster.count('Metadata') > asked, { what: 'a metadata request' });
          await continues(s);
        }));
    }
    test(`${title(code)}: a later rejection is not believed`, () =>
      scene(async (s) => {
        s.inject({ code, append: true }, INVALID_RECORD);
        await s.pipeline.exchange(0, 'a');
        assert.deepEqual(fatesOf(s), { a: 'timeout' });
        assert.deepEqual(s.pipeline.errors, { [errorClass]: 1, poison: 1 });
        assert.equal(s.pipeline.resets.epoch, 1);
        await continues(s);
        assert.deepEqual(s.log(), ['a', 'next']);
        const { epoch, sequence } = s.attempts().at(-1)!.header;
        assert.deepEqual({ epoch, sequence }, { epoch: 1, sequence: 0 });
      }));
  }
});

describe('nothing was appended after', { concurrency: true, timeout: PATIENCE_MS }, () => {
  for (const code of [19, 74, 75, 2]) {
    test(`${title(code)}: the same bytes again`, () =>
      scene(async (s) => {
        s.inject({ code });
        await s.pipeline.exchange(0, 'a', 'b');
        assert.deepEqual(fatesOf(s), { a: 'stored', b: 'stored' });
        assert.deepEqual(s.log(), ['a', 'b']);
        assert.deepEqual(s.pipeline.errors, { not_appended: 1 });
        const [first, second, ...more] = s.attempts();
        assert.deepEqual(first?.bytes, second?.bytes);
        assert.deepEqual(more, []);
        await continues(s);
      }));

    test(`${title(code)}: a later rejection is believed`, () =>
      scene(async (s) => {
        s.inject({ code }, INVALID_RECORD);
        await s.pipeline.exchange(0, 'a');
        assert.deepEqual(fatesOf(s), { a: 'rejected_by_kafka' });
        assert.deepEqual(s.pipeline.errors, { not_appended: 1, poison: 1 });
        assert.equal(s.pipeline.resets.epoch, 0);
        await continues(s);
        assert.deepEqual(s.log(), ['next']);
      }));
  }
});

describe('INVALID_TIMESTAMP', { concurrency: true, timeout: PATIENCE_MS }, () => {
  test('is restamped and sealed again, with the same sequence', () =>
    scene(async (s) => {
      // Late enough for the clock to advance.
      s.inject({ code: 32, delayMs: 5 });
      await s.pipeline.exchange(0, 'a', 'b');
      assert.deepEqual(fatesOf(s), { a: 'stored', b: 'stored' });
      assert.deepEqual(s.log(), ['a', 'b']);
      assert.deepEqual(s.pipeline.errors, { timestamp: 1 });
      const [first, second] = s.attempts().map(({ header }) => header);
      assert(second!.firstTimestamp > first!.firstTimestamp, 'a newer time');
      assert.deepEqual(second, { ...first, firstTimestamp: second!.firstTimestamp });
      await continues(s);
    }));

  test('of a batch that may be stored never changes its bytes', () =>
    scene(async (s) => {
      s.inject({ code: 7, append: true }, { code: 32 });
      await s.pipeline.exchange(0, 'a');
      assert.deepEqual(fatesOf(s), { a: 'timeout' });
      assert.deepEqual(s.pipeline.errors, { unknown: 1, timestamp: 1 });
      assert.equal(s.pipeline.resets.epoch, 1);
      await continues(s);
      assert.deepEqual(s.log(), ['a', 'next']);
    }));
});

describe('poison', { concurrency: true, timeout: PATIENCE_MS }, () => {
  for (const [code, refusal] of [
    [10, 'too_large'],
    [18, 'too_large'],
    [87, 'rejected_by_kafka'],
    [2, 'rejected_by_kafka'],
  ] as const) {
    const twice = code === 2 ? ', twice each' : '';
    test(`${title(code)}${twice}: split until the rejected record is alone`, () =>
      scene(async (s) => {
        s.inject();
        const target = { request: 'Produce', partition: 0, value: 'BAD', times: 99 } as const;
        const injected = s.cluster.inject(target, { code });
        await s.pipeline.exchange(0, 'a', 'BAD', 'c', 'd');
        const others = { a: 'stored', c: 'stored', d: 'stored' };
        assert.deepEqual(fatesOf(s), { ...others, BAD: refusal });
        assert.deepEqual(s.log(), ['a', 'c', 'd'], 'in order');
        const alsoOnce = code === 2 ? { not_appended: 3 } : {};
        assert.deepEqual(s.pipeline.errors, { ...alsoOnce, poison: 3 });
        assert.equal(injected.consumed, code === 2 ? 6 : 3);
        assert.deepEqual(s.pipeline.resets, { epoch: 0, producerId: 0 });
        await continues(s);
      }));
  }

  test('a batch above max.message.bytes, by the broker’s own check', async () => {
    const cluster = await FakeCluster.start({ topics: { [TOPIC]: 1 }, maxMessageBytes: 400 });
    const pipeline = await Pipeline.start(cluster);
    const [small, large] = ['s'.repeat(150), 'l'.repeat(500)];
    await pipeline.exchange(0, small, large, 'tiny');
    const expected = { [small]: 'stored', [large]: 'too_large', tiny: 'stored' };
    assert.deepEqual(Object.fromEntries(pipeline.fates), expected);
    assert.deepEqual(cluster.partition(TOPIC, 0).values, [small, 'tiny']);
    await pipeline.close();
  });
});

describe('out of sequence by', { concurrency: true, timeout: PATIENCE_MS }, () => {
  for (const code of [45, 47, 59]) {
    test(`${title(code)}, definite: the same records, next epoch, sequence 0`, () =>
      scene(async (s) => {
        await s.pipeline.exchange(0, 'before');
        s.inject({ code });
        await s.pipeline.exchange(0, 'a', 'b');
        assert.deepEqual(fatesOf(s), { before: 'stored', a: 'stored', b: 'stored' });
        assert.deepEqual(s.log(), ['before', 'a', 'b']);
        assert.deepEqual(s.pipeline.errors, { sequence: 1 });
        assert.deepEqual(s.pipeline.resets, { epoch: 1, producerId: 0 });
        const [, first, second] = s.attempts().map(({ header }) => header);
        assert.equal(first!.sequence, 1);
        assert.deepEqual(second, { ...first, epoch: 1, sequence: 0 });
        await continues(s);
      }));

    test(`${title(code)}, unknown: timeout, never sent again, the lane continues`, () =>
      scene(async (s) => {
        s.inject({ code: 7, append: true }, { code });
        await s.pipeline.exchange(0, 'a');
        assert.deepEqual(fatesOf(s), { a: 'timeout' });
        assert.deepEqual(s.pipeline.errors, { unknown: 1, sequence: 1 });
        assert.deepEqual(s.pipeline.resets, { epoch: 1, producerId: 0 });
        await continues(s);
        assert.deepEqual(s.log(), ['a', 'next'], 'once');
        assert.equal(s.attempts().length, 3);
      }));
  }

  test(`${title(46)} counts as stored and raises an alarm`, () =>
    scene(async (s) => {
      s.inject({ code: 46, append: true });
      await s.pipeline.exchange(0, 'a');
      assert.deepEqual(fatesOf(s), { a: 'stored' });
      assert.deepEqual(s.pipeline.errors, { duplicate_sequence: 1 });
      assert.equal(s.attempts().length, 1);
      await continues(s);
      assert.deepEqual(s.log(), ['a', 'next']);
    }));
});

describe('refused by policy', { concurrency: true, timeout: PATIENCE_MS }, () => {
  for (const code of [29, 31, 17, 44, 43, 76]) {
    test(`${title(code)}: reported, retried slowly, and continued`, () =>
      scene(async (s) => {
        s.inject({ code });
        await s.pipeline.exchange(0, 'a');
        assert.deepEqual(fatesOf(s), { a: 'stored' });
        assert.deepEqual(s.log(), ['a']);
        assert.deepEqual(s.pipeline.errors, { refused_by_policy: 1 });
        const [first, second] = s.attempts();
        assert(second!.atMs - first!.atMs > 700, 'slowly');
        assert.deepEqual(first!.bytes, second!.bytes);
        const said = s.pipeline.facts.filter((fact) => fact === 'refused' || fact === 'allowed');
        assert.deepEqual(said, ['refused', 'allowed']);
        await continues(s);
      }));
  }

  test('is definite: a later rejection for good is believed', () =>
    scene(async (s) => {
      s.inject({ code: 29 }, INVALID_RECORD);
      await s.pipeline.exchange(0, 'a');
      assert.deepEqual(fatesOf(s), { a: 'rejected_by_kafka' });
      assert.equal(s.pipeline.resets.epoch, 0);
    }));

  test('the deadline answers the clients once, and the batch is stored late', () =>
    scene(
      async (s) => {
        s.inject({ code: 29 });
        s.pipeline.send(0, 'a');
        await until(() => s.pipeline.overdue.length > 0, { what: 'the deadline' });
        assert.equal(s.pipeline.fates.has('a'), false, 'retries continue');
        await s.pipeline.settled();
        assert.deepEqual(s.pipeline.overdue, ['a'], 'reported once');
        assert.deepEqual(s.log(), ['a']);
      },
      { eventTimeoutMs: 300 },
    ));
});
