/** Path from the bytes of a frame to its records, through each of the decoders. */
import { pino } from 'pino';
import { readConfig } from '../../../src/config/config.ts';
import { KIB, MIB } from '../../../src/config/limits.ts';
import type { SeriesName } from '../../../src/metrics/catalogue.ts';
import { Counters } from '../../../src/metrics/counters.ts';
import { cellOf } from '../../../src/metrics/layout.ts';
import { streamCellsOf } from '../../../src/metrics/slots.ts';
import { implicitStream } from '../../../src/streams/implicit-stream.ts';
import type { RecordFormatSpec, StreamSpec } from '../../../src/streams/stream-file.ts';
import { Accumulator } from '../../../src/worker/accumulator/accumulator.ts';
import type { Owner } from '../../../src/worker/accumulator/batch.ts';
import { Budget } from '../../../src/worker/accumulator/budget.ts';
import { ANONYMOUS } from '../../../src/worker/admission/identity.ts';
import type { DecodeBounds } from '../../../src/worker/decoder/decode-bounds.ts';
import type { EventSink } from '../../../src/worker/decoder/event-sink.ts';
import type { SlicedDecoder } from '../../../src/worker/decoder/json/slices.ts';
import { decodeTextBody } from '../../../src/worker/decoder/json/text.ts';
import { decodeMsgpack } from '../../../src/worker/decoder/msgpack/msgpack.ts';
import { Faults } from '../../../src/worker/faults.ts';
import type { FrameProgress } from '../../../src/worker/intake/frame-progress.ts';
import { Intake } from '../../../src/worker/intake/intake.ts';
import { createStreams, createTopics } from '../../../src/worker/streams/create-streams.ts';
import { Provenance } from '../../../src/worker/streams/provenance.ts';
import type { Route } from '../../../src/worker/streams/route.ts';
import { type HeaderList, headersOf, recordsOf } from '../../../testing/batches.ts';

export type Decoder = (bytes: Buffer, bounds: DecodeBounds, sink: EventSink) => number;

export const NOW = Date.UTC(2026, 0, 31, 12);
export const TRACE = '00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01';
export const BOUNDS: DecodeBounds = { maxEvents: 1_000, maxEventBytes: 64 * KIB, maxDepth: 8 };
const [IMPLICIT] = implicitStream(readConfig({})).streams;
export const FACTS = {
  transport: 'http',
  'user-agent': 'curl/8',
  traceparent: TRACE,
  tracestate: 'a=1',
};
const OWNER: Owner = {
  plain: false,
  transport: 'http',
  identity: ANONYMOUS,
  accepted: () => {},
  settled: () => true,
  rejected: () => {},
};
export const PLAIN: RecordFormatSpec = IMPLICIT!.record;

export interface StoredRecord {
  readonly key: string | undefined;
  readonly value: string;
  readonly timestamp: number;
  readonly headers: HeaderList;
}

/** Counters, and a log with its lines. */
export function reportingTo() {
  const lines: string[] = [];
  const log = pino({ base: null, timestamp: false }, { write: (line: string) => lines.push(line) });
  return { counters: new Counters(), log, lines };
}

/** Streams with a topic of one partition each, unless they share it. */
export function setUp(specs: Readonly<Record<string, Partial<StreamSpec>>>, field?: string) {
  const streams = Object.entries(specs).map(([name, spec]) => {
    return { ...IMPLICIT!, name, key: [], topic: name, ...spec };
  });
  const file = {
    routing: { field: field?.split('.'), unknown: 'refuse' },
    deadLetter: undefined,
    streams,
  };
  const budget = new Budget(64 * MIB);
  const topics = createTopics({ streams, areDeclared: true }, budget, 64 * KIB);
  for (const topic of topics) topic.resize(1);
  const { counters, log, lines } = reportingTo();
  const reporting = { counters, log, faults: new Faults(() => {}) };
  const settings = { maxFrameBytes: 64 * KIB, instance: 'here' };
  const table = createStreams({ file, areDeclared: true }, { budget, topics }, settings, reporting);
  const accumulator = new Accumulator({ budget, batchBytes: 64 * KIB, maxEventBytes: 64 * KIB });
  const codes: string[] = [];
  const intake = new Intake(accumulator, reporting.counters, (_owner, _frame, event, code) => {
    codes.push(`${event ?? 'all'} ${code}`);
  });
  const sender = { identity: ANONYMOUS, origin: '', plain: false };
  const route = table.routeOf(field === undefined ? streams[0]!.name : undefined, sender);
  const begin = (by: Route, provenance: Provenance) =>
    intake.begin(OWNER, 1, by, false, undefined, undefined, provenance, NOW);
  /** Takes the records and rejections so far. */
  const take = (topic = topics[0]!.name) => {
    const [partition] = topics.find(({ name }) => name === topic)!.partitions;
    const records: StoredRecord[] = [];
    for (;;) {
      const batch = partition!.queue.take();
      if (batch === undefined) break;
      const headers = headersOf(batch);
      for (const [index, { key, value, timestamp }] of recordsOf(batch).entries()) {
        const text = { key: key?.toString(), value: value.toString('latin1') };
        records.push({ ...text, timestamp, headers: headers[index]! });
      }
    }
    return { records, codes: codes.splice(0) };
  };
  const cells = streamCellsOf(counters.slots, streams[0]!.name);
  /** Value of a metric of the first stream. */
  const count = (name: SeriesName) => counters.values[cellOf(name) + cells]!;
  return { topics, route, intake, begin, take, count, lines };
}

export type Setup = ReturnType<typeof setUp>;

export function decodeAtOnce(
  { intake, begin }: Setup,
  route: Route,
  bytes: Buffer,
  decoder: Decoder,
  resent = 0,
) {
  begin(route, new Provenance(FACTS, resent));
  intake.countReceived(decoder(bytes, BOUNDS, intake));
}

/** Decodes in slices, with other frames between them. */
export function decodeInSlices(
  { route, intake, begin }: Setup,
  bytes: Buffer,
  decoder: SlicedDecoder,
) {
  const provenance = new Provenance(FACTS, Infinity);
  const slices = decoder(bytes, BOUNDS, intake, { sliceBytes: 40, sliceEvents: 1 });
  let progress: FrameProgress | undefined;
  for (;;) {
    if (progress === undefined) begin(route, provenance);
    else intake.resume(OWNER, 1, route, undefined, provenance, progress);
    const slice = slices.next();
    progress = intake.progress;
    if (slice.done) return;
    intake.countReceived(slice.value);
    begin(route, new Provenance({ transport: 'ws' }));
    decodeTextBody(Buffer.from('[]'), BOUNDS, intake);
    decodeMsgpack(Buffer.of(0x90), BOUNDS, intake);
  }
}

/** The same route for the slow path only. */
export function slowly(route: Route): Route {
  const { stream, keepsSent, names, buffer, deadLetter } = route;
  return {
    stream,
    fastValidator: undefined,
    keepsSent,
    names,
    buffer,
    deadLetter,
    copiesUndecoded: route.copiesUndecoded,
    isStreamless: (event) => route.isStreamless(event),
    streamOf: (event) => route.streamOf(event),
    streamAt: (profile) => route.streamAt(profile),
  };
}
