/**
 * A lane against a model of Kafka's idempotence: whatever responses are lost, delayed or wrong, no
 * record is stored twice or out of order, and every record reported as stored is in the log.
 */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import { noAnswer, type Outcome, outcomeOf } from '../../../src/worker/producer/error-table.ts';
import { valuesOf } from '../../../testing/batches.ts';
import { AT, headerOf } from '../../fakes/broker/record-batch.ts';
import { ModelBroker } from './model-broker.ts';
import { PRODUCER_ID, Rig } from './rig.ts';

/** Fate of one attempt. */
type Fault =
  | { readonly kind: 'none' }
  /** The broker appends the batch, and answers with this code or not at all. */
  | { readonly kind: 'answer lost'; readonly code: number | undefined }
  /** The batch does not reach the broker; the answer is this code, or none. */
  | { readonly kind: 'not taken'; readonly code: number | undefined }
  /** No answer, and the broker appends the batch after this many further attempts. */
  | { readonly kind: 'late'; readonly attempts: number };

const OPEN_FATE = [7, 20, 6, 3, 56, 13, -1];
const openFate = fc.constantFrom(undefined, ...OPEN_FATE);
const definite = fc.constantFrom(2, 10, 19, 29, 32, 45, 47, 59, 74, 75);

const anyFault: fc.Arbitrary<Fault> = fc.oneof(
  fc.constant<Fault>({ kind: 'none' }),
  fc.record({ kind: fc.constant('answer lost' as const), code: openFate }),
  fc.record({ kind: fc.constant('not taken' as const), code: fc.oneof(openFate, definite) }),
);
const anyFaultOrLate: fc.Arbitrary<Fault> = fc.oneof(
  { weight: 4, arbitrary: anyFault },
  fc.record({ kind: fc.constant('late' as const), attempts: fc.integer({ min: 1, max: 6 }) }),
);
/** Sizes of batches; a negative one contains a record that the broker always rejects. */
const anyBatches = fc.array(
  fc.integer({ min: -5, max: 5 }).filter((size) => size !== 0),
  { minLength: 1, maxLength: 8, size: 'max' },
);

/** Input and results of a run. */
class Run {
  readonly broker = new ModelBroker();
  readonly rig: Rig;
  readonly fates = new Map<string, 'stored' | 'rejected' | 'given up'>();
  readonly #late: { bytes: Buffer; attempts: number }[] = [];
  #producerIds = 0n;
  /** Bytes of the head's last attempt, if that left its fate open. */
  #unknownBytes: Buffer | undefined;

  constructor(epoch: number, sequence: number) {
    this.rig = new Rig({ epoch, sequence, random: () => 0 });
  }

