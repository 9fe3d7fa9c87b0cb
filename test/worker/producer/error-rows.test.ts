/**
 * Every row of the error table, answered by a broker over TCP to the real producer. Partition 0
 * meets the error; partition 1 travels in the same request and must not be disturbed.
 */
import assert from 'node:assert/strict';
import { after, describe, test } from 'node:test';
import type { ProduceErrorClass } from '../../../src/metrics/catalogue.ts';
import { errorName } from '../../../src/worker/producer/error-table.ts';
import { until } from '../../../testing/wait.ts';
import { type Attempt, FakeCluster } from '../../fakes/broker/cluster.ts';
import type { Fault, Injection } from '../../fakes/broker/injections.ts';
import { endPipelines, Pipeline, type PipelineOptions, TOPIC } from './pipeline.ts';

after(endPipelines);

interface Scene {
  readonly cluster: FakeCluster;
  readonly pipeline: Pipeline;
  /** The next batches of partition 0 meet these, one after the other. */
  inject(...faults: Fault[]): void;
  /** Attempts of partition 0. */
  attempts(): Attempt[];
  log(): string[];
}

/** Runs `act`; then all that was injected has happened, and the neighbour was stored at once. */
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
  const beside = cluster.attempts.filter(({ partition }) => partition === 1);
  assert.equal(beside.length, 1, 'the neighbour went out once');
  await pipeline.close();
}

function fatesOf({ pipeline }: Scene): Record<string, string> {
  const { neighbour, ...fates } = Object.fromEntries(pipeline.fates);
  assert.equal(neighbour, 'stored');
  return fates;
}

/** Partition 0 goes on: the next batch is stored. */
async function goesOn({ pipeline, log }: Scene): Promise<void> {
  await pipeline.exchange(0, 'next');
  assert.equal(pipeline.fates.get('next'), 'stored');
  assert.equal(log().at(-1), 'next');
}

const title = (code: number) => `${code} ${errorName(code)}`;
/** INVALID_RECORD: what was never unknown is refused for it, what may be stored is given up. */
const REFUSED_FOR_GOOD: Fault = { code: 87 };

/** [code, class]: may come after the append, so the fate is open. */
const OPEN: readonly [number, ProduceErrorClass][] = [
  ...[3, 5, 6, 7, 8, 9, 13, 20, 56].map((code) => [code, 'unknown'] as const),
  ...[-1, 1, 42, 90, 99].map((code) => [code, 'unexpected'] as const),
].map(([code, errorClass]) => [code, errorClass]);

describe('the fate is open after', { concurrency: true, timeout: 20_000 }, () => {
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
          await until(() => s.cluster.count('Metadata') > asked, { what: 'a look at the leaders' });
          await goesOn(s);
        }));
    }
    test(`${title(code)}: a refusal that follows is not believed`, () =>
      scene(async (s) => {
        s.inject({ code, append: true }, REFUSED_FOR_GOOD);
        await s.pipeline.exchange(0, 'a');
        assert.deepEqual(fatesOf(s), { a: 'timeout' });
        assert.deepEqual(s.pipeline.errors, { [errorClass]: 1, poison: 1 });
        assert.equal(s.pipeline.resets.epoch, 1);
        await goesOn(s);
        assert.deepEqual(s.log(), ['a', 'next']);
        const { epoch, sequence } = s.attempts().at(-1)!.header;
        assert.deepEqual({ epoch, sequence }, { epoch: 1, sequence: 0 });
      }));
  }
});

describe('nothing was appended after', { concurrency: true, timeout: 20_000 }, () => {
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
        await goesOn(s);
      }));

    test(`${title(code)}: a refusal that follows is believed`, () =>
      scene(async (s) => {
        s.inject({ code }, REFUSED_FOR_GOOD);
        await s.pipeline.exchange(0, 'a');
        assert.deepEqual(fatesOf(s), { a: 'rejected_by_kafka' });
        assert.deepEqual(s.pipeline.errors, { not_appended: 1, poison: 1 });
        assert.equal(s.pipeline.resets.epoch, 0);
        await goesOn(s);
        assert.deepEqual(s.log(), ['next']);
      }));
  }
});

