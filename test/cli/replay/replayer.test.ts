import assert from 'node:assert/strict';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, test } from 'node:test';
import { Pace } from '../../../src/cli/replay/pace.ts';
import { type EventLanes, Replayer } from '../../../src/cli/replay/replayer.ts';
import { ReplayReport } from '../../../src/cli/replay/report.ts';
import { loadState, StateFile } from '../../../src/cli/replay/state-file.ts';
import { StartError } from '../../../src/common/errors.ts';
import { type DeadLetter, deadLetterIn } from '../../../src/kafka/dead-letter.ts';
import type { Provenance } from '../../../src/worker/streams/provenance.ts';
import { RejectingRoute, type Route } from '../../../src/worker/streams/route.ts';
import { SeededRandom } from '../../../testing/random.ts';
import { letterRecord } from './letters.ts';

const folder = mkdtempSync(join(tmpdir(), 'forebay-replay-'));
after(() => rmSync(folder, { recursive: true }));

const SOURCE = { cluster: 'c', topic: 'r', topicId: null };
const ROUTE = new RejectingRoute('unknown_stream');
const WINDOW = 10;

interface Stored {
  readonly origin: string;
  readonly isMarked: boolean;
}

/** Kafka with one lane: it stores events in order, and confirms them later, or never. */
class FakeLanes implements EventLanes {
  readonly hasRoom = true;
  readonly kafka: Stored[];
  /** Events of each dead letter. */
  readonly #events: number;
  readonly #waiting: { readonly ticket: number; readonly stored: Stored }[] = [];
  #unconfirmed: number[] = [];
  isFrozen = false;

  constructor(kafka: Stored[], events: number) {
    this.kafka = kafka;
    this.#events = events;
  }

  send(
    ticket: number,
    partition: number,
    { offset }: DeadLetter,
    _route: Route,
    { resent }: Provenance,
  ): void {
    const stored = { origin: `${partition}:${offset}`, isMarked: resent > 0 };
    for (let event = 0; event < this.#events; event++) {
      this.#waiting.push({ ticket, stored });
      this.replayer.accepted(ticket);
    }
  }

  replayer!: Replayer;

  get waiting(): number {
    return this.#waiting.length + this.#unconfirmed.length;
  }

  /** Stores the first events. */
  store(count: number): void {
    for (const { ticket, stored } of this.#waiting.splice(0, count)) {
      this.kafka.push(stored);
      this.#unconfirmed.push(ticket);
    }
  }

  confirm(): void {
    const tickets = this.#unconfirmed;
    this.#unconfirmed = [];
    for (const ticket of tickets) this.replayer.stored(ticket);
  }

  /** Rejects the first events. */
  reject(code: 'rejected_by_kafka' | 'timeout', count = 1): void {
    for (const { ticket } of this.#waiting.splice(0, count)) {
      this.replayer.rejected(ticket, code, '');
    }
  }

  freeze(): void {
    this.isFrozen = true;
  }
}

interface Setup {
  readonly kafka?: Stored[];
  readonly path: string;
  readonly signal?: AbortSignal;
  readonly patienceMs?: number;
  readonly events?: number;
}

async function replayerFor({ kafka = [], path, signal, patienceMs = 5_000, events = 1 }: Setup) {
  const state = await StateFile.open(path, SOURCE);
  const lanes = new FakeLanes(kafka, events);
  const report = new ReplayReport();
  const replayer = new Replayer({
    state,
    lanes,
    report,
    routes: { named: ROUTE, unnamed: ROUTE },
    ip: 'full',
    window: WINDOW,
    rate: undefined,
    patienceMs,
    signal: signal ?? new AbortController().signal,
  });
  lanes.replayer = replayer;
  return { state, lanes, report, replayer };
}

const letterAt = (offset: number): DeadLetter => deadLetterIn(letterRecord({ offset }));
const letters = (count: number) => Array.from({ length: count }, (_, offset) => letterAt(offset));
const beat = async () => {};
const turn = () => new Promise((resolve) => setImmediate(resolve));

test('killed at any point and resumed, it stores everything in order, with marked repeats only', async () => {
  const count = 60;
  for (let seed = 0; seed < 4; seed++) {
    const random = new SeededRandom(seed, 'kills');
    const path = join(folder, `killed-${seed}`);
    const kafka: Stored[] = [];
    let kills = 0;
    for (let isDone = false; !isDone; ) {
      const { state, lanes, replayer } = await replayerFor({ kafka, path });
      const { done } = state.offsets;
      const left = letters(count).filter(({ offset }) => !done.of(0).has(offset));
      let isSent = false;
      void replayer.send(0, left, beat).then(
        () => replayer.drain().then(() => (isSent = true)),
        () => {},
      );
      const killedAt = kills < 4 ? kafka.length + random.int(1, 12) : Number.POSITIVE_INFINITY;
      while (kafka.length < killedAt && !isSent) {
        await turn();
        if (random.chance(0.5)) lanes.store(random.int(0, 4));
        if (random.chance(0.3)) lanes.confirm();
      }
      // Killed: what was sent may be stored without a confirmation, and the file stays as it is.
      if (!isSent) lanes.store(random.int(0, lanes.waiting));
      await turn();
      replayer.failed(new StartError('killed', 1));
      await state.close();
      const { open } = loadState(path).offsets;
      assert.ok(open.size <= WINDOW, `${open.size} may have been stored`);
      isDone = isSent;
      if (!isDone) kills++;
    }
    const seen = new Map<string, Stored[]>();
    for (const stored of kafka)
      seen.set(stored.origin, [...(seen.get(stored.origin) ?? []), stored]);
    assert.deepEqual(
      [...seen.keys()],
      letters(count).map(({ offset }) => `0:${offset}`),
    );
    for (const copies of seen.values()) {
      assert.ok(copies.filter(({ isMarked }) => !isMarked).length <= 1, 'one is unmarked at most');
    }
    const repeats = kafka.length - count;
    assert.ok(repeats > 0 && repeats <= kills * WINDOW, `${repeats} repeats after ${kills} kills`);
    assert.deepEqual(loadState(path).offsets.done.toJSON(), { 0: `0-${count - 1}` });
  }
});

