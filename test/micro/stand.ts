/** The stages of a worker with the log of `forebay micro` in place of Kafka. */
import { readConfig } from '../../src/config/config.ts';
import { MIB } from '../../src/config/limits.ts';
import { Counters } from '../../src/metrics/counters.ts';
import { EventLog, type EventLogOptions } from '../../src/micro/event-log.ts';
import { MicroStorage } from '../../src/micro/micro-storage.ts';
import { implicitStream } from '../../src/streams/implicit-stream.ts';
import type { StreamFile, StreamSpec } from '../../src/streams/stream-file.ts';
import type { Owner } from '../../src/worker/accumulator/batch.ts';
import { ANONYMOUS } from '../../src/worker/admission/identity.ts';
import { decodeTextBody } from '../../src/worker/decoder/json/text.ts';
import { wireBuffer, wireIntake } from '../../src/worker/wire.ts';
import { recordFaults } from '../worker/faults.ts';

const BOUNDS = { maxEvents: 1_000, maxEventBytes: MIB, maxDepth: 32 };
const CONFIG = readConfig({ KAFKA_TOPIC_PARTITIONS: '3' });
const [IMPLICIT] = implicitStream(CONFIG).streams;

export interface StandOptions {
  /** Streams by name; without any there is no stream file. */
  readonly streams?: Readonly<Record<string, Partial<StreamSpec>>>;
  readonly log?: Partial<EventLogOptions>;
}

/** Opens a stand, with the stages of one worker. */
export function openStand({ streams: specs, log: options }: StandOptions = {}) {
  const areDeclared = specs !== undefined;
  const streams = Object.entries(specs ?? {}).map(([name, spec]) => {
    return { ...IMPLICIT!, name, key: [], topic: name, ...spec };
  });
  const declared = { routing: { field: undefined, unknown: 'refuse' }, deadLetter: undefined };
  const file: StreamFile = areDeclared ? { ...declared, streams } : implicitStream(CONFIG);
  const log = new EventLog({ maxBytes: MIB, ...options });
  const storage = new MicroStorage(log, CONFIG);
  const counters = new Counters();
  const { faults, lines } = recordFaults();
  const reporting = { counters, log: { info() {}, warn() {} } as never, faults };
  const buffer = wireBuffer(CONFIG, { streams: file.streams, areDeclared });
  const rejections = storage.rejections(counters);
  const stages = wireIntake(CONFIG, buffer, reporting, { file, areDeclared }, rejections);
  let reached = 0;
  const producer = storage.createProducer({
    ...buffer,
    ...reporting,
    deliveries: stages.deliveries,
    topicListener: { reached: () => reached++ } as never,
    file: () => file,
  });
  /** Results of events, in the order of their arrival at the owner. */
  const results: string[] = [];
  const owner: Owner = {
    plain: false,
    transport: 'http',
    identity: ANONYMOUS,
    accepted: () => {},
    settled: (_frame, events, from, to) => {
      results.push(...events.slice(from, to).map((event) => `${event} settled`));
      return true;
    },
    rejected: (_frame, event, code) => void results.push(`${event ?? 'all'} ${code}`),
  };
  const sender = { identity: ANONYMOUS, origin: '', plain: false };
  /** Sends a body to a stream, by default to that of the settings. */
  const send = (body: string, stream?: string) => {
    const { intake } = stages;
    intake.begin(owner, 1, stages.streams.table.routeOf(stream, sender));
    intake.countReceived(decodeTextBody(Buffer.from(body), BOUNDS, intake));
  };
  /** Entries of the log. */
  const entries = (stream?: string) =>
    log
      .select({ stream, since: 0, limit: 10_000, bytes: 10 * MIB })
      .lines.map((line) => JSON.parse(line) as Record<string, unknown>);
  return {
    ...buffer,
    log,
    storage,
    producer,
    results,
    send,
    entries,
    lines,
    reached: () => reached,
  };
}

/** An event of the built-in schema. */
export function event(msg: string, clientId = 'me'): string {
  return JSON.stringify({ msg, clientId, timestamp: 1 });
}
