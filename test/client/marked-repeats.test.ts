/**
 * Of all copies of one event, at most one is stored without the mark of a possible repeat: with a
 * gateway that loses connections and responses at random, for the client and for mutants of it.
 */
import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import { mock, type TestContext, test } from 'node:test';
import { build } from 'esbuild';
import type * as Library from '../../src/client/client.ts';
import { SeededRandom } from '../../testing/random.ts';
import { ForgetfulGateway, type Troubles } from './forgetful-gateway.ts';
import { VirtualClock } from './virtual-clock.ts';

const NONE: Troubles = {
  handshake: 0,
  cut: 0,
  wholeFrame: 0,
  rejected: 0,
  timeout: 0,
  goaway: 0,
  post: 0,
};
const TROUBLED_MS = 30_000;
const SETTLED_MS = 12 * 3_600_000;
const EVENTS = 60;

interface Options {
  /** Probabilities while there is trouble. */
  readonly troubles: Partial<Troubles>;
  /** Probabilities afterwards; some ways may stay closed. */
  readonly later?: Partial<Troubles>;
  readonly maxBufferedBytes?: number;
  /** The page is left and restored now and then. */
  readonly isPage?: boolean;
}

interface Run {
  readonly gateway: ForgetfulGateway;
  readonly status: Library.Status;
}

/** Sends events through trouble until all are settled. */
async function run(
  { createClient }: typeof Library,
  clock: VirtualClock,
  seed: number,
  { troubles, later, maxBufferedBytes = 1e6, isPage = false }: Options,
): Promise<Run> {
  clock.restart();
  const random = new SeededRandom(seed, 'client');
  const gateway = new ForgetfulGateway(random, { ...NONE, ...troubles });
  const page = fakePage(gateway);
  mock.method(Math, 'random', () => random.next());
  clock.fetch = ((url: string, request: RequestInit) => gateway.post(url, request)) as typeof fetch;
  const client = createClient({
    url: 'ws://gateway.test/ws',
    webSocket: gateway.webSocket,
    maxBufferedBytes,
  });
  for (let made = 0; made < EVENTS; made++) {
    void client.send({ id: `e${made}` });
    if (isPage && random.chance(0.1)) page.leave();
    if (isPage && random.chance(0.1)) page.restore();
    await clock.run(() => false, random.int(1, (2 * TROUBLED_MS) / EVENTS));
  }
  gateway.troubles = { ...NONE, ...later };
  page.restore();
  const { status: begun } = client;
  const settled = ({ stored, refused, dropped } = client.status) => stored + refused + dropped;
  await clock.run(() => settled() === begun.sent, SETTLED_MS);
  const { status } = client;
  // Events with a timeout may be stored now.
  await clock.run(() => false, 60_000);
  page.remove();
  return { gateway, status };
}

/** Events of a page's life, and its beacons; some of them never arrive. */
function fakePage(gateway: ForgetfulGateway) {
  const handlers = new Map<string, () => void>();
  const global = globalThis as unknown as Record<string, unknown>;
  global.addEventListener = (type: string, handler: () => void) => handlers.set(type, handler);
  const sendBeacon = (url: string, body: string) => {
    if (gateway.random.chance(0.2)) return false;
    void gateway.post(url, { body }, true).catch(() => {});
    return true;
  };
  const real = Object.getOwnPropertyDescriptor(globalThis, 'navigator');
  Object.defineProperty(globalThis, 'navigator', { value: { sendBeacon }, configurable: true });
  return {
    leave: () => handlers.get('pagehide')!(),
    restore: () => handlers.get('pageshow')!(),
    remove: () => {
      Reflect.deleteProperty(global, 'addEventListener');
      if (real) Object.defineProperty(globalThis, 'navigator', real);
      else Reflect.deleteProperty(global, 'navigator');
    },
  };
}

/** Returns the ids with several unmarked copies. */
function violations({ copies }: ForgetfulGateway): string[] {
  const unmarked = copies.filter(({ marked }) => !marked).map(({ id }) => id);
  return unmarked.filter((id, index) => unmarked.indexOf(id) !== index);
}

const SOME: Partial<Troubles> = { cut: 0.1, rejected: 0.1, timeout: 0.1, goaway: 0.05, post: 0.4 };
const WORLDS: Readonly<Record<string, Options>> = {
  'connections are lost': { troubles: { cut: 0.2 } },
  'events time out': { troubles: { timeout: 0.3, cut: 0.02 } },
  'bodies get no response while a connection is open': {
    troubles: { timeout: 0.2, post: 0.7 },
    later: { post: 1 },
  },
  'everything happens': { troubles: { ...SOME, handshake: 0.4, wholeFrame: 0.1 } },
  'WebSockets are blocked now and then': { troubles: { ...SOME, handshake: 0.8 } },
  'WebSockets are blocked': {
    troubles: { ...SOME, handshake: 1 },
    later: { handshake: 1 },
  },
  'the buffer is full': { troubles: { ...SOME, handshake: 0.5 }, maxBufferedBytes: 200 },
  'a page is left and restored': { troubles: { ...SOME, handshake: 0.4 }, isPage: true },
};
const SEEDS = 12;

/** A world in which no declared event is settled before it is sent again. */
const EXACT: Options = {
  troubles: { cut: 0.15, rejected: 0.1, timeout: 0.1, goaway: 0.05, post: 0.4 },
};

