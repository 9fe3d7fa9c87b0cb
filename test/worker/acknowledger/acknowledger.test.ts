import assert from 'node:assert/strict';
import { test } from 'node:test';
import { setImmediate } from 'node:timers/promises';
import fc from 'fast-check';
import { pino } from 'pino';
import { EVENT_CODES, type EventCode, eventCodes, retryCodes } from '../../../src/common/errors.ts';
import { MIB } from '../../../src/config/limits.ts';
import { Counters, cell, cells, histogram } from '../../../src/metrics/counters.ts';
import { KEY_RESULTS } from '../../../src/metrics/labels.ts';
import { KEY_CELLS, STREAM_CELLS } from '../../../src/metrics/layout.ts';
import { JWT_KEY_CELLS } from '../../../src/metrics/slots.ts';
import { type Owner, RecordBatch } from '../../../src/worker/accumulator/batch.ts';
import { Budget } from '../../../src/worker/accumulator/budget.ts';
import type { AckStream } from '../../../src/worker/acknowledger/ack-stream.ts';
import { Acknowledger, PLAIN } from '../../../src/worker/acknowledger/acknowledger.ts';
import { Credit } from '../../../src/worker/acknowledger/credit.ts';
import { type EventsResponse, HttpReply } from '../../../src/worker/acknowledger/http-reply.ts';
import { ANONYMOUS, Identity } from '../../../src/worker/admission/identity.ts';
import { ANY_PARTITION } from '../../../testing/batches.ts';
import { lateEvents } from './late-events.ts';

const STORED = cell('forebay_events_stored_total');
const STORED_LATE = cell('forebay_events_stored_late_total');
const REFUSED = cells('forebay_events_refused_total', eventCodes);
const DROPPED = cells('forebay_events_dropped_total', retryCodes);
const KEY_EVENTS = cells('forebay_key_events_total', KEY_RESULTS);
const ACK_DURATION = histogram('forebay_ack_duration_seconds');

const VALUE = Buffer.from('{}');
/** Offsets of the cells of three streams, and of the clients' keys. */
const STREAMS = [0, STREAM_CELLS, 2 * STREAM_CELLS] as const;
const CLIENT_KEYS = [2 * KEY_CELLS, 3 * KEY_CELLS, JWT_KEY_CELLS] as const;
const TOKEN = new Identity(
  'subject',
  Number.POSITIVE_INFINITY,
  undefined,
  undefined,
  JWT_KEY_CELLS,
);

/** State of one event in the test. */
interface Tracked {
  readonly owner: Owner;
  /** Offset of its stream's cells. */
  readonly cells: number;
  /** Its sender has received `timeout`, and it is still in flight. */
  timedOut: boolean;
}

/** An acknowledger, its neighbors, and the expected counters. */
class World {
  readonly counters = new Counters();
  readonly released: RecordBatch[] = [];
  readonly logged: Record<string, unknown>[] = [];
  readonly acknowledger: Acknowledger;
  readonly streams: AckStream[];
  readonly texts: string[][] = [];
  readonly replies: { reply: HttpReply; responses: EventsResponse[]; events: Tracked[] }[] = [];
  readonly batches = new Map<RecordBatch, Tracked[]>();
  readonly expected = new Map<number, number>();
  /** Events of API keys by cells of key and stream, and by outcome: counted, and expected. */
  readonly byKey = new Map<string, number>();
  readonly expectedByKey = new Map<string, number>();
  /** Events by offset of their stream's cells. */
  readonly received = new Map<number, number>();

