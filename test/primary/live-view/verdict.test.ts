import assert from 'node:assert/strict';
import { test } from 'node:test';
import { COLUMNS } from '../../../src/primary/live-view/columns.ts';

interface Status {
  readonly ready: boolean;
  readonly reasons: readonly string[];
  readonly unaccounted: number;
  readonly workers: readonly { readonly states: readonly string[] }[];
}
interface PastClass {
  new (all: {
    columns: readonly string[];
    secondsMax: number;
    points: number[][];
  }): {
    ages(): number[];
    sum(column: string, points?: number): number;
    kinds(prefix: string): string[];
    value(column: string): number | null;
    add(point: number[]): void;
  };
}
const page = new URL('../../../src/primary/live-view/static/', import.meta.url);
const { Past } = (await import(new URL('past.js', page).href)) as { Past: PastClass };
const { verdictOf } = (await import(new URL('verdict.js', page).href)) as {
  verdictOf(past: InstanceType<PastClass>, status: Status): { kind: string; text: string };
};

type Numbers = Readonly<Record<string, number>>;

function pointOf(numbers: Numbers): number[] {
  return COLUMNS.map((name) => numbers[name] ?? 0);
}

function pastOf(...seconds: Numbers[]) {
  return new Past({ columns: COLUMNS, secondsMax: 600, points: seconds.map(pointOf) });
}

const well: Status = {
  ready: true,
  reasons: [],
  unaccounted: 0,
  workers: [{ states: ['ready'] }, { states: ['ready', 'draining'] }],
};

test('the worst that is true now is said', () => {
  const dead = { ...well, workers: [{ states: [] }, { states: ['ready'] }] };
  const unready = (...reasons: string[]) => ({ ...well, ready: false, reasons });
  const cases: [string, Numbers, Status, string][] = [
    ['good', {}, well, 'Ready; no events come'],
    ['good', { stored: 5 }, well, 'Events flow and are stored'],
    [
      'good',
      { stored: 5, 'refused.schema': 1 },
      well,
      'Events flow and are stored; bad ones are refused: schema',
    ],
    [
      'wait',
      { 'errors.connection': 1 },
      well,
      'Attempts to store fail and are made again: connection',
    ],
    ['wait', { stored: 5, oldestSeconds: 6 }, well, 'Kafka is slow: some events wait long'],
    ['wait', { 'refused.timeout': 1 }, well, 'Good events are refused: timeout'],
    ['wait', { 'restarts.hang': 1 }, well, 'A worker has died and was replaced'],
    [
      'wait',
      { 'restarts.crash': 1, 'lost.crash': 9 },
      well,
      'A worker has died and was replaced; what it held may be lost',
    ],
    ['wait', { stored: 5 }, dead, 'Workers that are not ready: 1 of 2'],
    ['bad', { oldestSeconds: 6 }, well, 'Kafka confirms nothing: events wait in the buffer'],
    [
      'bad',
      { 'dropped.buffer_full': 1 },
      well,
      'Good events of plain clients are dropped: buffer_full',
    ],
    ['bad', {}, unready('Kafka cannot be reached'), 'Not ready: Kafka cannot be reached'],
    ['wait', {}, unready('draining'), 'Not ready: draining'],
    [
      'bad',
      { stored: 5 },
      { ...unready('draining'), unaccounted: -1 },
      'Events are unaccounted for: a defect of Forebay',
    ],
  ];
  for (const [kind, numbers, status, text] of cases) {
    assert.deepEqual(verdictOf(pastOf(numbers), status), { kind, text });
  }
});

test('what was ten seconds ago is over', () => {
  const quiet = Array.from({ length: 10 }, () => ({}));
  const trouble = { 'dropped.buffer_full': 1, 'restarts.crash': 1, stored: 1 };
  assert.equal(verdictOf(pastOf(trouble, ...quiet), well).text, 'Ready; no events come');
  assert.equal(verdictOf(pastOf(trouble, ...quiet.slice(1)), well).kind, 'bad');
});

test('the past is bounded, adds up, and knows how old its points are', () => {
  const columns = ['at', 'refused.schema', 'refused.timeout'];
  const past = new Past({ columns, secondsMax: 3, points: [[1_000, 1, 0]] });
  assert.equal(past.value('refused.schema'), 1);
  for (const point of [
    [2_000, 2, 0],
    [3_000, 3, 0],
    [9_000, 4, 7],
  ]) {
    past.add(point);
  }
  assert.deepEqual(past.ages(), [7, 6, 0]);
  assert.equal(past.sum('refused.schema'), 9);
  assert.equal(past.sum('refused.schema', 2), 7);
  assert.deepEqual(past.kinds('refused'), ['schema', 'timeout']);
  assert.throws(() => past.value('nothing'), /no column/);
  assert.equal(new Past({ columns, secondsMax: 3, points: [] }).value('at'), null);
});
