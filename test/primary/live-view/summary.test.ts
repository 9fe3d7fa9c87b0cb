import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import { test } from 'node:test';
import { COLUMNS } from '../../../src/primary/live-view/columns.ts';
import { type State, SummaryTracker, summaryOf } from '../../../src/primary/live-view/summary.ts';

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
const { anchorOf } = (await import(new URL('texts.js', page).href)) as {
  anchorOf(heading: string): string;
};
const runbook = readFileSync(new URL('../../../dist/runbook.html', import.meta.url), 'utf8');

type Numbers = Readonly<Record<string, number>>;

function pointOf(numbers: Numbers): number[] {
  return COLUMNS.map((name) => numbers[name] ?? 0);
}

const well: State = {
  ready: true,
  reasons: [],
  unaccounted: 0,
  states: [['ready'], ['ready', 'draining']],
  outage: undefined,
  restartFailure: undefined,
};
const REASON = 'Kafka cannot be reached: connection refused';
const outOf = (scope: 'all' | 'some', effect: string): State => ({
  ...well,
  outage: { scope, effect, reason: REASON, sinceMs: 1_000 },
});
const allOut = outOf('all', 'no event is stored');
const someOut = outOf('some', 'events of some partitions are not stored');
const rollFailed: State = {
  ...well,
  restartFailure: { reason: 'the new worker died before it could take over', sinceMs: 2_000 },
};
const ROLL_FAILED =
  'Rolling restart aborted, previous workers keep running: the new worker died before it could take over';
const unready = (...reasons: string[]): State => ({ ...well, ready: false, reasons });
const dead: State = { ...well, states: [[], ['ready']] };

const IDLE = 'Ready; no events in the last 10 seconds';
/** Condition, its text, and the runbook section with the steps. */
const CASES: readonly [Numbers, State, kind: string, text: string, section: string][] = [
  [{}, well, 'idle', IDLE, ''],
  [{ stored: 5 }, well, 'good', 'Events are stored', ''],
  [{ received: 5 }, well, 'wait', 'Events arrive; none is stored yet', ''],
  [
    { stored: 5, 'refused.schema': 1 },
    well,
    'good',
    'Events are stored; invalid ones are rejected: schema',
    'Rejections',
  ],
  [
    { received: 5, 'refused.schema': 5 },
    well,
    'wait',
    'No event is stored: all are rejected: schema',
    'ForebayRefusesEvents',
  ],
  [
    { 'errors.connection': 1 },
    well,
    'wait',
    'Produce attempts fail and are retried: connection',
    'Attempts that fail',
  ],
  [
    { stored: 5, oldestSeconds: 6 },
    well,
    'wait',
    'Kafka is slow: some events wait for seconds',
    'ForebayEventsWait',
  ],
  [
    { stored: 5, 'refused.unknown_stream': 1 },
    well,
    'good',
    'Events are stored; invalid ones are rejected: unknown_stream',
    'Rejections',
  ],
  [{ 'refused.timeout': 1 }, well, 'wait', 'Valid events are rejected: timeout', 'Rejections'],
  [{ 'restarts.hang': 1 }, well, 'wait', 'A worker has died and was replaced', 'ForebayWorkerDied'],
  [
    { 'restarts.crash': 1, 'lost.crash': 9 },
    well,
    'wait',
    'A worker has died and was replaced; its events in flight may be lost',
    'ForebayWorkerDied',
  ],
  [{ stored: 5 }, dead, 'wait', 'Workers not ready: 1 of 2', 'Workers that die or hang'],
  [
    { oldestSeconds: 6 },
    well,
    'wait',
    'Kafka is slow: some events wait for seconds',
    'ForebayEventsWait',
  ],
  [{}, rollFailed, 'wait', ROLL_FAILED, 'Rolling restart'],
  [{ stored: 5 }, rollFailed, 'wait', ROLL_FAILED, 'Rolling restart'],
  [
    { 'refused.timeout': 1 },
    rollFailed,
    'wait',
    'Valid events are rejected: timeout',
    'Rejections',
  ],
  [{}, allOut, 'bad', `Kafka outage: no event is stored (${REASON})`, 'Outages'],
  [
    { received: 5, oldestSeconds: 6, 'errors.connection': 1 },
    allOut,
    'bad',
    `Kafka outage: no event is stored (${REASON})`,
    'Outages',
  ],
  [
    { stored: 5 },
    someOut,
    'wait',
    `Kafka outage: events of some partitions are not stored (${REASON})`,
    'Outages',
  ],
  [
    {},
    { ...allOut, ready: false, reasons: ['the buffer reached 80% and has not fallen below 60%'] },
    'bad',
    `Kafka outage: no event is stored (${REASON})`,
    'Outages',
  ],
  [
    {},
    { ...allOut, ready: false, reasons: ['not all workers are listening'] },
    'bad',
    'Not ready: not all workers are listening',
    'Workers that die or hang',
  ],
  [{}, { ...allOut, ...unready('draining') }, 'wait', 'Not ready: draining', 'Stop'],
  [
    { 'dropped.buffer_full': 1 },
    well,
    'bad',
    'Events of plain clients are dropped: buffer_full',
    'ForebayDropsEvents',
  ],
  [
    {},
    unready('Kafka cannot be reached'),
    'bad',
    'Not ready: Kafka cannot be reached',
    'ForebayStoresNothing',
  ],
  [
    {},
    unready('the broker’s certificate is not trusted'),
    'bad',
    'Not ready: the broker’s certificate is not trusted',
    "Kafka's TLS and logins",
  ],
  [
    {},
    unready('the buffer reached 80% and has not fallen below 60%'),
    'bad',
    'Not ready: the buffer reached 80% and has not fallen below 60%',
    'Overload',
  ],
  [
    {},
    unready('not all workers are listening'),
    'bad',
    'Not ready: not all workers are listening',
    'Workers that die or hang',
  ],
  [{}, unready('draining'), 'wait', 'Not ready: draining', 'Stop'],
  [
    { stored: 5 },
    { ...unready('draining'), unaccounted: -1 },
    'bad',
    'Events are unaccounted for: a defect of Forebay',
    'ForebayEventsUnaccounted',
  ],
];

