/** Clients that send nonsense: they live, and their neighbours hardly notice. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { AcknowledgedClient } from '../../testing/client.ts';
import { good } from '../../testing/events.ts';
import { FrameClient } from '../../testing/frame-client.ts';
import { PlainClient } from '../../testing/plain-client.ts';
import { ponged } from '../../testing/socket.ts';
import { accountOf, Tally } from '../../testing/stage.ts';
import { until } from '../../testing/wait.ts';
import { HostileProcess } from '../support/hostile-process.ts';
import { assertRefused, type Expected } from '../support/refusals.ts';
import { useStage } from '../support/use-stage.ts';

const BAD_FRAMES = 10_000;
const ROUNDS = 5;
const NEIGHBOURS = 4;
const SAMPLES = 160;
/** For what costs more per frame: acks in one p99, on so many connections that it is soon there. */
const COSTLY_NEIGHBOURS = 16;
const COSTLY_SAMPLES = 400;

const tally = new Tally();
const stage = useStage();

/** Frames that are bad in every way that text can be, and what must be said of each. */
const BAD: readonly (readonly [frame: string, refused: Expected])[] = [
  ['', ['invalid_json']],
  ['{', ['invalid_json']],
  ['}{', ['invalid_json']],
  ['[[[[[[[[', ['invalid_json']],
  ['\0\0\0', ['invalid_json']],
  ['"\\ud800"', ['not_an_object', [0, 0]]],
  ['42', ['not_an_object', [0, 0]]],
  ['null\nnull\nnull', ['not_an_object', [0, 2]]],
  ['{"msg":1,"clientId":2,"timestamp":"x"}', ['schema', [0, 0]]],
  ['{"__proto__":{"msg":"","clientId":"","timestamp":1}}', ['schema', [0, 0]]],
  [`${'['.repeat(5_000)}${']'.repeat(5_000)}`, ['not_an_object', [0, 0]]],
  [`[${'{},'.repeat(200)}{}]`, ['schema', [0, 200]]],
  [`${'{"a":'.repeat(2_000)}1${'}'.repeat(2_000)}`, ['too_deep', [0, 0]]],
];

type Bad = (typeof BAD)[number];

/** Notes so many frames of this list, in turn, in the tally. */
function noteBad(list: readonly Bad[], frames: number): void {
  for (let index = 0; index < frames; index++) {
    const [code, range] = list[index % list.length]![1];
    tally.ws(0, { [code]: range === undefined ? 1 : range[1] + 1 });
  }
}

/** The latency below which a share of the samples lies, ms. */
function percentile(samples: readonly number[], share: number): number {
  const sorted = [...samples].sort((a, b) => a - b);
  return sorted[Math.floor(share * (sorted.length - 1))]!;
}

/** A handful of well-behaved connections that note how long their acks take. */
class Neighbours {
  readonly #clients: AcknowledgedClient[] = [];
  #latencies: number[] = [];
  events = 0;

  async open(url: string, connections: number): Promise<this> {
    for (let index = 0; index < connections; index++) {
      const onLatency = (ms: number) => this.#latencies.push(ms);
      const client = new AcknowledgedClient({ url, name: `n${index}`, onLatency });
      this.#clients.push(await client.open());
    }
    return this;
  }

  /** Acks that were timed since {@link p99} began. */
  get samples(): number {
    return this.#latencies.length;
  }

  /** Sends one event after the other on each connection. @returns the 99th percentile, ms */
  async p99(samples: number): Promise<number> {
    this.#latencies = [];
    const each = samples / this.#clients.length;
    const measured = this.#clients.map(async (client, index) => {
      for (let sample = 0; sample < each; sample++) {
        const event = { id: `${this.events++}`, clientId: `n${index}`, msg: '', timestamp: 0 };
        const frame = client.send(event);
        await until(() => frame.state === 'settled', { everyMs: 1 });
      }
    });
    await Promise.all(measured);
    assert.equal(this.#latencies.length, samples);
    return percentile(this.#latencies, 0.99);
  }

  async close(): Promise<void> {
    for (const client of this.#clients) {
      assert.deepEqual(client.violations, []);
      assert.equal(client.closes.length, 0);
      await client.close();
    }
  }
}

/** The first of them: short ones, so that their number counts and not the time to parse them. */
const SHORT = BAD.slice(0, 10);

