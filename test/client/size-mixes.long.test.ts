/**
 * Random mixes of event sizes on networks that lose everything above a limit, on a virtual clock:
 * events below the limit get through, those above are set aside.
 */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { type Client, type ClientOptions, createClient } from '../../src/client/client.ts';
import { VirtualClock } from './virtual-clock.ts';

/** Network of a test: what it received, and what the gateway behind it has stored. */
interface Network {
  readonly attempts: { readonly ms: number; readonly ids: readonly number[] }[];
  readonly stored: number[];
  lost: number;
}

type Way = 'POST' | 'WebSocket';

/** Mulberry32, a seeded generator. */
function generator(seed: number): () => number {
  let state = seed;
  return () => {
    state = (state + 0x6d2b79f5) | 0;
    let mixed = Math.imul(state ^ (state >>> 15), 1 | state);
    mixed = (mixed + Math.imul(mixed ^ (mixed >>> 7), 61 | mixed)) ^ mixed;
    return ((mixed ^ (mixed >>> 14)) >>> 0) / 2 ** 32;
  };
}

const idsOf = (text: string) => ([JSON.parse(text)].flat() as { id: number }[]).map(({ id }) => id);

/** A `fetch` of this network: bodies above the limit get a 504, or their connection is cut. */
function fetchOf(network: Network, limit: number, random: () => number): typeof fetch {
  return (async (_: string, { body }: { body: string }) => {
    const ids = idsOf(body);
    if (ids.length > 0) network.attempts.push({ ms: performance.now(), ids });
    await new Promise((done) => setTimeout(done, 20));
    if (body.length <= limit) {
      network.stored.push(...ids);
      const text = JSON.stringify({ accepted: ids.length, errors: [] });
      return { status: 200, text: async () => text };
    }
    network.lost++;
    if (random() < 0.5) throw new TypeError('fetch failed');
    return { status: 504, text: async () => '<html>' };
  }) as unknown as typeof fetch;
}

