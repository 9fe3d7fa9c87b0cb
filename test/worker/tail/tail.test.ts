/** The live tail of a worker: from decoded frames and delivery results to reports. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { encode } from '@msgpack/msgpack';
import { readConfig } from '../../../src/config/config.ts';
import { Counters } from '../../../src/metrics/counters.ts';
import { implicitStream } from '../../../src/streams/implicit-stream.ts';
import type { StreamSpec } from '../../../src/streams/stream-file.ts';
import type { TailEntry, TailReport, TailViewer } from '../../../src/tail/entry.ts';
import { TAIL_LIMITS } from '../../../src/tail/limits.ts';
import type { Redaction } from '../../../src/tail/redaction.ts';
import type { Owner } from '../../../src/worker/accumulator/batch.ts';
import { ANONYMOUS } from '../../../src/worker/admission/identity.ts';
import { decodeNdjson, decodeText } from '../../../src/worker/decoder/json/text.ts';
import { decodeMsgpack } from '../../../src/worker/decoder/msgpack/msgpack.ts';
import { createFinder } from '../../../src/worker/explain/all-violations.ts';
import { Faults } from '../../../src/worker/faults.ts';
import type { Explains } from '../../../src/worker/tail/explained-entries.ts';
import { tailOnDemand } from '../../../src/worker/tail/on-demand.ts';
import { Tail } from '../../../src/worker/tail/tail.ts';
import { wireBuffer, wireIntake } from '../../../src/worker/wire.ts';
import { until } from '../../../testing/wait.ts';

const [IMPLICIT] = implicitStream(readConfig({})).streams;
const schema = (mode: 'enforce' | 'warn') => ({
  file: '/schema.json',
  text: JSON.stringify({
    type: 'object',
    required: ['n', 'm'],
    properties: { n: { type: 'integer' }, user: { properties: { age: { minimum: 18 } } } },
  }),
  mode,
  candidate: undefined,
});
const SPECS: Readonly<Record<string, Partial<StreamSpec>>> = {
  clicks: { schema: schema('enforce'), match: ['click'], key: [['user', 'id']] },
  orders: { schema: schema('enforce'), match: ['order'], deadLetter: 'rejected' },
  views: { schema: schema('warn'), match: ['view'] },
  rejected: { internal: true, limits: { ...IMPLICIT!.limits, bufferShare: 0.1 } },
};
const BOUNDS = { maxEvents: 1_000, maxEventBytes: 65_536, maxDepth: 100 };
const OTHER_THREAD: Explains = {
  hasRoom: true,
  explain: (events, done) => {
    done(events.map(({ schema, text }) => createFinder(schema)(JSON.parse(text))));
  },
  close() {},
};

function setUp(viewers: readonly TailViewer[], redaction: Redaction = 'none', own = {}) {
  const streams = Object.entries(SPECS).map(([name, spec]) => {
    return { ...IMPLICIT!, name, key: [], topic: name, ...spec };
  });
  const routing = { field: ['type'], unknown: 'refuse' } as const;
  const file = { routing, deadLetter: undefined, streams };
  const settings = readConfig({});
  const log = { info() {}, warn() {} } as never;
  const reporting = { counters: new Counters(), log, faults: new Faults(() => {}) };
  const buffer = wireBuffer(settings, { streams, areDeclared: true });
  const stages = wireIntake(settings, buffer, reporting, { file, areDeclared: true });
  for (const topic of buffer.topics) topic.resize(3);
  const sender = { identity: ANONYMOUS, origin: '', plain: false };
  const route = stages.streams.table.routeOf(undefined, sender);
  const reports: TailReport[] = [];
  const errors: object[] = [];
  const tail = new Tail({
    ...stages,
    redaction,
    send: async (report) => void reports.push(report),
    log: { error: (fields: object) => errors.push(fields) } as never,
    explainer: OTHER_THREAD,
    duty: { begin: () => true, end() {} },
    ...own,
  });
  tail.watch(viewers);
  const results: string[] = [];
  const owner: Owner = {
    plain: false,
    transport: 'http',
    identity: { name: 'web', keyCells: -1 },
    requestId: 'r-1',
    accepted: (_frame, index) => results.push(`${index} accepted`),
    settled: () => true,
    rejected: (_frame, index, code) => results.push(`${index} ${code}`),
  };
  const { intake, deliveries } = stages;
  const decode = (text: string | Buffer, decoder = decodeText, by = owner) => {
    intake.begin(by, 1, route);
    intake.countReceived(decoder(Buffer.from(text), BOUNDS, intake));
  };
  /** Ends the batches so far. */
  const deliver = (end: (batch: Parameters<typeof deliveries.stored>[0]) => void) => {
    for (const { partitions } of buffer.topics) {
      for (const { queue } of partitions) {
        for (let batch = queue.take(); batch !== undefined; batch = queue.take()) end(batch);
      }
    }
  };
  const store = () => deliver((batch) => deliveries.stored(batch));
  /** Entries of a viewer, once `count` have been reported. */
  const entries = async (count: number, viewer = 1): Promise<TailEntry[]> => {
    const found = () =>
      reports
        .flatMap((report) => report.entries)
        .filter((entry) => entry.viewers.includes(viewer))
        .map(({ json }) => JSON.parse(json) as TailEntry);
    await until(() => found().length >= count, { what: () => JSON.stringify(reports) });
    return found();
  };
  const skipped = (viewer = 1) =>
    reports
      .flatMap((report) => report.skipped)
      .reduce((sum, [id, events]) => sum + (id === viewer ? events : 0), 0);
  const all = { ...stages, ...buffer, tail, results, owner, reports, errors };
  return { ...all, decode, deliver, store, entries, skipped };
}

