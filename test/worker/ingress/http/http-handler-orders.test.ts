/**
 * Random histories, by a seed, of bodies with authenticated senders that arrive in chunks, wait,
 * are decoded in slices, time out or are aborted, while the buffer is full and the worker drains.
 * Using a response after its end throws.
 */
import assert from 'node:assert/strict';
import { type TestContext, test } from 'node:test';
import { setImmediate as turn } from 'node:timers/promises';
import { gzipSync } from 'node:zlib';
import { pino } from 'pino';
import { eventCodes } from '../../../../src/common/errors.ts';
import { LIMITS } from '../../../../src/config/limits.ts';
import { cell, cells } from '../../../../src/metrics/counters.ts';
import type { RecordBatch } from '../../../../src/worker/accumulator/batch.ts';
import type { EventsResponse } from '../../../../src/worker/acknowledger/http-reply.ts';
import { Authenticator } from '../../../../src/worker/admission/authenticator.ts';
import { ANONYMOUS, type AuthResult } from '../../../../src/worker/admission/identity.ts';
import { KeyRing } from '../../../../src/worker/admission/key-ring.ts';
import { Origins } from '../../../../src/worker/admission/origins.ts';
import { markChunked } from '../../../../src/worker/ingress/http/framing.ts';
import type { HttpHandler } from '../../../../src/worker/ingress/http/http-handler.ts';
import { valuesOf } from '../../../../testing/batches.ts';
import { SeededRandom } from '../../../../testing/random.ts';
import { FakeResponse, fakeRequest } from '../../../fakes/uws.ts';
import { lateEvents } from '../../acknowledger/late-events.ts';
import { createStages } from '../stages.ts';

const HISTORIES = 300;
const STEPS = 60;
const TIMEOUT_MS = 15_000;
const AUTH_RESULTS: readonly AuthResult[] = [
  ANONYMOUS,
  ANONYMOUS,
  'unauthorized',
  'identity_unavailable',
];
const RECEIVED = cells('forebay_events_received_total', ['http']);
const REFUSED = cells('forebay_events_refused_total', eventCodes);
const STORED = { stored: cell('forebay_events_stored_total') };

type Stages = ReturnType<typeof createStages>;

/** A request of a known sender, and its state. */
class Sent {
  readonly response = new FakeResponse();
  readonly ids: readonly string[];
  readonly #parts: Buffer[] = [];
  /** Completes authentication; undefined = done. */
  authenticate: ((auth: AuthResult) => void) | undefined;

  constructor(name: string, random: SeededRandom, handler: HttpHandler, results: AuthResults) {
    const count = random.pick([0, 1, 3, 400]);
    this.ids = Array.from({ length: count }, (_, index) => `${name}-${index}`);
    const events = this.ids.map((id, index) => {
      const time = index % 7 === 3 ? '' : ',"timestamp":1';
      return `{"msg":"${'x'.repeat(50)}","clientId":"c","id":"${id}"${time}}`;
    });
    const padding = random.chance(0.05) ? ' '.repeat(LIMITS.bodyBytes) : '';
    const text = `[${events.join(',')}${padding}]`;
    const isPacked = random.chance(0.2);
    const isChunked = random.chance(0.3);
    let left = isPacked ? gzipSync(text) : Buffer.from(text);
    const length = String(left.length);
    while (random.chance(0.6)) {
      const bytes = random.int(0, left.length);
      this.#parts.push(left.subarray(0, bytes));
      left = left.subarray(bytes);
    }
    this.#parts.push(left);
    const request = fakeRequest('POST', '/events', {
      authorization: 'Bearer a.b.c',
      ...(isPacked && { 'content-encoding': 'gzip' }),
      ...(isChunked ? { 'transfer-encoding': 'chunked' } : { 'content-length': length }),
    });
    markChunked(this.response, request);
    const auth = new Promise<AuthResult>((resolve) => {
      this.authenticate = resolve;
    });
    results.push(random.chance(0.5) ? auth : random.pick(AUTH_RESULTS));
    handler.handle(this.response, request);
  }

  get hasMore(): boolean {
    return this.#parts.length > 0;
  }

  /** Delivers the next chunk, if it is still read. */
  deliver(): void {
    const part = this.#parts.shift();
    if (part === undefined || this.response.ended) return;
    this.response.deliver(part, this.#parts.length === 0);
  }

  /** Events that its sender considers stored. */
  get promised(): readonly string[] {
    if (!this.response.body.startsWith('{"accepted":')) return [];
    const { accepted, errors } = JSON.parse(this.response.body) as EventsResponse['body'];
    const named = new Set<string>();
    const whole: [number, number][] = [[0, this.ids.length - 1]];
    for (const { events = whole } of errors) {
      for (const [first, last] of events) {
        for (const id of this.ids.slice(first, last + 1)) named.add(id);
      }
    }
    const promised = this.ids.filter((id) => !named.has(id));
    assert.equal(promised.length, accepted, this.response.body.slice(0, 500));
    return promised;
  }
}
type AuthResults = (AuthResult | Promise<AuthResult>)[];

/** Kafka under control of the test. */
class Kafka {
  readonly stored = new Set<string>();
  readonly #stages: Stages;
  #late: RecordBatch[] = [];

