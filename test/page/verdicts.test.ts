/** The page's verdicts of a dry run, from the text of events and the gateway's response. */
import assert from 'node:assert/strict';
import { test } from 'node:test';

const file = new URL('../../src/page/static/verdicts.js', import.meta.url);
const { parsedEvents, verdictsOf } = (await import(file.href)) as {
  parsedEvents(text: string): { events: unknown[]; type: string } | undefined;
  verdictsOf(count: number, response: object): object[];
};

test('one event, an array, and one event per line are distinguished', () => {
  const type = 'application/json';
  assert.deepEqual(parsedEvents(' {"a":1}\n'), { events: [{ a: 1 }], type });
  assert.deepEqual(parsedEvents('[{"a":1},2]'), { events: [{ a: 1 }, 2], type });
  assert.deepEqual(parsedEvents('[]'), { events: [], type });
  const lines = { events: [{ a: 1 }, { a: 2 }], type: 'application/x-ndjson' };
  assert.deepEqual(parsedEvents('{"a":1}\n\n{"a":2}\r\n'), lines);
});

test('what is neither JSON nor lines of JSON is not parsed', () => {
  for (const text of ['', '{"a":1', '{"a":1}\n{"a":', '{"a":1} {"a":2}']) {
    assert.equal(parsedEvents(text), undefined, text);
  }
});

test('each event gets its code, the first of a code its message', () => {
  const errors = [
    {
      code: 'schema',
      events: [
        [1, 2],
        [4, 4],
      ],
      message: 'event 1: must be integer',
    },
    { code: 'too_large', events: [[3, 3]], message: 'event 3: 2,000 bytes' },
  ];
  const record = { event: 0, partition: 1 };
  assert.deepEqual(verdictsOf(5, { errors, records: [record] }), [
    { event: 0, violations: [], record },
    { event: 1, violations: [], code: 'schema', message: 'must be integer' },
    { event: 2, violations: [], code: 'schema' },
    { event: 3, violations: [], code: 'too_large', message: '2,000 bytes' },
    { event: 4, violations: [], code: 'schema' },
  ]);
});

test('an error without numbers concerns all events', () => {
  const errors = [{ code: 'rate_limited', message: 'too many events' }];
  assert.deepEqual(verdictsOf(2, { errors }), [
    { event: 0, violations: [], code: 'rate_limited', message: 'too many events' },
    { event: 1, violations: [], code: 'rate_limited' },
  ]);
  assert.deepEqual(verdictsOf(0, { errors }), []);
});

test('violations belong to their event, also if it is accepted', () => {
  const violations = [{ path: '/x', message: 'must be integer' }];
  const explain = { events: [{ event: 1, violations, omitted: 3 }] };
  assert.deepEqual(verdictsOf(2, { errors: [], explain }), [
    { event: 0, violations: [] },
    { event: 1, violations, omitted: 3 },
  ]);
});
