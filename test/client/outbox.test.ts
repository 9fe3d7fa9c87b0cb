import assert from 'node:assert/strict';
import { test } from 'node:test';
import { type Entry, progress } from '../../src/client/entry.ts';
import { Outbox } from '../../src/client/outbox.ts';

function entry(text: string): Entry {
  return { event: {}, text, bytes: text.length, ...progress(), stored() {}, failed() {} };
}
const texts = (entries: Iterable<Entry>) => [...entries].map(({ text }) => text);

test('take: as many events and bytes as a frame may have, including brackets and commas', () => {
  for (const [events, bytes, expected] of [
    [9, 11, ['aaa', 'bbb']],
    [9, 9, ['aaa', 'bbb']],
    [9, 8, ['aaa']],
    [9, 3, ['aaa']],
    [9, 2, []],
    [1, 99, ['aaa']],
    [9, 13, ['aaa', 'bbb', 'ccc']],
  ] as const) {
    const outbox = new Outbox(100);
    for (const text of ['aaa', 'bbb', 'ccc']) outbox.add(entry(text));
    assert.deepEqual(
      texts(outbox.take(events, bytes)),
      expected,
      `${events} events, ${bytes} bytes`,
    );
  }
});

test('events put back are sent first and in order, unless settled meanwhile', () => {
  const outbox = new Outbox(100);
  const all = ['a', 'b', 'c', 'd'].map(entry);
  for (const each of all) outbox.add(each);
  const taken = outbox.take(3, 100);
  assert(outbox.done(taken[1]!), 'it had no end before');
  assert(!outbox.done(taken[1]!), 'it has one now');
  outbox.putBack(taken);
  outbox.again(taken[1]!);
  assert.deepEqual(texts(outbox.take(9, 100)), ['a', 'c'], 'possible repeats on their own');
  assert.deepEqual(texts(outbox.take(9, 100)), ['d']);
  assert.deepEqual(texts(outbox.held), ['a', 'c', 'd']);
  assert.equal(outbox.bytes, 3);
});

test('bytes are those of all unsettled events, waiting or taken, exactly to the limit', () => {
  const outbox = new Outbox(4);
  for (const text of ['a', 'b', 'c', 'd']) assert.deepEqual(outbox.add(entry(text)), []);
  outbox.take(2, 100);
  assert.equal(outbox.bytes, 4);
  assert.deepEqual(texts(outbox.add(entry('e'))), ['c']);
  assert.deepEqual(texts(outbox.add(entry('ff'))), ['d', 'e']);
  assert.deepEqual(texts(outbox.add(entry('ggg'))), ['ff', 'ggg'], 'two are taken, one is left');
  assert.equal(outbox.bytes, 2);
});

test('events set aside are dropped first, then the oldest waiting ones', () => {
  const outbox = new Outbox(4);
  const all = ['a', 'b', 'c', 'd'].map(entry);
  for (const each of all) outbox.add(each);
  assert(outbox.setAside(all[2]!), 'it waited');
  assert(!outbox.setAside(all[2]!), 'it no longer waits');
  assert.deepEqual(texts(outbox.add(entry('ee'))), ['c', 'a']);
  outbox.again(all[2]!);
  assert.deepEqual(texts(outbox.take(9, 100)), ['b', 'd', 'ee']);
  assert.equal(outbox.bytes, 4);
});

test('suspects: events that failed alone twice are excluded from every other attempt', () => {
  const outbox = new Outbox(100);
  const all = ['a', 'b', 'c'].map(entry);
  for (const each of all) outbox.add(each);
  const attempts: string[] = [];
  for (let attempt = 0; attempt < 9; attempt++) {
    const suspects = outbox.suspects;
    const sent = outbox.take(1, 100, suspects);
    attempts.push(texts(sent).join(''));
    outbox.putBack(sent);
    outbox.noAnswer(sent, suspects);
  }
  assert.deepEqual(attempts, ['a', 'a', 'b', 'a', 'b', 'a', 'c', 'a', 'c']);
});