  constructor(stages: Stages) {
    this.#stages = stages;
  }

  /** Settles the waiting events with this result. */
  take(end: 'stored' | 'refused' | 'late'): void {
    const { topic, acknowledger } = this.#stages;
    for (const { queue } of topic.partitions) {
      for (let batch = queue.take(); batch !== undefined; batch = queue.take()) {
        if (end === 'refused') acknowledger.rejected(batch, 'kafka_unavailable');
        else if (end === 'stored') this.#store(batch);
        else {
          acknowledger.overdue(batch);
          this.#late.push(batch);
        }
      }
    }
  }

  /** Delivers late results too. */
  settle(): void {
    this.take('stored');
    for (const batch of this.#late) this.#store(batch);
    this.#late = [];
  }

  #store(batch: RecordBatch): void {
    for (const value of valuesOf(batch)) this.stored.add((JSON.parse(value) as { id: string }).id);
    this.#stages.acknowledger.stored(batch);
  }
}

/** Runs one random history. @returns number of requests by final status */
async function run(t: TestContext, seed: number): Promise<(number | undefined)[]> {
  const random = new SeededRandom(seed, 'orders');
  const log = pino({ level: 'silent' });
  const results: AuthResults = [];
  const authenticator = new Authenticator({
    origins: new Origins(undefined),
    log,
    keys: new KeyRing(),
  });
  t.mock.method(authenticator, 'authenticate', () => results.shift());
  const stages = createStages({
    settings: { httpTimeoutMs: TIMEOUT_MS },
    parts: { authenticator },
  });
  const { budget, counters, acknowledger, intake, http: handler } = stages;
  const kafka = new Kafka(stages);
  const all: Sent[] = [];
  let pressedBytes = 0;
  const relieve = () => {
    budget.release(pressedBytes);
    pressedBytes = 0;
  };
  const press = () => {
    relieve();
    const bytes = Math.ceil(budget.eventLimitBytes * LIMITS.highWater.stop);
    if (budget.charge(bytes)) pressedBytes = bytes;
  };
  const one = () => random.pick(all);
  const steps: [number, () => void][] = [
    [10, () => all.push(new Sent(`${all.length}`, random, handler, results))],
    [20, () => one()?.deliver()],
    [8, () => one()?.authenticate?.(random.pick(AUTH_RESULTS))],
    [2, () => one()?.response.abort()],
    [
      6,
      () =>
        t.mock.timers.tick(random.pick([1, LIMITS.bodyPauseMs, LIMITS.bodyGraceMs, TIMEOUT_MS])),
    ],
    [2, press],
    [2, relieve],
    [6, () => kafka.take(random.pick(['stored', 'stored', 'refused', 'late']))],
    [2, () => kafka.settle()],
    [0.3, () => handler.drain()],
    [0.3, () => intake.drain()],
  ];
  const deck = steps.flatMap(([weight, step]) => Array<() => void>(weight * 10).fill(step));
  for (let step = 0; step < STEPS; step++) {
    random.pick(deck)();
    if (random.chance(0.3)) await turn();
  }
  relieve();
  for (const sent of all) sent.authenticate?.(ANONYMOUS);
  await turn();
  for (const sent of all) while (!sent.response.ended && sent.hasMore) sent.deliver();
  do await turn();
  while (handler.decoding);
  kafka.settle();
  for (let ms = 0; ms < 2 * LIMITS.bodyGraceMs; ms += LIMITS.bodyCheckMs) {
    t.mock.timers.tick(LIMITS.bodyCheckMs);
  }
  await turn();
  for (const { response } of all) assert(response.ended, 'each is answered or aborted');
  assert.deepEqual([handler.busy, handler.decoding], [false, false]);
  const unstored = all.flatMap(({ promised }) => promised).filter((id) => !kafka.stored.has(id));
  assert.deepEqual(unstored, [], 'every event reported as stored is stored');
  assert.equal(lateEvents(acknowledger), 0);
  const count = (cells: Readonly<Record<string, number>>) =>
    Object.values(cells).reduce((sum, at) => sum + counters.values[at]!, 0);
  assert.equal(count(RECEIVED), count(STORED) + count(REFUSED), 'each event has one end');
  const refusal = 'event rejected';
  assert.deepEqual(
    stages.logged.filter((line) => line !== refusal),
    [],
  );
  handler.close();
  stages.webSocket.close();
  return all.map(({ response }) => response.status);
}

test('in any order each body is answered once or aborted, and only stored events are reported as stored', async (t) => {
  t.mock.timers.enable({ apis: ['setTimeout', 'setInterval'] });
  const seen = new Set<number | undefined>();
  for (let seed = 1; seed <= HISTORIES; seed++) {
    const statuses = await run(t, seed).catch((error: unknown) => {
      throw new Error(`history ${seed}: ${(error as Error).stack}`);
    });
    for (const status of statuses) seen.add(status);
  }
  const expected = [undefined, 200, 207, 401, 408, 413, 503];
  assert.deepEqual(
    expected.filter((status) => !seen.has(status)),
    [],
    'every status occurred',
  );
});
