import assert from 'node:assert/strict';
import { test } from 'node:test';
import { StartError } from '../../src/common/errors.ts';
import { LIMITS } from '../../src/config/limits.ts';
import { Counters } from '../../src/metrics/counters.ts';
import { SlotAssignment } from '../../src/primary/slot-assignment.ts';

const names = (count: number, prefix: string) =>
  Array.from({ length: count }, (_, index) => `${prefix}${index}`);
const streamsOf = (slots: SlotAssignment) => slots.streams.map(({ name }) => name);
const keysOf = (slots: SlotAssignment) => slots.keys.map(({ name }) => name);

test('a removed stream keeps its slot, and gets it again if it returns', () => {
  const slots = new SlotAssignment(['a', 'b']);
  slots.assignStreams(['b', 'c']);
  assert.deepEqual(streamsOf(slots), ['(none)', 'a', 'b', 'c']);
  slots.assignStreams(['a']);
  assert.deepEqual(streamsOf(slots), ['(none)', 'a', 'b', 'c']);
  assert.deepEqual(streamsOf(new SlotAssignment()), ['default'], 'without a stream file');
});

test('a 65th different stream is an error, and assigns nothing', () => {
  const slots = new SlotAssignment(names(LIMITS.streams - 1, 's'));
  slots.assignStreams(['last']);
  const { current } = slots;
  const failure = /^FOREBAY_STREAMS_FILE: more than 64 different streams since the start, removed/;
  for (const streams of [['more'], ['s0', 'more'], names(LIMITS.streams, 't')]) {
    assert.throws(
      () => slots.assignStreams(streams),
      (error) => error instanceof StartError && failure.test(error.message),
    );
    assert.equal(slots.current, current);
  }
  assert.equal(slots.assignStreams(['last', 's7']), current);
});

test('keys without a slot share `other`, tokens `jwt`; both have series only if needed', () => {
  assert.deepEqual(keysOf(new SlotAssignment()), []);
  assert.deepEqual(keysOf(new SlotAssignment(undefined, true)), ['jwt']);
  const slots = new SlotAssignment();
  slots.assignKeys(names(LIMITS.meteredKeys - 1, 'k'));
  assert.equal(keysOf(slots).length, LIMITS.meteredKeys - 1);
  slots.assignKeys(['k0', 'new', 'newer']);
  const keys = keysOf(slots);
  assert.equal(keys.length, LIMITS.meteredKeys + 1);
  assert.deepEqual([keys[0], keys.at(-1)], ['other', 'new']);
});

test('a key with the name of a shared series counts there', () => {
  const slots = new SlotAssignment();
  slots.assignKeys(['jwt', 'other', 'a']);
  assert.deepEqual(keysOf(slots), ['other', 'jwt', 'a']);
});

test('a snapshot must have the slots of its version', () => {
  const slots = new SlotAssignment(['a']);
  const counters = new Counters();
  counters.assign(slots.current);
  const old = counters.snapshot();
  slots.check(old);
  slots.assignKeys(['k']);
  slots.assignStreams(['b']);
  slots.check(old);
  counters.assign(slots.current);
  const { version, values, keyValues } = counters.snapshot();
  slots.check({ version, values, keyValues });
  for (const wrong of [
    { version: version + 1, values, keyValues },
    { version, values: values.subarray(1), keyValues },
    { version, values: old.values, keyValues },
    { version, values, keyValues: old.keyValues },
  ]) {
    assert.throws(() => slots.check(wrong), /primary and workers share one layout/);
  }
});
