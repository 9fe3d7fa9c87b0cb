import assert from 'node:assert/strict';
import { test } from 'node:test';
import { encode } from '@msgpack/msgpack';
import { pino } from 'pino';
import { Checker } from '../../../src/cli/replay/checker.ts';
import { Classifier } from '../../../src/cli/replay/classifier.ts';
import { PartitionedOffsets } from '../../../src/cli/replay/offset-set.ts';
import { provenanceIn, routesTo, streamsForReplay } from '../../../src/cli/replay/replay-stages.ts';
import { ReplayReport } from '../../../src/cli/replay/report.ts';
import { isSelected, selectedRange } from '../../../src/cli/replay/selection.ts';
import { deadLetterIn } from '../../../src/kafka/dead-letter.ts';
import { Counters } from '../../../src/metrics/counters.ts';
import { Budget } from '../../../src/worker/accumulator/budget.ts';
import { Faults } from '../../../src/worker/faults.ts';
import { createStreams, createTopics } from '../../../src/worker/streams/create-streams.ts';
import { parse } from '../../streams/support.ts';
import { type LetterFacts, letterRecord, RECEIVED } from './letters.ts';

const SETTINGS = { maxFrameBytes: 1_000, maxEventDepth: 3, batchBytes: 10_000, instance: 'i' };

const FILE = `version: 1
routing: { field: type }
defaults: { deadLetter: rejected }
streams:
  default: { topic: d }
  clicks: { topic: c, match: [click], schema: { file: s }, value: as-sent, ip: full }
  orders: { topic: o, match: [order] }
  rejected: { topic: r, internal: true }
`;
const SCHEMA = '{ "properties": { "a": { "type": "integer" } }, "additionalProperties": true }';

function stagesFor(name: string) {
  const { file, errors } = parse(FILE, { checkSchema: () => ({ text: SCHEMA, warnings: [] }) });
  assert.deepEqual(errors, []);
  const streams = streamsForReplay(file!, name);
  const budget = new Budget(1_000_000);
  const topics = createTopics({ streams: streams.streams, areDeclared: true }, budget, 1_000);
  const log = pino({ level: 'silent' });
  const reporting = { counters: new Counters(), faults: new Faults(() => {}), log };
  const declarations = { file: streams, areDeclared: true };
  const table = createStreams(declarations, { budget, topics }, SETTINGS, reporting);
  return { table, routes: routesTo(table, name) };
}

const checker = new Checker(SETTINGS);
const { routes, table } = stagesFor('clicks');
const check = (facts: LetterFacts) => checker.check(deadLetterIn(letterRecord(facts)), routes);
const msgpack = (value: unknown): LetterFacts => ({
  value: Buffer.from(encode(value)),
  contentType: 'application/msgpack',
});

const PASSES = { result: 'passes' };
const fails = (code: string, message: string) => ({ result: 'fails', code, message });
const cannot = (obstacle: string) => ({ result: 'notReplayable', obstacle });
const OTHER = { result: 'otherStream' };

const NOT_AN_OBJECT = fails('not_an_object', 'an event must be a JSON object');
const WHOLE = { index: undefined, stream: undefined };

const VERDICTS: readonly (readonly [title: string, facts: LetterFacts, verdict: object])[] = [
  ['a valid event', { value: ' {"a":1} ' }, PASSES],
  [
    'an event that does not match the schema',
    { value: '{"a":"x"}' },
    fails('schema', '/a must be integer'),
  ],
  ['MessagePack', msgpack({ a: 1 }), PASSES],
  ['invalid MessagePack', { ...msgpack({}), value: Buffer.of(0xc1) }, cannot('undecodable')],
  ['MessagePack that does not match', msgpack({ a: 'x' }), fails('schema', '/a must be integer')],
  ['an array as an event', { value: '[{"a":1}]' }, NOT_AN_OBJECT],
  ['an array of MessagePack as an event', msgpack([{ a: 1 }]), NOT_AN_OBJECT],
  ['an event that is not JSON', { value: '{"a":' }, cannot('undecodable')],
  ['two lines as an event', { value: '{"a":1}\n{"a":2}' }, cannot('undecodable')],
  ['an event that is not UTF-8', { value: Buffer.from([0x7b, 0xff, 0x7d]) }, cannot('undecodable')],
  [
    'an event that is too deep',
    { value: '{"b":[[[1]]]}' },
    fails('too_deep', 'more than 3 levels of arrays and objects'),
  ],
  [
    'an event that is too large',
    { value: `{"b":"${'x'.repeat(1_000)}"}` },
    fails('too_large', '1008 bytes exceed the limit of 1000'),
  ],
  ['a value that was cut', { headers: { 'fb-truncated': '70000' } }, cannot('truncated')],
  ['no value', { value: null }, cannot('empty')],
  ['an empty value', { value: '' }, cannot('undecodable')],
  [
    'an event without a stream that its field routes here',
    { stream: undefined, value: '{"type":"click"}' },
    PASSES,
  ],
  [
    'an event without a stream that its field routes elsewhere',
    { stream: undefined, value: '{"type":"order"}' },
    OTHER,
  ],
  ['an event without a stream and without a field', { stream: undefined, value: '{}' }, OTHER],
  [
    'a frame of events that all pass',
    { ...WHOLE, value: '[{"type":"click"},{"type":"click","a":1}]' },
    PASSES,
  ],
  [
    'a frame with an event of another stream',
    { ...WHOLE, value: '[{"type":"click"},{"type":"order"}]' },
    OTHER,
  ],
  [
    'a frame with an event that fails',
    { ...WHOLE, value: '[{"type":"click"},{"type":"click","a":"x"}]' },
    fails('schema', '/a must be integer'),
  ],
  ['a frame without events', { ...WHOLE, value: '[]' }, cannot('undecodable')],
];