const ANY: readonly TailViewer[] = [{ id: 1, filter: {} }];
const valid = (type: string, more = {}) => JSON.stringify({ type, n: 1, m: 2, ...more });

test('a stored event is shown with its stream, sender, size, key and partition', async () => {
  const { decode, store, entries, acknowledger } = setUp(ANY);
  const event = valid('click', { user: { id: 'ada' } });
  decode(event);
  assert(acknowledger.outcomes !== undefined);
  store();
  const [{ time, partition, ...entry } = {} as TailEntry] = await entries(1);
  assert.deepEqual(entry, {
    outcome: 'accepted',
    stream: 'clicks',
    identity: 'web',
    transport: 'http',
    requestId: 'r-1',
    index: 0,
    bytes: event.length,
    key: 'ada',
    event: JSON.parse(event),
    redacted: [],
  });
  assert(partition! >= 0 && partition! < 3);
  assert(Math.abs(Date.now() - time) < 60_000);
});

test('an invalid event is shown with all its violations and the location of the first', async () => {
  const { decode, entries, results } = setUp(ANY);
  decode('{"type":"click","n":"x","user":{"id":"ada","age":3}}');
  assert.deepEqual(results, ['0 schema']);
  const [entry] = await entries(1);
  assert.equal(entry!.outcome, 'rejected');
  assert.equal(entry!.code, 'schema');
  assert.equal(entry!.key, 'ada');
  assert.equal(entry!.reason, "must have required property 'm'");
  assert.equal(entry!.partition, undefined);
  assert.deepEqual(
    entry!.violations?.map(({ path, message }) => `${path}: ${message}`),
    [": must have required property 'm'", '/n: must be integer', '/user/age: must be >= 18'],
  );
  assert.equal(entry!.at, '');
  assert.equal(entry!.unexplained, undefined);
});

test('without time to explain, the first violation is shown, and that there may be more', async () => {
  const explainer = { ...OTHER_THREAD, hasRoom: false };
  const { decode, entries } = setUp(ANY, 'all', { explainer });
  decode('{"type":"click","m":1,"n":"x"}');
  const [entry] = await entries(1);
  assert.deepEqual(entry!.violations, [{ path: '/n', message: 'must be integer' }]);
  assert.equal(entry!.at, '/n');
  assert.equal(entry!.unexplained, 'rate_limited');
});

test('an event with a copy in the dead letters is dead-lettered, and its copy is not shown', async () => {
  const { decode, store, entries, reports } = setUp(ANY);
  decode('{"type":"order","n":1}');
  decode('{"type":"click","n":1}');
  store();
  const shown = await entries(2);
  assert.deepEqual(
    shown.map(({ stream, outcome }) => [stream, outcome]),
    [
      ['orders', 'dead_lettered'],
      ['clicks', 'rejected'],
    ],
  );
  assert.equal(reports.flatMap((report) => report.entries).length, 2);
});