  constructor() {
    const write = (line: string) => this.logged.push(JSON.parse(line));
    const log = pino({ base: null }, { write });
    const release = (batch: RecordBatch) => this.released.push(batch);
    const credit = new Credit(new Budget(64 * MIB), 65_536);
    const add = (...[key, cells, outcome, events]: [number, number, string, number]) =>
      increase(this.byKey, `${key} ${cells} ${outcome}`, events);
    this.acknowledger = new Acknowledger(this.counters, credit, release, log, undefined, { add });
    this.streams = [0, 1].map((index) => {
      this.texts.push([]);
      const send = (texts: readonly string[]) => this.texts[index]!.push(...texts);
      const identity = new Identity(
        `key ${index}`,
        Number.POSITIVE_INFINITY,
        undefined,
        undefined,
        CLIENT_KEYS[index],
      );
      return this.acknowledger.createStream({ send, unreadBytes: () => 0 }, identity);
    });
  }

  /** A batch of these events. */
  begin(): RecordBatch {
    const batch = new RecordBatch(Buffer.alloc(4_096), ANY_PARTITION);
    this.batches.set(batch, []);
    return batch;
  }

  accept(batch: RecordBatch, owner: Owner, frame: number, event: number, cells = 0): Tracked {
    batch.append(1_000, VALUE, 0, -1, VALUE, 0, VALUE.length);
    batch.addOwner(owner, frame, event, performance.now(), cells);
    owner.accepted(frame, event, cells);
    const tracked = { owner, cells, timedOut: false };
    this.batches.get(batch)!.push(tracked);
    this.#receive(cells);
    return tracked;
  }

  reject(owner: Owner, frame: number, event: number | undefined, code: EventCode, cells = 0): void {
    this.acknowledger.reject(owner, frame, event, code, 'why', cells);
    this.#receive(cells);
    this.#expectRejection({ owner, cells }, code);
  }

  stored(batch: RecordBatch): void {
    for (const { timedOut, owner, cells } of this.#take(batch)) {
      this.#expect((timedOut ? STORED_LATE : STORED) + cells);
      if (!timedOut) this.#expectForKey({ owner, cells }, 'stored', 'stored');
    }
    this.acknowledger.stored(batch);
  }

  refused(batch: RecordBatch, code: EventCode): void {
    for (const event of this.#take(batch)) if (!event.timedOut) this.#expectRejection(event, code);
    this.acknowledger.rejected(batch, code);
  }

  overdue(batch: RecordBatch): void {
    this.#tell(this.batches.get(batch)!);
    this.acknowledger.overdue(batch);
  }

  /** A body of `count` events, spread over these batches, and over this number of streams. */
  post(batches: readonly RecordBatch[], count: number, streams = 1): (typeof this.replies)[number] {
    const responses: EventsResponse[] = [];
    const reply = new HttpReply(TOKEN, new Budget(MIB), (response) => responses.push(response));
    const events: Tracked[] = [];
    for (let event = 0; event < count; event++) {
      const cells = STREAMS[event % streams]!;
      events.push(this.accept(batches[event % batches.length]!, reply, 0, event, cells));
    }
    reply.endBody();
    const posted = { reply, responses, events };
    this.replies.push(posted);
    return posted;
  }

  expire({ reply, events }: (typeof this.replies)[number]): void {
    const open = [...this.batches.values()].flat();
    this.#tell(events.filter((event) => open.includes(event)));
    this.acknowledger.expire(reply);
  }

  /** Checks the counters against the model, and that every event is settled or in flight. */
  check(): void {
    const { values } = this.counters;
    for (const cells of STREAMS) this.#checkStream(cells);
    const ofKeys = Object.values(KEY_EVENTS).flatMap((cell) =>
      CLIENT_KEYS.map((cells) => cell + cells),
    );
    for (const each of ofKeys) {
      assert.equal(values[each], this.expected.get(each) ?? 0, `cell ${each}`);
    }
    assert.deepEqual(this.byKey, this.expectedByKey);
  }

  #checkStream(cells: number): void {
    const { values } = this.counters;
    const ends = [STORED, ...Object.values(REFUSED), ...Object.values(DROPPED)];
    for (const each of [...ends, STORED_LATE]) {
      const cell = each + cells;
      assert.equal(values[cell], this.expected.get(cell) ?? 0, `cell ${each} + ${cells}`);
    }
    const settled = ends.reduce((sum, each) => sum + values[each + cells]!, 0);
    let inFlight = -lateEvents(this.acknowledger, cells);
    for (const batch of this.batches.keys()) {
      if (batch.answered) continue;
      batch.eachStream((ofStream, events) => {
        if (ofStream === cells) inFlight += events;
      });
    }
    const received = this.received.get(cells) ?? 0;
    assert.equal(settled + inFlight, received, 'received = settled + in flight');
    const { first, bounds } = ACK_DURATION;
    const observed = values.subarray(first + cells, first + cells + bounds.length + 1);
    assert.equal(
      observed.reduce((sum, times) => sum + times, 0),
      values[STORED + cells],
    );
  }