/** Sends bad frames as fast as credit allows, from number `first` on, and waits for their fate. */
async function flood(client: FrameClient, first: number, count: number): Promise<void> {
  let last = 0;
  for (let index = first; index < first + count; index++) {
    last = await client.sendWithin(SHORT[index % SHORT.length]![0]);
  }
  await client.fate(last);
}

test('10,000 bad frames on one connection: it lives, its neighbours keep their pace', async () => {
  const neighbours = await new Neighbours().open(stage.gateway.wsUrl, NEIGHBOURS);
  const hostile = await FrameClient.open(stage.gateway.wsUrl);
  await neighbours.p99(SAMPLES); // warms up
  // Calm and hostile rounds in turn, and their medians: a machine that is busy with something
  // else for a while disturbs both alike, or one round only.
  const calm: number[] = [];
  const disturbed: number[] = [];
  const perRound = BAD_FRAMES / ROUNDS;
  for (let round = 0; round < ROUNDS; round++) {
    calm.push(await neighbours.p99(SAMPLES));
    const measured = neighbours.p99(SAMPLES);
    await flood(hostile, round * perRound, perRound);
    const share = neighbours.samples / SAMPLES;
    assert(share > 0.02, `a share of ${share} during the flood is not seen by a p99`);
    disturbed.push(await measured);
  }
  const [before, during] = [percentile(calm, 0.5), percentile(disturbed, 0.5)];
  // 30 ms beside the factor: on two shared cores a p99 of some 15 ms doubles by itself when
  // another process is given a core for a time slice or two.
  const allowed = Math.max(3 * before, before + 30);
  assert(during <= allowed, `p99 rose from ${before.toFixed(1)} to ${during.toFixed(1)} ms`);

  for (let index = 0; index < BAD_FRAMES; index++) {
    assertRefused(await hostile.fate(index + 1), SHORT[index % SHORT.length]![1]);
  }
  assert.deepEqual(await hostile.exchange(good('after')), [], 'it lives and is served');
  assert.deepEqual(hostile.violations, []);
  await hostile.close();
  await neighbours.close();
  tally.ws(neighbours.events + 1);
  noteBad(SHORT, BAD_FRAMES);
  assert.deepEqual(await accountOf(stage.gateway), tally.account);
  assert.equal((await stage.newRecords()).length, neighbours.events + 1);
  assert.deepEqual(clientLines(), [], 'an acknowledged client hears it itself');
});

type Costly = readonly [name: string, frame: string, ...refused: Expected[]];

/** The range of each second event of 1,000, from `first` on. */
const everySecond = (first: number) =>
  Array.from({ length: 500 }, (_, index): [number, number] => {
    const event = 2 * index + first;
    return [event, event];
  });

/** Frames that take the longest for their length or number, and what must be said of each. */
const COSTLY: readonly Costly[] = [
  ['1,000 events that break the schema', `[${'{},'.repeat(999)}{}]`, ['schema', [0, 999]]],
  [
    '1,000 events of two codes in turn',
    `[${'{},1,'.repeat(499)}{},1]`,
    ['schema', ...everySecond(0)],
    ['not_an_object', ...everySecond(1)],
  ],
  [
    'NDJSON of 1,000 lines, all but the first broken',
    `{}${'\n{'.repeat(999)}`,
    ['schema', [0, 0]],
    ['invalid_json', [1, 999]],
  ],
  [
    'arrays nested 32,000 levels deep',
    `${'['.repeat(32_000)}${']'.repeat(32_000)}`,
    ['not_an_object', [0, 0]],
  ],
  [
    'an event nested 32,000 levels deep',
    `{"a":${'['.repeat(32_000)}${']'.repeat(32_000)}}`,
    ['too_deep', [0, 0]],
  ],
  ['64 KiB of garbage', 'x'.repeat(65_536), ['invalid_json']],
];

/**
 * A worker has one loop, uWebSockets.js hands over all that has arrived of a connection, and
 * frames cannot wait: who keeps its credit full holds the loop for a window's work at a time. An
 * event's way crosses the loop four times (frame, linger, Kafka's answer, ack), and each time it
 * may find one window's work begun and another one that has arrived meanwhile: by so many windows
 * its ack may be late.
 */