test('an event that Kafka rejects is not done, and can be replayed later without a mark', async () => {
  const path = join(folder, 'rejected');
  const { state, lanes, report, replayer } = await replayerFor({ path });
  report.passing = 3;
  await replayer.send(0, letters(3), beat);
  lanes.reject('rejected_by_kafka');
  lanes.store(2);
  lanes.confirm();
  await replayer.drain();
  await state.close();
  const { done, open } = loadState(path).offsets;
  assert.deepEqual([done.toJSON(), open.toJSON()], [{ 0: '1-2' }, {}]);
  assert.deepEqual([report.passing, report.replayed, report.failing], [2, 2, 1]);
  assert.equal(report.failures[0]?.code, 'rejected_by_kafka');
});

test('a dead letter with several events counts once: replayed if one of them is stored', async () => {
  const path = join(folder, 'several');
  const { state, lanes, report, replayer } = await replayerFor({ path, events: 3 });
  report.passing = 2;
  await replayer.send(0, letters(2), beat);
  lanes.reject('rejected_by_kafka', 5);
  lanes.store(1);
  lanes.confirm();
  await replayer.drain();
  await state.close();
  assert.deepEqual(loadState(path).offsets.done.toJSON(), { 0: '1' });
  assert.deepEqual([report.passing, report.replayed, report.failing], [1, 1, 1]);
});

test('one that an earlier run may have stored stays in doubt after Kafka has rejected it', async () => {
  const path = join(folder, 'doubt');
  const killed = await replayerFor({ path });
  await killed.replayer.send(0, letters(2), beat);
  await killed.state.close();
  const { state, lanes, report, replayer } = await replayerFor({ path });
  report.passing = 2;
  await replayer.send(0, letters(2), beat);
  lanes.reject('rejected_by_kafka');
  lanes.store(1);
  lanes.confirm();
  await replayer.drain();
  await state.close();
  const { done, open } = loadState(path).offsets;
  assert.deepEqual([done.toJSON(), open.toJSON()], [{ 0: '1' }, { 0: '0' }]);
  assert.deepEqual([report.replayed, report.marked, report.failing], [1, 1, 1]);
});

test('a result without a definite answer ends the replay before a later event overtakes', async () => {
  const path = join(folder, 'timeout');
  const { state, lanes, replayer } = await replayerFor({ path });
  const sending = replayer.send(0, letters(30), beat);
  while (lanes.waiting === 0) await turn();
  lanes.reject('timeout');
  assert.ok(lanes.isFrozen);
  await assert.rejects(sending, { exitCode: 1, message: /run it again to resume$/ });
  await assert.rejects(replayer.drain(), /run it again to resume$/);
  await state.close();
  assert.equal(loadState(path).offsets.open.size, WINDOW);
});

test('without a confirmation it ends after its patience; a signal ends it after what is begun', async () => {
  const silent = await replayerFor({ path: join(folder, 'silent'), patienceMs: 20 });
  const message = /Kafka has confirmed nothing for 0.02 s; run it again to resume$/;
  await assert.rejects(silent.replayer.send(0, letters(30), beat), message);
  await silent.state.close();

  const stop = new AbortController();
  const path = join(folder, 'stopped');
  const { state, lanes, replayer } = await replayerFor({ path, signal: stop.signal });
  const sending = replayer.send(0, letters(30), beat);
  while (lanes.waiting === 0) await turn();
  stop.abort();
  await sending;
  lanes.store(WINDOW);
  lanes.confirm();
  await replayer.drain();
  await state.close();
  const { done, open } = loadState(path).offsets;
  assert.deepEqual([done.size, open.size], [WINDOW, 0]);
});

test('a rate: as many events as the time allows, in chunks of a tenth of a second', () => {
  let nowMs = 0;
  const pace = new Pace(50, () => nowMs);
  assert.equal(pace.chunk, 5);
  let taken = 0;
  for (; nowMs < 10_000; nowMs += 7) {
    if (!pace.isDue) continue;
    pace.take(pace.chunk);
    taken += pace.chunk;
  }
  assert.ok(taken > 450 && taken <= 505, `${taken} events in 10 s`);
  const unlimited = new Pace();
  unlimited.take(1_000_000);
  assert.ok(unlimited.isDue && unlimited.chunk === Number.POSITIVE_INFINITY);
});