  #receive(cells: number): void {
    this.received.set(cells, (this.received.get(cells) ?? 0) + 1);
  }

  #take(batch: RecordBatch): Tracked[] {
    const events = this.batches.get(batch)!;
    this.batches.delete(batch);
    return events;
  }

  #tell(events: readonly Tracked[]): void {
    for (const event of events) {
      if (event.timedOut) continue;
      event.timedOut = true;
      this.#expectRejection(event, 'timeout');
    }
  }

  #expectRejection({ owner, cells }: Pick<Tracked, 'owner' | 'cells'>, code: EventCode): void {
    const dropped = owner.plain && EVENT_CODES[code].retry;
    this.#expect((dropped ? DROPPED[code as keyof typeof DROPPED] : REFUSED[code]) + cells);
    this.#expectForKey({ owner, cells }, dropped ? 'dropped' : 'refused', code);
  }

  #expectForKey(
    { owner, cells }: Pick<Tracked, 'owner' | 'cells'>,
    result: keyof typeof KEY_EVENTS,
    outcome: string,
  ): void {
    const { keyCells } = owner.identity;
    if (keyCells < 0) return;
    this.#expect(KEY_EVENTS[result] + keyCells);
    increase(this.expectedByKey, `${keyCells} ${cells} ${outcome}`, 1);
  }

  #expect(counted: number): void {
    increase(this.expected, counted, 1);
  }
}

function increase<Key>(counts: Map<Key, number>, key: Key, events: number): void {
  counts.set(key, (counts.get(key) ?? 0) + events);
}

const anyCode = fc.constantFrom<EventCode>('rejected_by_kafka', 'kafka_unavailable', 'timeout');
type Step =
  | { readonly do: 'frame'; readonly owner: number; readonly events: readonly number[] }
  | { readonly do: 'post'; readonly count: number }
  | { readonly do: 'stored' | 'overdue' | 'expire'; readonly which: number }
  | { readonly do: 'refused'; readonly which: number; readonly code: EventCode };

const anyStep: fc.Arbitrary<Step> = fc.oneof(
  {
    weight: 5,
    arbitrary: fc.record({
      do: fc.constant('frame' as const),
      owner: fc.nat(2),
      events: fc.array(fc.nat(9), { maxLength: 6 }),
    }),
  },
  { weight: 3, arbitrary: fc.record({ do: fc.constant('post' as const), count: fc.nat(6) }) },
  {
    weight: 5,
    arbitrary: fc.record({
      do: fc.constantFrom('stored' as const, 'overdue' as const, 'expire' as const),
      which: fc.nat(100),
    }),
  },
  fc.record({ do: fc.constant('refused' as const), which: fc.nat(100), code: anyCode }),
);