const TURNS = 8;
/** What a p99 of some 15 ms rises by itself where another process is given a core now and then. */
const OTHERS_MS = 100;
/**
 * And the work of a window is bounded, ms: on two cores of 2 GHz that have nothing else to do it
 * is 35 at the most. It was 1,200 for NDJSON when each line cost an exception.
 */
const WINDOW_MS_MAX = 250;

test('costly bad frames as fast as credit allows: neighbours wait for windows of it, not more', async (t) => {
  const neighbours = await new Neighbours().open(stage.gateway.wsUrl, COSTLY_NEIGHBOURS);
  const hostile = new HostileProcess();
  t.after(() => hostile.end());
  await neighbours.p99(COSTLY_SAMPLES); // warms up
  for (const [name, frame, ...refused] of COSTLY) {
    const before = await neighbours.p99(COSTLY_SAMPLES);
    await hostile.flood(stage.gateway.wsUrl, frame);
    const during = await neighbours.p99(COSTLY_SAMPLES);
    const { frames, windowMs, nacks, served } = await hostile.stop(good(name));
    // On a machine that has other work each wait for the loop is as long as it was before, too.
    const allowed = 3 * before + TURNS * windowMs + OTHERS_MS;
    const figures = `p99 ${before.toFixed(1)} -> ${during.toFixed(1)} ms, window ${windowMs.toFixed(1)} ms, ${frames} frames`;
    t.diagnostic(`${name}: ${figures}`);
    assert(during <= allowed, `${name}: ${figures}`);
    assert(windowMs <= WINDOW_MS_MAX, `${name}: ${figures}`);
    assert.equal(nacks.length, 1, 'the same is said of each frame');
    assertRefused(nacks[0]!, ...refused);
    assert(served, 'it lives and is served');
    const events = refused.map(([code, ...ranges]) => {
      const named = ranges.reduce((sum, [first, last]) => sum + last - first + 1, 0);
      return [code, frames * Math.max(1, named)] as const;
    });
    tally.ws(1, Object.fromEntries(events));
  }
  await neighbours.close();
  tally.ws(neighbours.events);
  assert.deepEqual(await accountOf(stage.gateway), tally.account);
  assert.equal((await stage.newRecords()).length, neighbours.events + COSTLY.length);
});

/** What the log says of clients. */
function clientLines() {
  return stage.gateway.log.filter(({ msg }) => msg?.includes('of a plain client'));
}

test('a plain client sends 10,000 bad frames and good ones: it hears nothing, the log is short', async () => {
  const plain = await new PlainClient({ url: stage.gateway.wsUrl }).open();
  const events: string[] = [];
  for (let index = 0; index < BAD_FRAMES; index++) {
    plain.socket.send(BAD[index % BAD.length]![0]);
    if (index % 50 !== 0) continue;
    events.push(good(`${index}`));
    plain.socket.send(events.at(-1)!);
    // Not all at once: that would be a flood.
    await ponged(plain.socket);
  }
  tally.ws(events.length);
  noteBad(BAD, BAD_FRAMES);
  await until(async () => {
    const metrics = await stage.gateway.metrics();
    const received = metrics.value('forebay_events_received_total', { transport: 'ws' });
    return received === tally.received.ws;
  });
  assert.deepEqual(await accountOf(stage.gateway), tally.account);
  assert.deepEqual((await stage.newValues()).sort(), events.sort());
  assert.deepEqual(plain.received, []);
  assert.equal(plain.socket.readyState, plain.socket.OPEN);
  const lines = clientLines();
  const codes = new Set(lines.map(({ code }) => code));
  assert.deepEqual([...codes].sort(), ['invalid_json', 'not_an_object', 'schema', 'too_deep']);
  assert(lines.length <= 12, `${lines.length} lines`);
  const text = JSON.stringify(stage.gateway.log);
  assert(!text.includes('[[[[') && !text.includes('__proto__'), 'no text of clients in the log');
  await plain.close();
});

test('in the end every event is accounted for, and the worker is the one that began', async () => {
  assert.deepEqual(await accountOf(stage.gateway), tally.account);
  const metrics = await stage.gateway.metrics();
  assert.equal(metrics.value('forebay_worker_restarts_total'), 0);
  assert.deepEqual(stage.gateway.errors, []);
});