/** Runs all worlds until one has a violation. @returns whether one had */
async function hunt(t: TestContext, library: typeof Library): Promise<boolean> {
  const clock = new VirtualClock(t);
  for (let seed = 1; seed <= SEEDS; seed++) {
    for (const options of Object.values(WORLDS)) {
      const { gateway } = await run(library, clock, seed, options);
      if (violations(gateway).length > 0) return true;
    }
    const { gateway } = await run(library, clock, seed, EXACT);
    if (gateway.overmarked.length > 0) return true;
  }
  return false;
}

const library = (await import('../../src/client/client.ts')) as typeof Library;

for (const [what, options] of Object.entries(WORLDS)) {
  test(`${what}: at most one copy of each event is unmarked, and each is settled`, async (t) => {
    const clock = new VirtualClock(t);
    let repeated = 0;
    for (let seed = 1; seed <= SEEDS; seed++) {
      const { gateway, status } = await run(library, clock, seed, options);
      assert.deepEqual(violations(gateway), [], `seed ${seed}`);
      const { stored, refused, dropped, sent } = status;
      assert.deepEqual([stored + dropped, refused, sent], [EVENTS, 0, EVENTS], `seed ${seed}`);
      const ids = new Set(gateway.copies.map(({ id }) => id));
      assert(ids.size >= stored, `seed ${seed}: ${stored} counted, ${ids.size} stored`);
      repeated += gateway.copies.length - ids.size;
    }
    assert(repeated > 0, 'events were stored twice');
  });
}

test('only events that were sent before are marked, if no declared one is settled meanwhile', async (t) => {
  const clock = new VirtualClock(t);
  let declared = 0;
  for (let seed = 1; seed <= SEEDS; seed++) {
    const { gateway } = await run(library, clock, seed, EXACT);
    assert.deepEqual(gateway.overmarked, [], `seed ${seed}`);
    declared += gateway.declared.filter((count) => count > 0).length;
  }
  assert(declared > SEEDS, `${declared} connections declared repeats`);
});

/** Defects: a piece of code that occurs once in its file, and its replacement. */
const MUTANTS: Readonly<Record<string, readonly [file: string, code: string, defect: string]>> = {
  'one repeat fewer is declared': [
    'connection.ts',
    'resent(url, this.#marks)',
    'resent(url, this.#marks - 1)',
  ],
  'no repeat is declared': [
    'connection.ts',
    'this.#marks > 0 ? resent(url, this.#marks) : url',
    'url',
  ],
  'the mark is lost with the second connection': [
    'connection.ts',
    'this.#frames = [];\n    this.#on.lost(',
    'for (const { left } of this.#frames) for (const entry of left) entry.unsure %= 2;\n    this.#frames = [];\n    this.#on.lost(',
  ],
  'originals are sent before repeats': [
    'outbox.ts',
    'Number(isRepeat(b)) - Number(isRepeat(a)) || a.place',
    'Number(isRepeat(a)) - Number(isRepeat(b)) || a.place',
  ],
  'repeats are sent behind the declared events': [
    'connection.ts',
    "this.#marks === 0 ? 'originals' : 'waiting'",
    "'waiting' as const",
  ],
  'the number of declared events is never reached': [
    'connection.ts',
    'this.#marks = Math.max(0, this.#marks - entries.length);',
    '',
  ],
  'a timeout counts as not stored': [
    'client.ts',
    "if (code !== 'timeout') entry.unsure--",
    'entry.unsure--',
  ],
  'a repeat becomes an original when it is rejected': [
    'client.ts',
    "if (code !== 'timeout') entry.unsure--",
    "if (code !== 'timeout') entry.unsure = 0",
  ],
  'a body declares nothing': ['poster.ts', 'unsure > 1', 'false'],
  'a body without a response counts as not stored': [
    'poster.ts',
    'if (problem.unstored)',
    'if (true)',
  ],
  'a beacon declares nothing': [
    'keepalive-sender.ts',
    'isRepeat(piece[0]) ? resent(this.#url, 1) : this.#url',
    'this.#url',
  ],
};

for (const [what, [file, code, defect]] of Object.entries(MUTANTS)) {
  test(`the test detects a client in which ${what}`, async (t) => {
    assert(await hunt(t, await mutant(file, code, defect)), 'no seed shows it');
  });
}

/** Returns the library with a defect. */
async function mutant(file: string, code: string, defect: string): Promise<typeof Library> {
  const changed = {
    name: 'mutant',
    setup({ onLoad }: import('esbuild').PluginBuild) {
      onLoad({ filter: new RegExp(`/client/${file}$`) }, ({ path }) => {
        const text = readFileSync(path, 'utf8');
        assert.equal(text.split(code).length, 2, `${file} has once: ${code}`);
        return { contents: text.replace(code, () => defect), loader: 'ts' };
      });
    },
  };
  const { outputFiles } = await build({
    entryPoints: ['src/client/client.ts'],
    bundle: true,
    write: false,
    format: 'esm',
    plugins: [changed],
  });
  const text = Buffer.from(outputFiles[0]!.contents).toString('base64');
  return (await import(`data:text/javascript;base64,${text}`)) as typeof Library;
}