/** Runs one step; `open` are the batches that accept events. */
function run(world: World, open: RecordBatch[], step: Step): void {
  const renew = (batch: RecordBatch) => {
    const at = open.indexOf(batch);
    if (at >= 0) open[at] = world.begin();
  };
  if (step.do === 'post') {
    world.post(open, step.count, STREAMS.length);
  } else if (step.do === 'frame') {
    const stream = world.streams[step.owner];
    const frame = stream === undefined ? 0 : stream.beginFrame(1);
    if (frame === undefined) return;
    for (const [event, choice] of step.events.entries()) {
      const batch = open[choice];
      const owner = stream ?? PLAIN;
      const cells = STREAMS[(event + choice) % STREAMS.length]!;
      if (batch !== undefined) world.accept(batch, owner, frame, event, cells);
      else world.reject(owner, frame, event, choice > 6 ? 'schema' : 'buffer_full', cells);
    }
    stream?.endFrame(frame);
  } else if (step.do === 'expire') {
    const waiting = world.replies.filter(({ reply }) => !reply.answered);
    const chosen = waiting[step.which % (waiting.length || 1)];
    if (chosen !== undefined) world.expire(chosen);
  } else {
    const filled = [...world.batches.keys()].filter(({ records }) => records > 0);
    const chosen = filled[step.which % (filled.length || 1)];
    if (chosen === undefined || (step.do === 'overdue' && chosen.answered)) return;
    renew(chosen);
    if (step.do === 'stored') world.stored(chosen);
    else if (step.do === 'refused') world.refused(chosen, step.code);
    else world.overdue(chosen);
  }
}

test('each event is counted exactly once, for any mix and order of results', () => {
  const met = new Set<string>();
  fc.assert(
    fc.property(fc.array(anyStep, { maxLength: 80, size: 'max' }), (steps) => {
      const world = new World();
      const open = [0, 1, 2].map(() => world.begin());
      for (const step of steps) {
        run(world, open, step);
        world.check();
      }
      const left = [...world.batches.keys()].filter(({ records }) => records > 0);
      for (const batch of left) world.stored(batch);
      world.check();
      assert.equal(lateEvents(world.acknowledger), 0);
      assert.equal(new Set(world.released).size, world.released.length, 'released once');
      for (const { responses } of world.replies) assert.equal(responses.length, 1);
      if (world.counters.values[STORED_LATE]! > 0) met.add('late');
      if (world.counters.values[DROPPED.timeout]! > 0) met.add('dropped');
      if (world.counters.values[REFUSED.timeout]! > 0) met.add('refused');
    }),
    { numRuns: 200 },
  );
  assert.deepEqual([...met].sort(), ['dropped', 'late', 'refused']);
});

test('an overdue batch that is stored counts as stored late, for every owner', () => {
  const world = new World();
  const batch = world.begin();
  const frame = world.streams[0]!.beginFrame(1)!;
  world.accept(batch, world.streams[0]!, frame, 0);
  world.streams[0]!.endFrame(frame);
  world.accept(batch, PLAIN, 0, 0);
  const { responses } = world.post([batch], 1);
  world.overdue(batch);
  world.acknowledger.flush();
  assert.equal(responses[0]?.status, 503);
  type ServerFrame = { readonly errors?: readonly { readonly code: string }[] };
  const [nack, ack] = world.texts[0]!.map((text) => JSON.parse(text) as ServerFrame);
  assert.equal(nack?.errors?.[0]?.code, 'timeout');
  assert.deepEqual(ack, { ack: 1 });
  assert.equal(world.released.length, 0, 'it continues and is still charged');
  world.stored(batch);
  world.check();
  const { values } = world.counters;
  assert.equal(values[STORED], 0);
  assert.equal(values[STORED_LATE], 3);
  assert.equal(values[REFUSED.timeout], 2);
  assert.equal(values[DROPPED.timeout], 1);
  assert.deepEqual(world.released, [batch]);
});

test('events of an HTTP body answered timeout that are stored later count as late', () => {
  const world = new World();
  const batches = [world.begin(), world.begin()];
  const posted = world.post(batches, 5);
  world.stored(batches[1]!);
  world.expire(posted);
  assert.equal(lateEvents(world.acknowledger), 3);
  world.check();
  world.stored(batches[0]!);
  world.check();
  assert.equal(lateEvents(world.acknowledger), 0);
  assert.equal(world.counters.values[STORED], 2);
  assert.equal(world.counters.values[STORED_LATE], 3);
});

