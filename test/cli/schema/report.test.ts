import assert from 'node:assert/strict';
import { test } from 'node:test';
import type { ListenedRecord } from '../../../src/cli/listen/format.ts';
import { DeadLetters, StoredEvents } from '../../../src/cli/schema/checks.ts';
import { TRY_LIMITS } from '../../../src/cli/schema/limits.ts';
import { reportJson, reportText, type TryReport } from '../../../src/cli/schema/report.ts';
import { Tally } from '../../../src/cli/schema/tally.ts';
import type { JsonObject } from '../../../src/common/json-object.ts';

const TALLY = { examples: 2, values: true };
const needsPage = (event: JsonObject) =>
  event.page === undefined ? "must have required property 'page'" : undefined;
const accepts = () => undefined;

let offset = 0n;
function record(value: string | null, headers: Record<string, string> = {}): ListenedRecord {
  offset++;
  return {
    partition: 1,
    offset,
    timestamp: 0,
    key: null,
    headers: Object.entries(headers).map(([name, text]) => ({ name, value: Buffer.from(text) })),
    value: { bytes: value === null ? null : Buffer.from(value) },
  };
}

function reportOf(stored: StoredEvents, letters?: DeadLetters): TryReport {
  return {
    schema: 'next.json',
    stream: 'clicks',
    from: Date.parse('2026-11-30T12:00:00Z'),
    to: Date.parse('2026-11-30T13:00:00Z'),
    incomplete: undefined,
    stored: { topic: 'web.clicks', events: stored },
    deadLetters: letters && { name: 'rejected', topic: 'web.rejected', letters },
  };
}

test('reasons are counted with the first examples; indices of arrays are one reason', () => {
  const tally = new Tally(TALLY);
  const at = (partition: number, text = '{}') => ({ partition, offset: 7n, text: () => text });
  tally.pass();
  for (const index of [0, 1, 22]) tally.fail(`/items/${index}/price must be number`, at(index));
  tally.fail("/3 must have required property '4'", at(9));
  assert.deepEqual([tally.events, tally.passed, tally.failed], [5, 1, 4]);
  assert.deepEqual(
    tally.reasons.map(({ text, count }) => [text, count]),
    [
      ['/items/*/price must be number', 3],
      ["/* must have required property '4'", 1],
    ],
  );
  assert.deepEqual(
    tally.reasons[0]!.examples.map(({ partition }) => partition),
    [0, 1],
  );
});

test('memory is bounded: distinct reasons, examples and their length', () => {
  const { reasons, exampleLength } = TRY_LIMITS;
  const tally = new Tally(TALLY);
  const text = () => 'x'.repeat(exampleLength + 1);
  for (let index = 0; index < reasons + 5; index++) {
    tally.fail(`no property ${index}`, { partition: 0, offset: 0n, text });
  }
  tally.fail('no property 0', { partition: 0, offset: 0n, text });
  assert.deepEqual([tally.reasons.length, tally.unlisted], [reasons, 5]);
  assert.equal(tally.failed, reasons + 6);
  assert.equal(tally.reasons[0]!.examples[0]!.event, `${'x'.repeat(exampleLength)}…`);
  const hidden = new Tally({ examples: 1, values: false });
  hidden.fail('any', { partition: 0, offset: 0n, text: () => assert.fail('not needed') });
  assert.equal(hidden.reasons[0]!.examples[0]!.event, undefined);
});