test('the most severe current condition is shown, with the next step and the runbook section', () => {
  for (const [numbers, state, kind, text, section] of CASES) {
    const { todo, sinceMs, ...said } = summaryOf([pointOf(numbers)], state);
    assert.deepEqual(said, { kind, text, section });
    const begins: Record<string, number | undefined> = {
      Outages: state.outage?.sinceMs,
      'Rolling restart': state.restartFailure?.sinceMs,
    };
    assert.equal(sinceMs, begins[section], text);
    assert.equal(todo === '', section === '', `what to do: ${text}`);
    if (section === '') continue;
    const anchor = `id="${anchorOf(section)}"`;
    assert(runbook.includes(anchor), `the runbook has no ${anchor}`);
  }
});

test('a condition that ended ten seconds ago is over', () => {
  const quiet = Array.from({ length: 10 }, () => pointOf({}));
  const trouble = pointOf({ 'dropped.buffer_full': 1, 'restarts.crash': 1, stored: 1 });
  assert.equal(summaryOf([trouble, ...quiet], well).text, IDLE);
  assert.equal(summaryOf([trouble, ...quiet.slice(1)], well).kind, 'bad');
});

test('the start of a state is kept while its details change', () => {
  const watch = new SummaryTracker(500);
  assert.deepEqual([watch.current.kind, watch.current.sinceMs], ['idle', 500]);
  const after = (at: number, numbers: Numbers, state: State) => {
    watch.update(pointOf({ at, ...numbers }), state);
    return [watch.current.kind, watch.current.sinceMs];
  };
  assert.deepEqual(after(1_000, { stored: 1 }, well), ['good', 1_000]);
  assert.deepEqual(after(2_000, { stored: 1, 'refused.schema': 1 }, well), ['good', 1_000]);
  assert.deepEqual(after(3_000, {}, unready('Kafka cannot be reached')), ['bad', 3_000]);
  assert.deepEqual(after(4_000, {}, unready('Kafka closed the connection')), ['bad', 3_000]);
  assert.deepEqual(after(5_000, { stored: 1 }, well), ['good', 5_000]);
  for (let at = 6_000; at < 16_000; at += 1_000) after(at, {}, well);
  assert.deepEqual(after(16_000, {}, well), ['idle', 15_000], 'ten seconds after the last event');
});

test('an outage starts when the log says, not when the view first sees it', () => {
  const watch = new SummaryTracker(500);
  watch.update(pointOf({ at: 6_000 }), allOut);
  assert.deepEqual([watch.current.kind, watch.current.sinceMs], ['bad', 1_000]);
  watch.update(pointOf({ at: 7_000 }), well);
  assert.deepEqual([watch.current.kind, watch.current.sinceMs], ['idle', 7_000]);
});

test('the history is bounded, adds up, and knows the age of its points', () => {
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
  assert.throws(() => past.value('nothing'), /unknown column/);
  assert.equal(new Past({ columns, secondsMax: 3, points: [] }).value('at'), null);
});
