/** Metrics by stream and key: slots do not overlap, and snapshots have those in use. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { LIMITS } from '../../src/config/limits.ts';
import { CATALOGUE } from '../../src/metrics/catalogue.ts';
import { Counters, cell, cells, histogram } from '../../src/metrics/counters.ts';
import {
  cellCount,
  firstCell,
  KEY_CELLS,
  LAYOUT_CELLS,
  STREAM_CELLS,
  seriesOf,
  slotDistances,
} from '../../src/metrics/layout.ts';
import {
  declaredSlots,
  IMPLICIT_SLOTS,
  keyCellsByName,
  streamCellsOf,
  withKeys,
  withStreams,
} from '../../src/metrics/slots.ts';

const names = (count: number, prefix = 's') =>
  Array.from({ length: count }, (_, index) => `${prefix}${index}`);

test('each cell belongs to one series and slot', () => {
  const owners = new Uint8Array(LAYOUT_CELLS);
  for (const { name } of CATALOGUE) {
    const series = seriesOf(name);
    if (series.from === 'primary') continue;
    for (const distance of slotDistances(series)) {
      const first = firstCell(name) + distance;
      for (let at = first; at < first + cellCount(series); at++) owners[at]!++;
    }
  }
  assert(owners.every((count) => count === 1));
});

test('without a stream file the snapshot has one stream, in the first slot', () => {
  const counters = new Counters();
  const { version, values, keyValues } = counters.snapshot();
  assert.equal(version, IMPLICIT_SLOTS.version);
  assert.equal(streamCellsOf(IMPLICIT_SLOTS, 'default'), 0);
  assert.equal(keyValues.length, 2 * KEY_CELLS);
  counters.assign(declaredSlots(names(3)));
  assert.equal(counters.snapshot().values.length, values.length + 3 * STREAM_CELLS);
});

test('a snapshot has the slots in use, up to all of them', () => {
  const counters = new Counters();
  const slots = withKeys(declaredSlots(names(LIMITS.streams)), names(LIMITS.meteredKeys, 'k'));
  counters.assign(slots);
  const last = streamCellsOf(slots, `s${LIMITS.streams - 1}`);
  const lastKey = keyCellsByName(slots).get(`k${LIMITS.meteredKeys - 1}`)!;
  const stored = cell('forebay_events_stored_total');
  const errors = cells('forebay_produce_errors_total', ['connection']);
  const keyBytes = cell('forebay_key_bytes_total');
  counters.add(stored + last, 7);
  counters.add(errors.connection + last, 8);
  counters.observe(histogram('forebay_ack_duration_seconds'), 0.5, 2, last);
  counters.add(keyBytes + lastKey, 9);
  const { values, keyValues } = counters.snapshot();
  assert.equal(values.length + keyValues.length, LAYOUT_CELLS);
  assert.equal(values[stored + last], 7);
  assert.equal(values[errors.connection + last], 8);
  assert.equal(keyValues.at(-1), 9);
  assert.equal(values[stored], 0, 'those of other streams do not change');
});

test('a later version has further names; those of earlier ones keep their slots', () => {
  const first = declaredSlots(['a', 'b']);
  const second = withStreams(first, ['c', 'b'])!;
  assert.deepEqual(second.streams, ['(none)', 'a', 'b', 'c']);
  assert.equal(second.version, first.version + 1);
  assert.equal(withStreams(second, ['a']), second, 'nothing new is no new version');
  assert.equal(streamCellsOf(second, 'b'), streamCellsOf(first, 'b'));
  assert.throws(() => streamCellsOf(first, 'c'), /the stream c has a slot/);
});

test('there is no slot for a 65th stream, and for a 257th key that of all others', () => {
  const full = declaredSlots(names(LIMITS.streams));
  assert.equal(withStreams(full, ['one-more']), undefined);
  assert.equal(withStreams(full, ['s0', 's63']), full);
  const keys = withKeys(full, names(LIMITS.meteredKeys + 5, 'k'));
  assert.equal(keys.keys.length, LIMITS.meteredKeys + 2);
  assert.equal(keyCellsByName(keys).get(`k${LIMITS.meteredKeys}`), undefined);
  assert.equal(withKeys(keys, ['late']), keys);
});

test('a gauge is cleared for every stream in use', () => {
  const counters = new Counters();
  const slots = declaredSlots(['a', 'b']);
  counters.assign(slots);
  const inFlight = cell('forebay_events_in_flight');
  const offsets = [0, streamCellsOf(slots, 'a'), streamCellsOf(slots, 'b')];
  for (const offset of offsets) counters.set(inFlight + offset, 5);
  counters.clearStreams(inFlight);
  assert.deepEqual(
    offsets.map((offset) => counters.values[inFlight + offset]),
    [0, 0, 0],
  );
});