describe('INVALID_TIMESTAMP', { concurrency: true, timeout: 20_000 }, () => {
  test('is stamped and sealed again, with the same sequence', () =>
    scene(async (s) => {
      // Late enough for the clock to have gone on.
      s.inject({ code: 32, delayMs: 5 });
      await s.pipeline.exchange(0, 'a', 'b');
      assert.deepEqual(fatesOf(s), { a: 'stored', b: 'stored' });
      assert.deepEqual(s.log(), ['a', 'b']);
      assert.deepEqual(s.pipeline.errors, { timestamp: 1 });
      const [first, second] = s.attempts().map(({ header }) => header);
      assert(second!.firstTimestamp > first!.firstTimestamp, 'a newer time');
      assert.deepEqual(second, { ...first, firstTimestamp: second!.firstTimestamp });
      await goesOn(s);
    }));

  test('of a batch that may be stored is never answered with other bytes', () =>
    scene(async (s) => {
      s.inject({ code: 7, append: true }, { code: 32 });
      await s.pipeline.exchange(0, 'a');
      assert.deepEqual(fatesOf(s), { a: 'timeout' });
      assert.deepEqual(s.pipeline.errors, { unknown: 1, timestamp: 1 });
      assert.equal(s.pipeline.resets.epoch, 1);
      await goesOn(s);
      assert.deepEqual(s.log(), ['a', 'next']);
    }));
});

describe('poison', { concurrency: true, timeout: 20_000 }, () => {
  for (const [code, refusal] of [
    [10, 'too_large'],
    [18, 'too_large'],
    [87, 'rejected_by_kafka'],
    [2, 'rejected_by_kafka'],
  ] as const) {
    const twice = code === 2 ? ', twice each' : '';
    test(`${title(code)}${twice}: split until the guilty record stands alone`, () =>
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
        await goesOn(s);
      }));
  }

  test('a batch longer than max.message.bytes, by the broker’s own rule', async () => {
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

describe('out of sequence by', { concurrency: true, timeout: 20_000 }, () => {
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
        await goesOn(s);
      }));

    test(`${title(code)}, unknown: told timeout, never sent again, the lane goes on`, () =>
      scene(async (s) => {
        s.inject({ code: 7, append: true }, { code });
        await s.pipeline.exchange(0, 'a');
        assert.deepEqual(fatesOf(s), { a: 'timeout' });
        assert.deepEqual(s.pipeline.errors, { unknown: 1, sequence: 1 });
        assert.deepEqual(s.pipeline.resets, { epoch: 1, producerId: 0 });
        await goesOn(s);
        assert.deepEqual(s.log(), ['a', 'next'], 'once');
        assert.equal(s.attempts().length, 3);
      }));
  }

  test(`${title(46)}: stored, and counted as wrong`, () =>
    scene(async (s) => {
      s.inject({ code: 46, append: true });
      await s.pipeline.exchange(0, 'a');
      assert.deepEqual(fatesOf(s), { a: 'stored' });
      assert.deepEqual(s.pipeline.errors, { duplicate_sequence: 1 });
      assert.equal(s.attempts().length, 1);
      await goesOn(s);
      assert.deepEqual(s.log(), ['a', 'next']);
    }));
});

describe('refused by policy', { concurrency: true, timeout: 20_000 }, () => {
  for (const code of [29, 31, 17, 44, 43, 76]) {
    test(`${title(code)}: said, tried slowly, and taken up again`, () =>
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
        await goesOn(s);
      }));
  }

  test('is definite: a refusal for good that follows is believed', () =>
    scene(async (s) => {
      s.inject({ code: 29 }, REFUSED_FOR_GOOD);
      await s.pipeline.exchange(0, 'a');
      assert.deepEqual(fatesOf(s), { a: 'rejected_by_kafka' });
      assert.equal(s.pipeline.resets.epoch, 0);
    }));

  test('the deadline answers the clients once, and the batch lands late', () =>
    scene(
      async (s) => {
        s.inject({ code: 29 });
        s.pipeline.send(0, 'a');
        await until(() => s.pipeline.overdue.length > 0, { what: 'the deadline' });
        assert.equal(s.pipeline.fates.has('a'), false, 'it is still tried');
        await s.pipeline.settled();
        assert.deepEqual(s.pipeline.overdue, ['a'], 'told once');
        assert.deepEqual(s.log(), ['a']);
      },
      { eventTimeoutMs: 300 },
    ));
});
