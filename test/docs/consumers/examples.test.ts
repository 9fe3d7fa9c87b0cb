/** examples/consumer counts each event once. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import type { IHeaders } from 'kafkajs';
import { UniqueEvents } from '../../../examples/consumer/unique-events.ts';
import { type Copy, createHistory, miscounted } from './history.ts';

const DAY_MS = 86_400_000;

type Sent = Pick<Copy, 'id' | 'resent' | 'received'>;

/** A record whose timestamp is the time of an old event. */
function recordOf({ id, resent, received }: Sent) {
  const headers: IHeaders = { 'fb-received': Buffer.from(String(received)) };
  if (id !== undefined) headers['fb-id'] = Buffer.from(id);
  if (resent) headers['fb-resent'] = Buffer.from('1');
  return { headers, timestamp: '0' };
}

/** A record of a stream that does not list `received`. */
function withoutReceived({ id = '', resent, received }: Sent) {
  const headers: IHeaders = { 'fb-id': id, ...(resent && { 'fb-resent': '1' }) };
  return { headers, timestamp: String(received) };
}

test('the example counts each event once, in any order of its copies', () => {
  for (let seed = 1; seed <= 20; seed++) {
    const { events, polls } = createHistory({ seed, partitions: 4, keyed: false, restarts: 0 });
    const unique = new UniqueEvents({ allIdsMs: DAY_MS, markedIdsMs: DAY_MS, idsMax: 10_000 });
    const counted = polls.flat().filter((copy) => unique.isFirst(recordOf(copy)));
    const numbers = counted.map(({ event }) => event);
    assert.deepEqual(miscounted(events, numbers), [], `seed ${seed}`);
  }
});

for (const [clock, record] of [
  ['fb-received', recordOf],
  ['the record timestamp without fb-received', withoutReceived],
] as const) {
  test(`the example keeps ids within their windows and number, by ${clock}`, () => {
    const unique = new UniqueEvents({ allIdsMs: 1_000, markedIdsMs: 100, idsMax: 50 });
    const copy = (id: string, resent: boolean, received: number) =>
      unique.isFirst(record({ id, resent, received }));
    assert(copy('a', true, 1_000));
    assert(!copy('a', false, 900));
    assert(copy('b', true, 1_101));
    assert(copy('a', false, 900), 'outside the window of marked ids');
    assert(!copy('a', true, 1_200), 'within the window of all ids');
    assert(copy('c', false, 2_201));
    assert(copy('a', true, 2_202), 'outside both');
    for (let id = 0; id < 1_000; id++) copy(`${id}`, true, 2_300);
    assert.equal(unique.size, 100);
  });
}

test('records without headers are counted', () => {
  const unique = new UniqueEvents({ allIdsMs: 1, markedIdsMs: 1, idsMax: 1 });
  for (const headers of [undefined, {}]) {
    assert(unique.isFirst({ timestamp: '1', ...(headers && { headers }) }));
  }
});
