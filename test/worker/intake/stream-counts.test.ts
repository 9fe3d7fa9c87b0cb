/** Each event counts as received and as accepted or rejected for one and the same stream. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import { pino } from 'pino';
import { EVENT_CODES, eventCodes, retryCodes } from '../../../src/common/errors.ts';
import { readConfig } from '../../../src/config/config.ts';
import { Counters, cells } from '../../../src/metrics/counters.ts';
import { STREAM_CELLS } from '../../../src/metrics/layout.ts';
import { implicitStream } from '../../../src/streams/implicit-stream.ts';
import { REFUSE, type StreamFile, type StreamSpec } from '../../../src/streams/stream-file.ts';
import type { Owner } from '../../../src/worker/accumulator/batch.ts';
import { PLAIN } from '../../../src/worker/acknowledger/acknowledger.ts';
import { ANONYMOUS } from '../../../src/worker/admission/identity.ts';
import { TokenBucket } from '../../../src/worker/admission/token-bucket.ts';
import { countEvents } from '../../../src/worker/decoder/json/count-events.ts';
import { decodeText } from '../../../src/worker/decoder/json/text.ts';
import { Faults } from '../../../src/worker/faults.ts';
import { wireBuffer, wireIntake } from '../../../src/worker/wire.ts';

const RECEIVED = cells('forebay_events_received_total', ['ws', 'http']);
const REFUSED = cells('forebay_events_refused_total', eventCodes);
const DROPPED = cells('forebay_events_dropped_total', retryCodes);
/** Codes of invalid events. */
const INVALID = eventCodes.filter(
  (code) => !EVENT_CODES[code].retry && code !== 'forbidden_stream',
);
const SETTINGS = readConfig({});
const BOUNDS = { maxEvents: 1_000, maxEventBytes: 65_536, maxDepth: 64 };
const STREAMS = ['(none)', 'a', 'b', 'c', 'd'] as const;
const BODY: Owner = { ...PLAIN, plain: false, transport: 'http' };

const [IMPLICIT] = implicitStream(SETTINGS).streams;
const spec = (name: string, topic: string, more: Partial<StreamSpec> = {}): StreamSpec => {
  return { ...IMPLICIT!, name, topic, match: [name], key: [['id']], ...more };
};
/** Two streams share a topic; the last one has no room for long events. */
const FILE: StreamFile = {
  routing: { field: ['type'], unknown: REFUSE },
  deadLetter: undefined,
  streams: [
    spec('a', 'shared'),
    spec('b', 'shared', { key: [] }),
    spec('c', 'other', { key: [['id'], ['n']] }),
    spec('d', 'short', { limits: { ...IMPLICIT!.limits, eventBytes: 40 } }),
  ],
};

/** The stages from the decoder to the acknowledger, with the streams of {@link FILE}. */
function createStages() {
  const counters = new Counters();
  const buffer = wireBuffer(SETTINGS, { streams: FILE.streams, areDeclared: true });
  for (const topic of buffer.topics) topic.resize(2);
  const reporting = { counters, log: pino({ enabled: false }), faults: new Faults(() => {}) };
  const declarations = { file: FILE, areDeclared: true };
  const stages = wireIntake(SETTINGS, buffer, reporting, declarations);
  const { intake, streams, violations } = stages;
  const sumOf = (byLabel: Readonly<Record<string, number>>, offset: number) =>
    Object.values(byLabel).reduce((sum, cell) => sum + counters.values[cell + offset]!, 0);
  /** By stream: received, rejected and accepted events. */
  const counts = () => {
    const accepted = new Map<number, number>();
    for (const { queue } of buffer.topics.flatMap(({ partitions }) => partitions)) {
      queue.walk((batch) =>
        batch.eachStream((offset, events) =>
          accepted.set(offset, (accepted.get(offset) ?? 0) + events),
        ),
      );
    }
    return STREAMS.map((_, slot) => {
      const offset = slot * STREAM_CELLS;
      const rejected = sumOf(REFUSED, offset) + sumOf(DROPPED, offset);
      return [sumOf(RECEIVED, offset), rejected, accepted.get(offset) ?? 0] as const;
    });
  };
  /** By stream: invalid events in the metrics, and as recorded for the live view. */
  const invalid = () => {
    const report = violations.take() ?? [];
    return STREAMS.map((stream, slot) => {
      const offset = slot * STREAM_CELLS;
      const counted = INVALID.map((code) => counters.values[REFUSED[code] + offset]!);
      const recorded = report.flatMap((group) =>
        group.stream === stream ? [...group.rows, { events: group.otherEvents }] : [],
      );
      const sum = (events: readonly number[]) => events.reduce((all, one) => all + one, 0);
      return [sum(counted), sum(recorded.map(({ events }) => events))] as const;
    });
  };
  /** Calls `during` while no topic has room. */
  const whileFull = (during: () => void) => {
    const { limitBytes } = buffer.budget;
    const memories = buffer.topics.map(({ share }) => share ?? buffer.budget);
    for (const memory of memories) memory.forceCharge(limitBytes);
    during();
    for (const memory of memories) memory.release(limitBytes);
  };
  return { intake, streams, counts, invalid, whileFull };
}

