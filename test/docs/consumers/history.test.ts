/** The generated histories contain what the recipes have to handle. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { type Copy, createHistory, miscounted } from './history.ts';

const { events, polls } = createHistory({ seed: 1, partitions: 4, keyed: false, restarts: 0 });
const copies = polls.flat();
const eventsOf = (list: readonly Copy[]) => list.map(({ event }) => event);

test('of all copies of one id at most one is unmarked, and often read after marked ones', () => {
  const seen = new Map<string, { marked: number; unmarked: number; late: number }>();
  for (const { id, resent } of copies) {
    if (id === undefined) continue;
    const entry = seen.get(id) ?? { marked: 0, unmarked: 0, late: 0 };
    if (!resent && entry.marked > 0) entry.late++;
    entry[resent ? 'marked' : 'unmarked']++;
    seen.set(id, entry);
  }
  const entries = [...seen.values()];
  assert(entries.every(({ unmarked }) => unmarked <= 1));
  assert(entries.filter(({ late }) => late > 0).length > 50, 'originals after their marks');
  assert(entries.filter(({ unmarked }) => unmarked === 0).length > 20, 'no original');
  assert(entries.filter(({ marked }) => marked > 1).length > 20, 'several repeats');
});

test('originals arrive before their marked copies', () => {
  const original = new Map(copies.filter(({ resent }) => !resent).map((c) => [c.event, c]));
  const marked = copies.filter(({ resent }) => resent);
  assert(marked.every(({ event, received }) => received > (original.get(event)?.received ?? 0)));
});

test('consumers that ignore part of the rule count wrong', () => {
  const unmarkedOnly = copies.filter(({ resent }) => !resent);
  const everything = copies;
  const seen = new Set<string | undefined>();
  const repeatsSkipped = copies.filter(({ id, resent }) => {
    const isRepeat = resent && seen.has(id);
    seen.add(id);
    return !isRepeat;
  });
  for (const counted of [unmarkedOnly, everything, repeatsSkipped]) {
    assert(miscounted(events, eventsOf(counted)).length > 20);
  }
  const first = new Map(copies.map((copy) => [copy.event, copy]));
  assert.deepEqual(miscounted(events, eventsOf([...first.values()])), []);
});

test('a restarted consumer reads records again', () => {
  const again = createHistory({ seed: 1, partitions: 4, keyed: false, restarts: 9 });
  const places = again.polls.flat().map(({ partition, offset }) => `${partition}:${offset}`);
  assert(places.length > new Set(places).size + 50);
  assert.equal(new Set(places).size, copies.length);
});