  attempt(fault: Fault): void {
    const { lane } = this.rig;
    if (lane.needsProducerId) lane.setProducerId(PRODUCER_ID + ++this.#producerIds, 0);
    const bytes = this.rig.send();
    if (this.#unknownBytes !== undefined) assert.deepEqual(bytes, this.#unknownBytes);
    const settlement = this.rig.settle(this.#outcome(bytes, fault));
    this.#unknownBytes = lane.unknown ? bytes : undefined;
    if (settlement.do === 'split') this.rig.halve(settlement.batch);
    if (settlement.do === 'retry' || settlement.do === 'split') return;
    const fate = { stored: 'stored', reject: 'rejected', giveUp: 'given up' } as const;
    for (const value of valuesOf(settlement.batch)) {
      assert(!this.fates.has(value), 'a record has one fate');
      this.fates.set(value, fate[settlement.do]);
      if (settlement.do === 'stored') assert(this.broker.log.includes(value), `${value} is stored`);
    }
  }

  /** Delivers delayed batches to the broker. */
  deliverLate(everything: boolean): void {
    for (const copy of this.#late.splice(0)) {
      if (everything || --copy.attempts <= 0) this.broker.produce(copy.bytes);
      else this.#late.push(copy);
    }
  }

  #outcome(bytes: Buffer, fault: Fault): Outcome {
    this.deliverLate(false);
    switch (fault.kind) {
      case 'none':
        return outcomeOf(this.broker.produce(bytes));
      case 'answer lost':
        this.broker.produce(bytes);
        break;
      case 'not taken':
        break;
      case 'late':
        this.#late.push({ bytes, attempts: fault.attempts });
        return noAnswer('request_timeout');
    }
    return fault.code === undefined ? noAnswer('connection') : outcomeOf(fault.code);
  }
}

function simulate(
  sizes: readonly number[],
  faults: readonly Fault[],
  epoch: number,
  sequence: number,
): Run {
  const run = new Run(epoch, sequence);
  const waiting = [...faults];
  let next = 0;
  for (const size of sizes) {
    const names = Array.from({ length: Math.abs(size) }, () => `${next++}`);
    if (size < 0) names[0] = `BAD ${names[0]}`;
    run.rig.start(...names);
    // Without faults, nearly every attempt ends a batch, apart from splits and epochs.
    for (let left = 30 + waiting.length; run.rig.lane.advance(); left--) {
      assert(left > 0, 'a lane makes progress');
      run.attempt(waiting.shift() ?? { kind: 'none' });
    }
  }
  run.deliverLate(true);
  return run;
}

function check({ broker, fates }: Run, sizes: readonly number[]): void {
  const order = broker.log.map((value) => Number(value));
  for (let at = 1; at < order.length; at++) {
    assert(order[at]! > order[at - 1]!, `in order and once: ${order}`);
  }
  const inLog = new Set(broker.log);
  for (const [value, fate] of fates) {
    if (fate === 'stored') assert(inLog.has(value), `${value} was reported as stored`);
    if (fate === 'rejected') assert(!inLog.has(value), `${value} was reported as rejected`);
  }
  assert.equal(
    fates.size,
    sizes.reduce((sum, size) => sum + Math.abs(size), 0),
    'every record has a fate',
  );
}

const faults = (fault: fc.Arbitrary<Fault>) => fc.array(fault, { maxLength: 40, size: 'max' });

test('lost, wrong and late responses: stored once, in order, and only stored records are reported so', () => {
  let givenUp = 0;
  fc.assert(
    fc.property(anyBatches, faults(anyFaultOrLate), fc.nat(100), (sizes, wrong, sequence) => {
      const run = simulate(sizes, wrong, 0, sequence);
      check(run, sizes);
      for (const fate of run.fates.values()) if (fate === 'given up') givenUp++;
    }),
    { numRuns: 1_500 },
  );
  assert(givenUp > 0, 'the faults led to abandoned batches');
});

test('the same across the end of sequences and epochs', () => {
  let newProducers = 0;
  const nearEnd = fc.integer({ min: 2 ** 31 - 12, max: 2 ** 31 - 1 });
  const epochs = fc.integer({ min: 32_764, max: 32_767 });
  fc.assert(
    fc.property(anyBatches, faults(anyFault), epochs, nearEnd, (sizes, wrong, epoch, sequence) => {
      const run = simulate(sizes, wrong, epoch, sequence);
      check(run, sizes);
      if (run.rig.lane.position.producerId !== PRODUCER_ID) newProducers++;
    }),
    { numRuns: 1_000 },
  );
  assert(newProducers > 0, 'some lanes got a new producer id');
});

test('the model broker follows the rules that a real one showed', () => {
  const rig = new Rig({ sequence: 2_147_483_640 });
  const broker = new ModelBroker();
  rig.start(...Array.from({ length: 10 }, (_, index) => `${index}`));
  const first = rig.send();
  assert.equal(broker.produce(first), 0, 'any first sequence without state');
  assert.equal(broker.produce(first), 0, 'a repeat looks like a success');
  assert.equal(broker.log.length, 10, 'and is not appended');
  rig.settle({ kind: 'stored' });
  rig.start('10');
  const second = rig.send();
  assert.equal(headerOf(second).sequence, 2);
  const changed = (epoch: number, sequence: number) => {
    const bytes = Buffer.from(second);
    bytes.writeInt16BE(epoch, AT.epoch);
    bytes.writeInt32BE(sequence, AT.sequence);
    return broker.produce(bytes);
  };
  assert.equal(changed(0, 3), 45, 'a gap');
  assert.equal(changed(0, 2), 0);
  assert.equal(changed(1, 3), 45, 'a new epoch that does not begin at 0');
  assert.equal(changed(1, 0), 0);
  assert.equal(changed(0, 3), 47, 'the old epoch after that');
});
