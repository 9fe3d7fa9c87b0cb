/** Clients that send invalid frames: they stay connected, and other clients are hardly affected. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { AcknowledgedClient } from '../../testing/client.ts';
import { good } from '../../testing/events.ts';
import { FrameClient } from '../../testing/frame-client.ts';
import { PlainClient } from '../../testing/plain-client.ts';
import { ponged } from '../../testing/socket.ts';
import { accountOf, Tally } from '../../testing/stage.ts';
import { until } from '../../testing/wait.ts';
import { assertWithin } from '../support/bound.ts';
import { HostileProcess } from '../support/hostile-process.ts';
import { assertRefused, type Expected } from '../support/refusals.ts';
import { useStage } from '../support/use-stage.ts';

const BAD_FRAMES = 4_000;
const ROUNDS = 5;
const NEIGHBOURS = 4;
const SAMPLES = 160;
/** For expensive frames: number of acks of one p99, and of connections that time them. */
const COSTLY_NEIGHBOURS = 16;
const COSTLY_SAMPLES = 400;

const tally = new Tally();
const stage = useStage();

/** Text frames with each kind of error, and the expected rejections. */
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

/** Adds `count` frames of this list, in turn, to the tally. */
function noteBad(list: readonly Bad[], frames: number): void {
  for (let index = 0; index < frames; index++) {
    const [code, range] = list[index % list.length]![1];
    tally.ws(0, { [code]: range === undefined ? 1 : range[1] + 1 });
  }
}

/** Returns a quantile of the latencies, ms. */
function percentile(samples: readonly number[], share: number): number {
  const sorted = [...samples].sort((a, b) => a - b);
  return sorted[Math.floor(share * (sorted.length - 1))]!;
}

/** A few well-behaved connections that time their acks. */
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

  /** Acks timed since {@link p99} began. */
  get samples(): number {
    return this.#latencies.length;
  }

  /** Sends events one by one on each connection. @returns the 99th percentile, ms */
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

/** Short frames: their number counts, not the time to parse them. */
const SHORT = BAD.slice(0, 10);

/** Sends invalid frames as fast as credit allows, from number `first` on, and waits for replies. */
async function flood(client: FrameClient, first: number, count: number): Promise<void> {
  let last = 0;
  for (let index = first; index < first + count; index++) {
    last = await client.sendWithin(SHORT[index % SHORT.length]![0]);
  }
  await client.fate(last);
}

test('4,000 invalid frames on one connection: it stays open, other clients keep their latency', async () => {
  const neighbours = await new Neighbours().open(stage.gateway.wsUrl, NEIGHBOURS);
  const hostile = await FrameClient.open(stage.gateway.wsUrl);
  await neighbours.p99(SAMPLES); // warms up
  // Medians of alternating calm and hostile rounds: other load on the machine affects both alike,
  // or one round only.
  const perRound = BAD_FRAMES / ROUNDS;
  let frames = 0;
  await assertWithin(async () => {
    const calm: number[] = [];
    const disturbed: number[] = [];
    for (let round = 0; round < ROUNDS; round++) {
      calm.push(await neighbours.p99(SAMPLES));
      const measured = neighbours.p99(SAMPLES);
      await flood(hostile, frames, perRound);
      frames += perRound;
      const share = neighbours.samples / SAMPLES;
      assert(share > 0.02, `a share of ${share} during the flood is not seen by a p99`);
      disturbed.push(await measured);
    }
    const [before, during] = [percentile(calm, 0.5), percentile(disturbed, 0.5)];
    // 30 ms in addition to the factor: on two shared cores a p99 of some 15 ms doubles when another
    // process gets a core for a time slice or two.
    const most = Math.max(3 * before, before + 30);
    return [{ value: during, most, text: `ms, p99 of ${before.toFixed(1)} before` }];
  });

  for (let index = 0; index < frames; index++) {
    assertRefused(await hostile.fate(index + 1), SHORT[index % SHORT.length]![1]);
  }
  assert.deepEqual(await hostile.exchange(good('after')), [], 'it is connected and served');
  assert.deepEqual(hostile.violations, []);
  await hostile.close();
  await neighbours.close();
  tally.ws(neighbours.events + 1);
  noteBad(SHORT, frames);
  assert.deepEqual(await accountOf(stage.gateway), tally.account);
  assert.equal((await stage.newRecords()).length, neighbours.events + 1);
  assert.deepEqual(clientLines(), [], 'acknowledged clients receive the rejections themselves');
});