type Stages = ReturnType<typeof createStages>;

interface Frame {
  readonly path: string | undefined;
  readonly plain: boolean;
  readonly events: readonly string[];
  /** Tokens of its sender; undefined = no limit. */
  readonly tokens: number | undefined;
  /** It finds the buffer full. */
  readonly full: boolean;
}

function decode(stages: Stages, frame: Frame): void {
  if (frame.full) stages.whileFull(() => decode(stages, { ...frame, full: false }));
  else decodeNow(stages, frame);
}

function decodeNow({ intake, streams }: Stages, { path, plain, events, tokens }: Frame): void {
  const route = streams.table.routeOf(path, { identity: ANONYMOUS, origin: '', plain });
  const rate = tokens === undefined ? undefined : { eventsPerSecond: 1, burst: tokens };
  const buckets = rate && [new TokenBucket(rate)];
  const bytes = Buffer.from(`[${events.join()}]`);
  intake.begin(plain ? PLAIN : BODY, 1, route, false, buckets);
  const inDebt = intake.rejectIfInDebt();
  const rejected = inDebt ? 1 : intake.rejectIfFull(bytes, countEvents, BOUNDS.maxEvents);
  intake.countReceived(rejected || decodeText(bytes, BOUNDS, intake));
  intake.end(bytes.length);
}

const anyEvent = fc.constantFrom(
  '{"type":"a","id":"1"}',
  '{"type":"a","id":"2","more":[1,{"x":null}]}',
  '{"type":"b"}',
  '{"type":"c","id":"1","n":2}',
  '{"type":"d","id":"1"}',
  '{"type":"d","id":"this one is longer than the limit of its stream"}',
  '{"type":"none"}',
  '{"type":7}',
  '{"id":"1"}',
  '[]',
  '"text"',
);
const anyFrame: fc.Arbitrary<Frame> = fc.record({
  path: fc.constantFrom(undefined, undefined, undefined, 'a', 'b', 'd', 'none'),
  plain: fc.boolean(),
  events: fc.oneof(
    { weight: 9, arbitrary: fc.array(anyEvent, { minLength: 1, maxLength: 6 }) },
    { weight: 1, arbitrary: fc.constant(['{"type":"a"}', '{broken']) },
  ),
  tokens: fc.option(
    fc.nat(4).map((tokens) => tokens + 1),
    { nil: undefined, freq: 3 },
  ),
  full: fc.boolean(),
});

test('received = rejected + accepted for each stream, and each invalid event is a violation', () => {
  const met = new Set<string>();
  fc.assert(
    fc.property(fc.array(anyFrame, { maxLength: 12 }), (frames) => {
      const stages = createStages();
      for (const frame of frames) decode(stages, frame);
      for (const [slot, [received, rejected, accepted]] of stages.counts().entries()) {
        assert.equal(received, rejected + accepted, STREAMS[slot]);
        if (rejected > 0) met.add(`${STREAMS[slot]} rejected`);
        if (accepted > 0) met.add(`${STREAMS[slot]} accepted`);
      }
      for (const [slot, [counted, recorded]] of stages.invalid().entries()) {
        assert.equal(recorded, counted, `violations of ${STREAMS[slot]}`);
      }
    }),
    { numRuns: 300 },
  );
  assert.equal(met.has('(none) accepted'), false);
  assert.deepEqual([...met].filter((one) => one.endsWith('accepted')).length, 4);
  assert(met.has('(none) rejected') && met.has('d rejected'));
});

test('10,000 unknown names count as one: events without a stream', () => {
  const stages = createStages();
  for (let start = 0; start < 10_000; start += 500) {
    const events = Array.from({ length: 500 }, (_, index) => `{"type":"x${start + index}"}`);
    decode(stages, { path: undefined, plain: false, events, tokens: undefined, full: false });
  }
  assert.deepEqual(stages.counts(), [
    [10_000, 10_000, 0],
    [0, 0, 0],
    [0, 0, 0],
    [0, 0, 0],
    [0, 0, 0],
  ]);
});

test('events of a frame count for the streams that their field names', () => {
  const stages = createStages();
  const events = [
    '{"type":"a","id":"1"}',
    '{"type":"b"}',
    '{"type":"a","id":"2"}',
    '{"type":"none"}',
    '{"type":"c","id":"1","n":1}',
    '7',
  ];
  decode(stages, { path: undefined, plain: false, events, tokens: undefined, full: false });
  assert.deepEqual(stages.counts(), [
    [2, 2, 0],
    [2, 0, 2],
    [1, 0, 1],
    [1, 0, 1],
    [0, 0, 0],
  ]);
  decode(stages, { path: 'b', plain: true, events, tokens: undefined, full: false });
  assert.deepEqual(stages.counts()[2], [7, 1, 6], 'the path comes first');
  decode(stages, { path: 'b', plain: true, events, tokens: undefined, full: true });
  assert.deepEqual(stages.counts()[2], [13, 7, 6], 'no room for any');
});