test('what Kafka rejects or does not confirm is shown, then what it stored after all', async () => {
  const { decode, deliver, deliveries, entries } = setUp(ANY);
  decode(valid('order'));
  deliver((batch) => deliveries.rejected(batch, 'rejected_by_kafka'));
  decode(valid('click'));
  deliver((batch) => {
    // The copies of the first event are in a topic of their own.
    if (batch.partition.topic.hasDeadLetters) return;
    deliveries.overdue(batch);
    deliveries.stored(batch);
  });
  const shown = await entries(3);
  assert.deepEqual(
    shown.map(({ outcome, code, isLate, event }) => [outcome, code, isLate, typeof event]),
    [
      ['dead_lettered', 'rejected_by_kafka', undefined, 'object'],
      ['rejected', 'timeout', undefined, 'object'],
      ['accepted', undefined, true, 'object'],
    ],
  );
});

test('an event that is stored despite its schema is shown with its violations', async () => {
  const { decode, store, entries } = setUp(ANY);
  decode('{"type":"view","m":1,"n":"x"}');
  store();
  const [entry] = await entries(1);
  assert.equal(entry!.outcome, 'accepted');
  assert.deepEqual(
    entry!.violations?.map(({ path }) => path),
    ['/n'],
  );
});

test('no value leaves the worker by default: not in the event, its key, its reason or raw bytes', async () => {
  const { decode, store, entries, reports } = setUp(ANY, 'all');
  const secret = 'hunter2';
  decode(valid('click', { user: { id: secret } }));
  decode(JSON.stringify({ type: 'click', n: secret, m: [secret], user: { id: secret } }));
  decode(JSON.stringify({ type: secret, n: secret }));
  decode(`{"type":"click","n":${secret}`);
  decode(`[${JSON.stringify(secret)},4711]`);
  decode(`{"type":"click"}\n${secret}\n`, decodeNdjson);
  decode(Buffer.from(encode({ type: 'click', n: secret, m: 1 })), decodeMsgpack);
  decode(Buffer.from([0xc1]), decodeMsgpack);
  store();
  await entries(9);
  const sent = JSON.stringify(reports);
  assert(!sent.includes(secret) && !sent.includes('4711'), sent);
  assert.match(sent, /string\(7\)/);
});

test('hidden fields are types, in the event and in its key; others are shown', async () => {
  const { decode, store, entries, reports } = setUp(ANY, [['user']]);
  decode(valid('click', { user: { id: 'ada' } }));
  store();
  const [entry] = await entries(1);
  assert.equal(entry!.key, 'string(3)');
  assert.deepEqual(entry!.redacted, ['/user/id']);
  assert.equal((entry!.event as { n: number }).n, 1);
  assert(!JSON.stringify(reports).includes('ada'));
});

test('a whole frame is shown once, with its number of events; bytes only if nothing is hidden', async () => {
  const { decode, entries } = setUp(ANY);
  decode('{"type":"click"');
  const [entry] = await entries(1);
  assert.equal(entry!.code, 'invalid_json');
  assert.equal(entry!.stream, '(none)');
  assert.equal(entry!.raw, '{"type":"click"');
  assert.equal(entry!.bytes, 15);
  const full = setUp(ANY);
  full.acknowledger.expire({
    ...full.owner,
    expire: () => 3,
    eachOpen: (visit: (cells: number, events: number) => void) => visit(0, 3),
  } as never);
  const [expired] = await full.entries(1);
  assert.deepEqual([expired!.code, expired!.events, expired!.event], ['timeout', 3, undefined]);
});

test('each viewer receives what its filter matches; texts match only what is shown', async () => {
  const viewers = [
    { id: 1, filter: { outcome: ['accepted'] } },
    { id: 2, filter: { stream: ['orders'], code: ['schema'] } },
    { id: 3, filter: { text: 'ada' } },
  ] as const;
  const { decode, store, entries, reports } = setUp(viewers, [['user']]);
  decode(valid('click', { user: { id: 'ada' } }));
  decode(valid('click', { note: 'ADA' }));
  decode('{"type":"order","n":1}');
  store();
  assert.equal((await entries(2, 1)).length, 2);
  assert.deepEqual(
    (await entries(1, 2)).map(({ stream }) => stream),
    ['orders'],
  );
  const texts = await entries(1, 3);
  assert.deepEqual(
    texts.map(({ event }) => (event as { note: string }).note),
    ['ADA'],
  );
  const shared = reports
    .flatMap((report) => report.entries)
    .find(({ viewers: to }) => to.length > 1);
  assert.deepEqual(shared?.viewers, [1, 3], 'an event is sent once for all viewers');
});