/** A WebSocket class of this network: a frame above the limit cuts the connection. */
function webSocketOf(network: Network, limit: number, random: () => number) {
  return class {
    onmessage: unknown;
    onclose: unknown;
    onerror: unknown;
    readyState = 1;
    #frames = 0;
    #bytes = 0;

    constructor() {
      const bounds = { maxFrameBytes: 65_536, maxFrameEvents: 1_000 };
      const hello = { ...bounds, credit: { frames: 8, bytes: 1e6 } };
      setTimeout(() => this.#say({ hello }), 5);
    }

    send(text: string): void {
      if (this.readyState !== 1) return;
      const ids = idsOf(text);
      network.attempts.push({ ms: performance.now(), ids });
      if (text.length > limit) {
        network.lost++;
        this.readyState = 2;
        // Pending acks may arrive first.
        setTimeout(() => this.#end(1006), random() * 20);
        return;
      }
      network.stored.push(...ids);
      const ack = ++this.#frames;
      this.#bytes += text.length;
      const credit = { frames: ack + 8, bytes: this.#bytes + 1e6 };
      setTimeout(() => this.#say({ ack }, { credit }), 10);
    }

    close(): void {
      this.#end(1000);
    }

    #say(...frames: object[]): void {
      for (const frame of frames) {
        if (this.readyState === 3) return;
        (this.onmessage as (event: object) => void)({ data: JSON.stringify(frame) });
      }
    }

    #end(code: number): void {
      if (this.readyState === 3) return;
      this.readyState = 3;
      (this.onclose as (event: object) => void)({ code, reason: '' });
    }
  };
}

interface Outcome extends Network {
  readonly told: readonly number[];
  readonly problem: string | undefined;
  /** Attempts until the last event below the limit was stored. */
  readonly spent: number;
}

/** Sends events of these sizes, then waits for half an hour. */
async function sendAll(
  clock: VirtualClock,
  way: Way,
  { sizes, limit, random }: Mix,
): Promise<Outcome> {
  const network: Network = { attempts: [], stored: [], lost: 0 };
  clock.fetch = fetchOf(network, limit, random);
  const options: ClientOptions = { url: 'ws://gateway.test/ws', maxBufferedBytes: 1e7 };
  const webSocket = webSocketOf(network, limit, random);
  const client: Client = createClient(way === 'POST' ? options : { ...options, webSocket });
  const told: number[] = [];
  sizes.forEach((bytes, id) => {
    const pad = 'x'.repeat(bytes - JSON.stringify({ id, pad: '' }).length);
    client.send({ id, pad }).then(
      () => told.push(id),
      () => {},
    );
  });
  const short = sizes.filter((bytes) => isShort(bytes, limit)).length;
  const bound = 40 + 8 * sizes.length;
  await clock.run(() => told.length === short || network.attempts.length > bound, 3_600_000);
  const spent = network.attempts.length;
  await clock.run(() => network.attempts.length > 10 * bound, 1_800_000);
  const { problem } = client.status;
  return { ...network, told, problem, spent };
}

const isShort = (bytes: number, limit: number) => bytes + 2 <= limit;

interface Mix {
  readonly sizes: readonly number[];
  readonly limit: number;
  readonly random: () => number;
}

/** Sizes of up to 40 events: below, about and above a limit, long ones often adjacent. */
function randomMix(seed: number): Mix {
  const random = generator(seed);
  const between = (least: number, most: number) => Math.floor(least + random() * (most - least));
  const limit = between(2_000, 40_000);
  const sizes: number[] = [];
  const count = between(1, 40);
  while (sizes.length < count) {
    const run = between(1, 5);
    const kind = random();
    for (let at = 0; at < run; at++) {
      if (kind < 0.5) sizes.push(between(100, limit / 4));
      else if (kind < 0.7) sizes.push(between(limit / 2, limit * 1.5));
      else sizes.push(between(limit + 1, 65_000));
    }
  }
  return { sizes, limit, random };
}

function check(mix: Mix, { attempts, stored, told, problem, spent, lost }: Outcome): void {
  const { sizes, limit } = mix;
  const text = `limit ${limit}, sizes ${sizes}`;
  const ids = sizes.map((_, id) => id);
  const short = ids.filter((id) => isShort(sizes[id]!, limit));
  const long = ids.filter((id) => !isShort(sizes[id]!, limit));
  assert.deepEqual([...new Set(stored)], short, `in order: ${text}`);
  assert.deepEqual(told, short, `each told once: ${text}`);
  // Possible repeats and other events never share a request.
  const bound = 20 + 3 * short.length + 6 * long.length;
  assert(spent <= bound, `${spent} attempts, not ${bound}: ${text}`);
  if (long.length === 0) return;
  assert(lost > 0, 'the network lost some');
  assert.match(problem ?? '', /other events get through, but one of \d+ bytes got no response/);
  for (const id of long) {
    const alone = attempts.filter((attempt) => attempt.ids.length === 1 && attempt.ids[0] === id);
    const late = alone.filter(({ ms }) => ms > alone[0]!.ms + 600_000);
    assert(alone.length > 3, `event ${id} is tried again: ${text}`);
    assert(late.length <= 6, `event ${id} is tried ${late.length} times after 10 min: ${text}`);
  }
}

for (const way of ['POST', 'WebSocket'] as const) {
  for (const [what, sizes] of [
    ['a long event before short ones', [50_000, ...Array<number>(20).fill(1_000)]],
    ['two long events before short ones', [50_000, 50_000, 1_000, 1_000, 1_000, 1_000, 1_000]],
    ['five long events in front', [60_000, 50_000, 40_000, 30_000, 25_000, 1_000]],
    ['long events between short ones', [1_000, 50_000, 1_000, 50_000, 50_000, 1_000]],
    ['long events behind short ones', [1_000, 1_000, 50_000, 50_000]],
    ['a long event alone', [50_000]],
    ['short events alone', Array<number>(60).fill(3_000)],
  ] as const) {
    test(`by ${way}, ${what}: the short ones are stored, the long ones are set aside`, async (t) => {
      const clock = new VirtualClock(t);
      const mix = { sizes, limit: 20_000, random: generator(1) };
      check(mix, await sendAll(clock, way, mix));
    });
  }

  test(`by ${way}, 300 random mixes: short events are stored in order, long ones are set aside`, async (t) => {
    const clock = new VirtualClock(t);
    for (let seed = 1; seed <= 300; seed++) {
      const mix = randomMix(seed);
      clock.restart();
      check(mix, await sendAll(clock, way, mix));
    }
  });
}