for (const [title, facts, verdict] of VERDICTS) {
  test(`check: ${title}`, () => assert.deepEqual(check(facts), verdict));
}

test('the stream of the replay marks repeats, and has no limit of its own', () => {
  const { spec, buckets } = table.find('clicks')!;
  assert.deepEqual(spec.record.headers, ['resent']);
  assert.equal(buckets, undefined);
  assert.equal(table.find('rejected'), undefined);
});

test('the provenance is that of the dead letter, with addresses as precise as the stream', () => {
  const headers = { 'fb-ip': '10.1.2.3', 'fb-identity': 'ann', 'fb-user-agent': 'x' };
  const letter = deadLetterIn(letterRecord({ headers }));
  const { facts, resent } = provenanceIn(letter, false, 'truncated');
  assert.deepEqual(
    Object.entries(facts).filter(([, value]) => value !== ''),
    [
      ['identity', 'ann'],
      ['transport', 'ws'],
      ['client-ip', '10.1.2.0/24'],
      ['user-agent', 'x'],
    ],
  );
  assert.equal(resent, 0);
  assert.equal(provenanceIn(letter, true, 'full').resent, Number.POSITIVE_INFINITY);
  assert.equal(provenanceIn(letter, true, 'full').facts['client-ip'], '10.1.2.3');
  const cut = deadLetterIn(letterRecord({ headers: { 'fb-ip': '10.1.2.0/24' } }));
  assert.equal(provenanceIn(cut, false, 'truncated').facts['client-ip'], '10.1.2.0/24');
});

const ALL = {
  sinceMs: undefined,
  untilMs: undefined,
  codes: new Set<string>(),
  identities: new Set<string>(),
  partitions: undefined,
  offsets: undefined,
};

test('dead letters are selected by time, code and client', () => {
  const letter = deadLetterIn(letterRecord({ headers: { 'fb-identity': 'ann' } }));
  const selects = (changed: object) => isSelected(letter, { ...ALL, ...changed });
  assert.ok(selects({}));
  assert.ok(selects({ sinceMs: RECEIVED, untilMs: RECEIVED + 1, codes: new Set(['schema']) }));
  assert.ok(!selects({ sinceMs: RECEIVED + 1 }));
  assert.ok(!selects({ untilMs: RECEIVED }));
  assert.ok(!selects({ codes: new Set(['too_deep']) }));
  assert.ok(selects({ identities: new Set(['ann']) }));
  // A topic may set the time at which it stores a record.
  const appended = deadLetterIn({ ...letterRecord(), timestamp: String(RECEIVED + 60_000) });
  assert.ok(isSelected(appended, { ...ALL, sinceMs: RECEIVED, untilMs: RECEIVED + 1 }));
  assert.ok(!selects({ identities: new Set(['bob']) }));
});

test('one that was replayed to another stream is none of this one', () => {
  const report = new ReplayReport();
  const done = new PartitionedOffsets();
  done.of(0).add(0, 3);
  const options = { checker, routes, stream: 'clicks', selection: ALL, report, done };
  const classifier = new Classifier(options);
  const passes = (facts: LetterFacts) => classifier.passes(0, deadLetterIn(letterRecord(facts)));
  const unnamed = { stream: undefined };
  assert.ok(!passes({ ...unnamed, offset: 0, value: '{"type":"order"}' }));
  assert.ok(!passes({ offset: 1, stream: 'orders' }));
  assert.deepEqual([report.otherStream, report.alreadyReplayed], [2, 0]);
  assert.ok(!passes({ ...unnamed, offset: 2, value: '{"type":"click"}' }));
  // The schema may have changed since.
  assert.ok(!passes({ offset: 3, value: '{"a":"x"}' }));
  assert.deepEqual([report.otherStream, report.alreadyReplayed], [2, 2]);
  assert.ok(passes({ offset: 4, value: '{"a":1}' }));
  assert.deepEqual([report.passing, report.selected], [1, 3]);
});

test('the range is the snapshot, of the chosen partitions and offsets', () => {
  const low = new Map([
    [0, 10n],
    [1, 0n],
  ]);
  const high = new Map([
    [0, 30n],
    [1, 5n],
  ]);
  const rangeOf = (changed: object, since?: Map<number, bigint>) => {
    const { range, removed } = selectedRange(
      't',
      { low, high, ...(since && { since }) },
      { ...ALL, ...changed },
    );
    return { first: [...range.first], end: [...range.end], removed };
  };
  assert.deepEqual(rangeOf({}), { first: [...low], end: [...high], removed: 0 });
  const since = new Map([
    [0, 20n],
    [1, 5n],
  ]);
  assert.deepEqual(rangeOf({}, since), { first: [...since], end: [...high], removed: 0 });
  const one = { partitions: new Set([0]) };
  const offsets = (first: number, last: number) => rangeOf({ ...one, offsets: { first, last } });
  assert.deepEqual(rangeOf(one), { first: [[0, 10n]], end: [[0, 30n]], removed: 0 });
  assert.deepEqual(offsets(12, 14), { first: [[0, 12n]], end: [[0, 15n]], removed: 0 });
  assert.deepEqual(offsets(5, 99), { first: [[0, 10n]], end: [[0, 30n]], removed: 5 });
  assert.deepEqual(offsets(2, 3), { first: [[0, 4n]], end: [[0, 4n]], removed: 2 });
  assert.deepEqual(offsets(50, 60), { first: [[0, 30n]], end: [[0, 30n]], removed: 0 });
  assert.throws(
    () => rangeOf({ partitions: new Set([2]) }),
    /partition 2 does not exist: topic t has 0 to 1/,
  );
});