type Costly = readonly [name: string, frame: string, ...refused: Expected[]];

/** Ranges of every second event of 1,000, from `first` on. */
const everySecond = (first: number) =>
  Array.from({ length: 500 }, (_, index): [number, number] => {
    const event = 2 * index + first;
    return [event, event];
  });

/** Frames that are the most expensive for their length or number, and the expected rejections. */
const COSTLY: readonly Costly[] = [
  ['1,000 events that break the schema', `[${'{},'.repeat(999)}{}]`, ['schema', [0, 999]]],
  [
    '1,000 events of two codes in turn',
    `[${'{},1,'.repeat(499)}{},1]`,
    ['schema', ...everySecond(0)],
    ['not_an_object', ...everySecond(1)],
  ],
  [
    'NDJSON of 1,000 lines, all but the first invalid',
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
 * A worker has one loop, uWebSockets.js delivers everything that has arrived on a connection, and
 * frames cannot wait: a client that uses up its credit holds the loop for a window's work at a time.
 * An event crosses the loop four times (frame, linger, produce response, ack), and each time it may
 * find one window in progress and another one queued: its ack may be late by as many windows.
 */
const TURNS = 8;
/** Rise of a p99 of some 15 ms where another process sometimes gets a core. */
const OTHERS_MS = 100;
/**
 * Bound of a window's work, ms: up to 35 on two idle cores of 2 GHz, 220 on slow shared ones. It was
 * 1,200 on the former for NDJSON when each line threw an exception.
 */
const WINDOW_MS_MAX = 1_000;

test('expensive invalid frames as fast as credit allows: other clients wait only for windows of it', async (t) => {
  const neighbours = await new Neighbours().open(stage.gateway.wsUrl, COSTLY_NEIGHBOURS);
  const hostile = new HostileProcess();
  t.after(() => hostile.end());
  await neighbours.p99(COSTLY_SAMPLES); // warms up
  let floods = 0;
  for (const [name, frame, ...refused] of COSTLY) {
    await assertWithin(async () => {
      const before = await neighbours.p99(COSTLY_SAMPLES);
      await hostile.flood(stage.gateway.wsUrl, frame);
      const during = await neighbours.p99(COSTLY_SAMPLES);
      const { frames, windowMs, nacks, served } = await hostile.stop(good(name));
      floods++;
      const events = refused.map(([code, ...ranges]) => {
        const named = ranges.reduce((sum, [first, last]) => sum + last - first + 1, 0);
        return [code, frames * Math.max(1, named)] as const;
      });
      tally.ws(1, Object.fromEntries(events));
      const text = `${name}: p99 ${before.toFixed(1)} -> ${during.toFixed(1)} ms, window ${windowMs.toFixed(1)} ms, ${frames} frames`;
      t.diagnostic(text);
      assert.equal(nacks.length, 1, 'each frame has the same rejections');
      assertRefused(nacks[0]!, ...refused);
      assert(served, 'it is connected and served');
      // On a busy machine each wait for the loop also includes the wait of the calm rounds.
      const most = 3 * before + TURNS * windowMs + OTHERS_MS;
      return [
        { value: during, most, text },
        { value: windowMs, most: WINDOW_MS_MAX, text },
      ];
    });
  }
  await neighbours.close();
  tally.ws(neighbours.events);
  assert.deepEqual(await accountOf(stage.gateway), tally.account);
  assert.equal((await stage.newRecords()).length, neighbours.events + floods);
});

/** Log lines about clients. */
function clientLines() {
  return stage.gateway.log.filter(({ msg }) => msg?.includes('of a plain client'));
}

test('a plain client sends 4,000 invalid and valid frames: no reply, few log lines', async () => {
  const plain = await new PlainClient({ url: stage.gateway.wsUrl }).open();
  const events: string[] = [];
  for (let index = 0; index < BAD_FRAMES; index++) {
    plain.socket.send(BAD[index % BAD.length]![0]);
    if (index % 50 !== 0) continue;
    events.push(good(`${index}`));
    plain.socket.send(events.at(-1)!);
    // In parts: all at once would be a flood.
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

test('all events are accounted for, and the worker was not replaced', async () => {
  assert.deepEqual(await accountOf(stage.gateway), tally.account);
  const metrics = await stage.gateway.metrics();
  assert.equal(metrics.value('forebay_worker_restarts_total'), 0);
  assert.deepEqual(stage.gateway.errors, []);
});