test('stored events: what fails now and then, and what is no event of the stream', () => {
  const others = new Set(['taps']);
  const options = { ...TALLY, next: needsPage, current: accepts, otherStreams: others };
  const events = new StoredEvents(options);
  events.add(record('{"page":1}'));
  events.add(record('{}', { 'fb-stream': 'clicks' }));
  events.add(record('{}', { 'fb-stream': 'former-name' }));
  events.add(record('{}', { 'fb-stream': 'taps' }));
  events.add(record(null));
  for (const value of ['[1]', 'x', '"x"']) events.add(record(value));
  const { tally, newlyFailing, newlyPassing, withoutValue, ofOtherStreams } = events;
  assert.deepEqual([tally.passed, tally.failed], [1, 5]);
  assert.deepEqual([newlyFailing, newlyPassing, withoutValue, ofOtherStreams], [2, 0, 1, 1]);
  const relaxed = new StoredEvents({ ...options, next: accepts, current: needsPage });
  relaxed.add(record('{}'));
  assert.deepEqual([relaxed.newlyFailing, relaxed.newlyPassing], [0, 1]);
  const unknown = new StoredEvents({ ...options, current: undefined });
  unknown.add(record('{}'));
  assert.equal(unknown.newlyFailing, undefined);
});

test('dead letters: only those of the stream with the code schema can become valid', () => {
  const letters = new DeadLetters({ ...TALLY, next: needsPage, stream: 'clicks' });
  const of = (code: string, more = {}) => ({
    'fb-stream': 'clicks',
    'fb-error-code': code,
    ...more,
  });
  letters.add(record('{"page":1}', of('schema')));
  letters.add(record('{}', of('schema')));
  letters.add(record('{"page":1}', of('schema', { 'fb-truncated': '99' })));
  letters.add(record('{"page":1}', of('too_large')));
  letters.add(record('{"page":1}', of('constructor')));
  letters.add(record('{"page":1}', { 'fb-error-code': 'schema' }));
  letters.add(record('{"page":1}', { ...of('schema'), 'fb-stream': 'taps' }));
  assert.deepEqual([letters.tally.passed, letters.tally.failed], [1, 2]);
  assert.deepEqual(Object.fromEntries(letters.otherCodes), { too_large: 1, unknown: 1 });
  assert.equal(letters.ofOtherStreams, 2);
});

test('the report as text and as JSON', () => {
  offset = 0n;
  const common = { ...TALLY, next: needsPage };
  const stored = new StoredEvents({ ...common, current: accepts, otherStreams: new Set() });
  for (let index = 0; index < 1_999; index++) stored.add(record('{"page":1}'));
  stored.add(record('{"bell":"\u007f\u202e"}'));
  stored.add(record(null));
  const letters = new DeadLetters({ ...common, stream: 'clicks' });
  const of = { 'fb-stream': 'clicks', 'fb-error-code': 'schema' };
  for (const value of ['{"page":1}', '{"page":1}', '{}']) letters.add(record(value, of));
  letters.add(record('{', { ...of, 'fb-error-code': 'invalid_json' }));
  const report = reportOf(stored, letters);
  assert.equal(
    reportText(report),
    `schema next.json, stream clicks, from 2026-11-30T12:00:00.000Z to 2026-11-30T13:00:00.000Z

stored events (topic web.clicks): 2,000
  pass   1,999  >99.9%
  fail       1   <0.1%  1 of them passes the current schema
             1  must have required property 'page'
                1:2000  {"bell":"\\x7f\\u202e"}
  skipped: 1 record without a value

dead letters (stream rejected, topic web.rejected, code schema): 3
  pass       2   66.7%  recoverable: replay can store them
  fail       1   33.3%
             1  must have required property 'page'
                1:2004  {}
  not checked, other codes: 1 invalid_json
`,
  );
  const json = JSON.parse(reportJson({ ...report, incomplete: 'interrupted' }));
  assert.deepEqual([json.complete, json.incomplete], [false, 'interrupted']);
  assert.deepEqual([json.stored.events, json.stored.newlyFailing], [2_000, 1]);
  assert.deepEqual(json.deadLetters.reasons, [
    {
      reason: "must have required property 'page'",
      count: 1,
      examples: [{ partition: 1, offset: '2004', event: '{}' }],
    },
  ]);
  const empty = new StoredEvents({ ...common, current: undefined, otherStreams: new Set() });
  assert.match(reportText(reportOf(empty)), /\n\nstored events \(topic web\.clicks\): 0\n$/);
});