test('plain clients: retriable events are dropped, invalid ones rejected, both are logged', () => {
  const world = new World();
  for (const code of eventCodes) world.reject(PLAIN, 0, 0, code);
  world.check();
  const { values } = world.counters;
  for (const code of eventCodes) {
    const isDropped = EVENT_CODES[code].retry;
    assert.equal(values[REFUSED[code]], isDropped ? 0 : 1, code);
    if (isDropped) assert.equal(values[DROPPED[code as keyof typeof DROPPED]], 1, code);
  }
  for (const code of eventCodes) world.reject(PLAIN, 0, 0, code);
  assert.deepEqual(
    world.logged.map(({ code }) => code),
    eventCodes,
    'once, not for each event',
  );
});

test('for acknowledged clients, operators see samples of client errors with the identity', () => {
  const world = new World();
  const [first, second] = world.streams;
  const frames = [first!.beginFrame(1)!, second!.beginFrame(1)!];
  for (const code of eventCodes) world.reject(first!, frames[0]!, 0, code);
  world.reject(second!, frames[1]!, 0, 'schema');
  world.check();
  const { time, ...line } = world.logged.find(({ code }) => code === 'schema')!;
  assert.deepEqual(line, {
    level: pino.levels.values.info,
    code: 'schema',
    reason: 'why',
    identity: 'key 0',
    transport: 'ws',
    held: 0,
    msg: 'event rejected',
  });
  const codes = world.logged.map(({ code }) => code);
  const retried = ['buffer_full', 'kafka_unavailable', 'draining', 'timeout'];
  assert.deepEqual(
    codes,
    eventCodes.filter((code) => !retried.includes(code)),
    'once, not for each event',
  );
});

test('acks are sent together, once at the end of the turn', async () => {
  const world = new World();
  for (const stream of world.streams) {
    for (let count = 0; count < 3; count++) stream.endFrame(stream.beginFrame(1)!);
  }
  await Promise.resolve();
  assert.deepEqual(world.texts, [[], []]);
  await setImmediate();
  assert.deepEqual(world.texts, [['{"ack":3}'], ['{"ack":3}']]);
});

test('a stream that becomes dirty during a flush is flushed too', async () => {
  const { acknowledger } = new World();
  const texts: string[] = [];
  const unreadBytes = () => 0;
  const wire = { send: (sent: readonly string[]) => texts.push(...sent), unreadBytes };
  const later = acknowledger.createStream(wire, ANONYMOUS);
  const send = () => later.endFrame(later.beginFrame(1)!);
  const first = acknowledger.createStream({ send, unreadBytes }, ANONYMOUS);
  first.endFrame(first.beginFrame(1)!);
  await setImmediate();
  await setImmediate();
  assert.deepEqual(texts, ['{"ack":1}']);
});

test('the ack stage counts a turn once, from its first result to the end of the flush', async () => {
  const world = new World();
  const { first, bounds } = histogram('forebay_stage_duration_seconds', 'ack');
  const observed = () => world.counters.values.subarray(first, first + bounds.length + 1);
  const turns = () => observed().reduce((sum, count) => sum + count, 0);
  const seconds = () => world.counters.values[first + bounds.length + 1]!;
  const batches = [world.begin(), world.begin(), world.begin()];
  for (const batch of batches) world.accept(batch, PLAIN, 0, 0);
  world.stored(batches[0]!);
  const sinceMs = performance.now();
  while (performance.now() - sinceMs < 5);
  world.refused(batches[1]!, 'kafka_unavailable');
  assert.equal(turns(), 0, 'not before the end of the turn');
  await setImmediate();
  assert.equal(turns(), 1);
  assert(seconds() >= 0.005, `${seconds()} s`);
  await setImmediate();
  assert.equal(turns(), 1, 'a turn without a result does not count');
  world.stored(batches[2]!);
  world.acknowledger.flush();
  await setImmediate();
  assert.equal(turns(), 2, 'flushed before its end, it ends then');
});
