/** Attempts to connect that overlap, or fail for unclear reasons, in virtual time. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { type Client, type ClientOptions, createClient } from '../../src/client/client.ts';
import { VirtualClock } from './virtual-clock.ts';

/** WebSockets of a client, in order. */
class Sockets {
  readonly made: FakeSocket[] = [];
  /** Time from the start of a connection to its end without a frame. */
  lastsMs: readonly number[] = [];

  get open(): number {
    return this.made.filter(({ readyState }) => readyState < 3).length;
  }

  get class() {
    const { made, lastsMs } = this;
    return class extends FakeSocket {
      constructor() {
        super();
        setTimeout(() => this.close(), lastsMs[Math.min(made.length, lastsMs.length - 1)]);
        made.push(this);
      }
    };
  }
}

class FakeSocket {
  onmessage: unknown;
  onclose: unknown;
  onerror: unknown;
  readyState = 0;

  send(): void {}
  close(): void {
    if (this.readyState === 3) return;
    this.readyState = 3;
    (this.onclose as (event: object) => void)({ code: 1006, reason: '' });
  }
  hello(): void {
    this.readyState = 1;
    const credit = { frames: 8, bytes: 1e6 };
    const hello = { maxFrameBytes: 65_536, maxFrameEvents: 1_000, credit };
    (this.onmessage as (event: object) => void)({ data: JSON.stringify({ hello }) });
  }
}

const after = (ms: number) => new Promise((done) => setTimeout(done, ms));
const answer = (status: number, value: object) => new Response(JSON.stringify(value), { status });
const admitted = () => answer(200, { accepted: 0, errors: [] });
const unauthorized = () => answer(401, { error: { code: 'unauthorized', message: 'no' } });
const never = () => false;

/** A client with these connection times and responses. */
function start(
  clock: VirtualClock,
  lastsMs: readonly number[],
  ask: (path: string) => Promise<Response>,
  options: Partial<ClientOptions> = {},
): { client: Client; sockets: Sockets } {
  const sockets = new Sockets();
  sockets.lastsMs = lastsMs;
  clock.fetch = ((url: string | URL) => ask(new URL(url).pathname)) as typeof fetch;
  const url = 'ws://gateway.test/ws';
  return { client: createClient({ url, webSocket: sockets.class, ...options }), sockets };
}

test('a rejection that arrives during a connection attempt starts no second one', async (t) => {
  const clock = new VirtualClock(t);
  let most = 0;
  const { sockets } = start(clock, [10, 14_000], async () => {
    await after(2_000);
    return unauthorized();
  });
  const look = () => {
    most = Math.max(most, sockets.open);
    return false;
  };
  await clock.run(look, 120_000);
  assert.equal(most, 1);
  assert(sockets.made.length > 3, 'it goes on to try');
});

test('a connection that opens ends the delay of a rejection: no second one follows', async (t) => {
  const clock = new VirtualClock(t);
  const { client, sockets } = start(clock, [10, 600_000], async () => {
    await after(2_000);
    return unauthorized();
  });
  await clock.run(() => /HTTP 401/.test(client.status.problem ?? ''), 60_000);
  assert.equal(sockets.made.length, 2, 'refused while the second one is being made');
  sockets.made[1]!.hello();
  await clock.run(never, 300_000);
  assert.deepEqual([client.status.state, sockets.made.length], ['open', 2]);
});

test('a key function is not called again while its promise is pending, and no rejection is unhandled', async (t) => {
  const clock = new VirtualClock(t);
  const unhandled: unknown[] = [];
  const record = (reason: unknown) => unhandled.push(reason);
  process.on('unhandledRejection', record);
  t.after(() => process.off('unhandledRejection', record));
  let calls = 0;
  const key = () =>
    ++calls < 3
      ? 'k'
      : after(14_000).then((): string => {
          throw new Error('no network');
        });
  const { client } = start(
    clock,
    [10],
    async () => {
      await after(500);
      return unauthorized();
    },
    { key },
  );
  await clock.run(() => /HTTP 401/.test(client.status.problem ?? ''), 60_000);
  assert.equal(calls, 3, 'refused while the third key is open');
  void client.flush();
  await clock.run(never, 10_000);
  assert.equal(calls, 3);
  await clock.run(never, 120_000);
  assert(calls > 3, 'it goes on to try');
  assert.deepEqual(unhandled, []);
});

test('flush every second while the key is wrong: at most one attempt per 2.5 s', async (t) => {
  const clock = new VirtualClock(t);
  let checks = 0;
  const { client, sockets } = start(clock, [10], async () => {
    checks++;
    return unauthorized();
  });
  void client.send({ id: 'a' });
  await clock.run(() => client.status.problem !== undefined && checks > 0, 10_000);
  const [connections, asked] = [sockets.made.length, checks];
  for (let second = 0; second < 60; second++) {
    void client.flush();
    await clock.run(never, 1_000);
  }
  assert(sockets.made.length - connections <= 26, `${sockets.made.length} connections`);
  assert(checks - asked <= 26, `${checks} checks`);
  assert(checks - asked >= 10, 'it is hurried');
});

test('a check without a response does not delay the next one, which finds the reason', async (t) => {
  const clock = new VirtualClock(t);
  let checks = 0;
  const { client } = start(clock, [10], async () => {
    if (++checks === 1) throw new TypeError('fetch failed');
    return unauthorized();
  });
  await clock.run(() => /HTTP 401/.test(client.status.problem ?? ''), 3_000);
  assert.match(client.status.problem ?? '', /HTTP 401/);
  assert.equal(checks, 2);
});

const hidden = () => {
  throw new TypeError('Failed to fetch');
};
for (const [what, posts, library, isForbidden] of [
  ['its origin is forbidden', [hidden], admitted, true],
  ['a proxy answers 503 to all', [hidden], () => answer(503, {}), false],
  ['a proxy answers unreadably to all', [hidden], hidden, false],
  ['the gateway is back before the second request', [hidden, admitted], admitted, false],
  ['the gateway is back between, and refuses the key', [hidden, unauthorized], admitted, false],
  ['a proxy answers 502 to a check', [() => answer(502, {})], admitted, false],
] as const) {
  test(`on a page of another origin, ${what}: a forbidden origin is ${isForbidden ? '' : 'not '}reported`, async (t) => {
    const clock = new VirtualClock(t);
    const location = { href: 'https://shop.example/', origin: 'https://shop.example' };
    Object.defineProperty(globalThis, 'location', { value: location, configurable: true });
    t.after(() => Reflect.deleteProperty(globalThis, 'location'));
    const told = new Set<string>();
    const asked: string[] = [];
    const { client, sockets } = start(
      clock,
      [10],
      async (path) => {
        asked.push(path);
        if (path === '/client.js') return library();
        return (posts[asked.filter((each) => each === '/events').length - 1] ?? posts.at(-1)!)();
      },
      { onStatus: ({ problem = '' }) => told.add(problem) },
    );
    await clock.run(never, 60_000);
    assert.equal(told.has(client.status.problem ?? ''), true);
    const text = [...told].join();
    assert.equal(/rejects https:\/\/shop\.example/.test(text), isForbidden, text);
    if (posts[0] === hidden) assert(asked.includes('/client.js'), 'the library was asked for');
    const isRefused = isForbidden || (posts as readonly unknown[]).includes(unauthorized);
    if (!isRefused) assert(sockets.made.length >= 9, `${sockets.made.length} connections`);
  });
}