test('a viewer gets a bounded number of events per second, and learns how many are missing', async () => {
  const { decode, store, entries, skipped } = setUp(ANY);
  const count = 400;
  decode(`[${Array.from({ length: count }, () => valid('click')).join()}]`);
  store();
  const { eventsPerSecond } = TAIL_LIMITS;
  const shown = await entries(eventsPerSecond);
  await until(() => shown.length + skipped() >= count);
  assert(shown.length < count / 2, `${shown.length} events`);
});

test('without time for it, events are left out and counted, and stay as they are', async () => {
  const duty = { begin: () => false, end() {} };
  const { decode, store, skipped, results } = setUp(ANY, 'none', { duty });
  decode(`[${valid('click')},${valid('click')},{"type":"click"}]`);
  store();
  await until(() => skipped() === 3);
  assert.deepEqual(results, ['0 accepted', '1 accepted', '2 schema']);
});

test('an entry has a bounded size, whatever the event and its violations', async () => {
  const { decode, store, entries, reports } = setUp(ANY);
  decode(valid('click', { text: 'ü'.repeat(20_000), user: { id: '\u0001'.repeat(3_000) } }));
  const names = Array.from({ length: 300 }, (_, i) => [`${'n'.repeat(60)}${i}`, 'v'.repeat(9)]);
  decode(JSON.stringify({ type: 'click', n: 'x', user: { age: 1 }, ...Object.fromEntries(names) }));
  decode(JSON.stringify({ type: 'click', n: 1, m: 2, [`${'k'.repeat(50_000)}`]: 1 }));
  store();
  await entries(3);
  for (const { json } of reports.flatMap((report) => report.entries)) {
    const bytes = Buffer.byteLength(json);
    assert(bytes <= TAIL_LIMITS.entryBytes, `${bytes} bytes`);
    assert.equal((JSON.parse(json) as TailEntry).isCut, true);
  }
});

test('while the primary does not take reports, events are left out and counted', async () => {
  const held: (() => void)[] = [];
  const sent: TailReport[] = [];
  const send = (report: TailReport) =>
    new Promise<void>((resolve) => {
      sent.push(report);
      held.push(resolve);
    });
  const { decode, store } = setUp(ANY, 'none', { send });
  const show = () => {
    decode(valid('click'));
    store();
  };
  for (let reports = 1; reports <= TAIL_LIMITS.unsentReports; reports++) {
    show();
    await until(() => sent.length === reports);
  }
  show();
  await new Promise((resolve) => setTimeout(resolve, 2 * TAIL_LIMITS.reportMs));
  assert.equal(sent.length, TAIL_LIMITS.unsentReports);
  for (const release of held) release();
  await until(() => sent.length > TAIL_LIMITS.unsentReports);
  assert.deepEqual(sent.at(-1), { entries: [], skipped: [[1, 1]] });
});

test('outcomes are observed only while there are viewers; it is not even loaded before', async () => {
  const { tail, acknowledger, decode, store, entries } = setUp([]);
  assert.equal(acknowledger.outcomes, undefined);
  tail.watch(ANY);
  assert.equal(acknowledger.outcomes, tail);
  decode('{"type":"order"}');
  tail.watch([]);
  assert.equal(acknowledger.outcomes, undefined);
  decode('{"type":"order"}');
  tail.watch([{ id: 2, filter: {} }]);
  decode('{"type":"click"}');
  store();
  const [first] = await entries(1, 2);
  assert.deepEqual(
    [first!.stream, first!.outcome],
    ['clicks', 'rejected'],
    'no copy of earlier ones',
  );
  const parts = { ...setUp([]), log: { error() {} } as never };
  const watch = tailOnDemand({ tailRedact: 'all' }, parts, async () => {});
  watch([]);
  watch(ANY);
  await until(() => parts.acknowledger.outcomes !== undefined);
  watch([]);
  await until(() => parts.acknowledger.outcomes === undefined);
});

test('a failure of the tail ends the tail, never the worker or the result of an event', async () => {
  const duty = {
    begin: () => {
      throw new Error('seeded');
    },
    end() {},
  };
  const { decode, store, errors, results, acknowledger } = setUp(ANY, 'none', { duty });
  decode(`[${valid('click')},{"type":"click"}]`);
  store();
  assert.deepEqual(results, ['0 accepted', '1 schema']);
  assert.equal(errors.length, 1);
  assert.equal(acknowledger.outcomes, undefined);
});
