import assert from 'node:assert/strict';
import { test } from 'node:test';
import { type Repeat, Repeats } from '../../../src/cli/listen/repeats.ts';

const event = (fields: object) => ({ ...fields });
/** Id of an unmarked repeat. */
const idOf = (repeat: Repeat | undefined) => (repeat?.isMarked === false ? repeat.id : undefined);

test('an id that was seen before is a repeat, each time', () => {
  const repeats = new Repeats('id', 1_000);
  const looks = ['a', 'b', 'a', 'a'].map((id) => idOf(repeats.check(event({ id }))));
  assert.deepEqual(looks, [undefined, undefined, '"a"', '"a"']);
  const summary = { events: 4, distinctIds: 2, repeats: 2, markedRepeats: 0 };
  assert.deepEqual(repeats.summary, { ...summary, withoutId: 0, forgotten: 0 });
  assert.match(
    repeats.describe(),
    /^4 events, 2 distinct ids, 2 repeats, 0 without id; .*"a" "a"$/,
  );
});

test('the number 1 and the string "1" are two ids', () => {
  const repeats = new Repeats('id', 1_000);
  assert.equal(repeats.check(event({ id: 1 })), undefined);
  assert.equal(repeats.check(event({ id: '1' })), undefined);
  assert.equal(idOf(repeats.check(event({ id: 1 }))), '1');
});

test('events without an id are counted separately and are no repeats of each other', () => {
  const repeats = new Repeats('id', 1_000);
  const events = [event({}), event({ id: null }), undefined, undefined];
  for (const one of events) assert.equal(repeats.check(one), undefined);
  const summary = { events: 4, distinctIds: 0, repeats: 0, markedRepeats: 0 };
  assert.deepEqual(repeats.summary, { ...summary, withoutId: 4, forgotten: 0 });
});

test('a field of another name, and no field of the prototype', () => {
  const repeats = new Repeats('toString', 1_000);
  assert.equal(repeats.check(event({ id: 'a' })), undefined);
  assert.equal(repeats.summary.withoutId, 1);
  assert.equal(repeats.check(event({ toString: 'a' })), undefined);
  assert.equal(idOf(repeats.check(event({ toString: 'a' }))), '"a"');
});

test('the id may be nested', () => {
  const repeats = new Repeats('meta.id', 1_000);
  repeats.check(event({ meta: { id: 'a' } }));
  assert.equal(idOf(repeats.check(event({ meta: { id: 'a' } }))), '"a"');
  assert.equal(repeats.check(event({ meta: 'a' })), undefined);
  assert.equal(repeats.summary.withoutId, 1);
});

test('a repeated id is escaped for the terminal, and one of a kind has no plural', () => {
  const repeats = new Repeats('id', 1_000);
  const evil = event({ id: '\u009b31m\u202e\u001b' });
  repeats.check(evil);
  assert.equal(idOf(repeats.check(evil)), '"\\x9b31m\\u202e\\u001b"');
  assert.equal(
    repeats.describe(),
    '2 events, 1 distinct id, 1 repeat, 0 without id; first repeats: "\\x9b31m\\u202e\\u001b"',
  );
});

test('above the limit at least the newest half of the ids is known, and evictions are reported', () => {
  const repeats = new Repeats('id', 10);
  for (let id = 0; id < 23; id++) assert.equal(repeats.check(event({ id })), undefined);
  for (let id = 18; id < 23; id++) assert.equal(idOf(repeats.check(event({ id }))), String(id));
  assert.equal(repeats.check(event({ id: 0 })), undefined, 'forgotten');
  const { distinctIds, forgotten } = repeats.summary;
  assert.deepEqual({ distinctIds, forgotten }, { distinctIds: 24, forgotten: 15 });
  assert.match(repeats.describe(), /, 0 without id, the 15 oldest ids were evicted; first repeats/);
});

/** Copies of `a`, with a star if marked, and the kind of each: first, marked or repeat. */
for (const [copies, kinds] of [
  ['a a* a*', 'first marked marked'],
  ['a* a a*', 'first marked marked'],
  ['a* a* a', 'first marked marked'],
  ['a a', 'first repeat'],
  ['a a* a', 'first marked repeat'],
  ['a* a a', 'first marked repeat'],
  ['a* a* a a* a', 'first marked marked marked repeat'],
] as const) {
  test(`one copy may be unmarked, wherever it is: ${copies}`, () => {
    const repeats = new Repeats('id', 1_000);
    const found = copies.split(' ').map((copy) => {
      const repeat = repeats.check(event({ id: 'a' }), copy.endsWith('*'));
      if (repeat === undefined) return 'first';
      assert.equal(repeat.id, '"a"');
      return repeat.isMarked ? 'marked' : 'repeat';
    });
    assert.equal(found.join(' '), kinds);
    const count = (kind: string) => found.filter((one) => one === kind).length;
    const { events, distinctIds, repeats: unmarked, markedRepeats } = repeats.summary;
    assert.equal(events, found.length);
    assert.deepEqual([distinctIds, unmarked, markedRepeats], [1, count('repeat'), count('marked')]);
  });
}

test('the summary counts marked repeats separately, and not without marks', () => {
  const repeats = new Repeats('id', 1_000);
  repeats.check(event({ id: 'a' }));
  assert.equal(repeats.describe(), '1 event, 1 distinct id, 0 repeats, 0 without id');
  repeats.check(event({}), true);
  const none = '2 events, 1 distinct id, 0 repeats, 0 marked repeats, 1 without id';
  assert.equal(repeats.describe(), none);
  repeats.check(event({ id: 'a' }), true);
  const one = '3 events, 1 distinct id, 0 repeats, 1 marked repeat, 1 without id';
  assert.equal(repeats.describe(), one);
});

test('marks are known as long as their ids, and evicted with them', () => {
  const repeats = new Repeats('id', 10);
  for (const id of ['a', 'b']) repeats.check(event({ id }), true);
  for (let id = 0; id < 4; id++) repeats.check(event({ id }));
  assert.equal(repeats.check(event({ id: 'a' }))?.isMarked, true, 'in the older half');
  assert.equal(repeats.check(event({ id: 'a' }))?.isMarked, false, 'no longer only marked');
  for (let id = 4; id < 15; id++) repeats.check(event({ id }));
  assert.equal(repeats.check(event({ id: 'b' })), undefined, 'evicted');
});
