/** Events sent on page exit in a browser with a limited quota, which the test simulates. */
import assert from 'node:assert/strict';
import { afterEach, test } from 'node:test';
import { type Entry, type EntryEvents, progress } from '../../src/client/entry.ts';
import { KeepaliveSender } from '../../src/client/keepalive-sender.ts';
import { Key } from '../../src/client/key.ts';
import { Outbox } from '../../src/client/outbox.ts';
import { Poster } from '../../src/client/poster.ts';
import { until } from '../../testing/wait.ts';
import { VirtualClock } from './virtual-clock.ts';

const URL = 'http://gateway.test/events';
const KIB = 1_024;
const realFetch = globalThis.fetch;
const realNavigator = Object.getOwnPropertyDescriptor(globalThis, 'navigator');
afterEach(() => {
  globalThis.fetch = realFetch;
  if (realNavigator) Object.defineProperty(globalThis, 'navigator', realNavigator);
  else Reflect.deleteProperty(globalThis, 'navigator');
});

interface Browser {
  readonly beacons: string[];
  readonly fetches: { readonly body: string; readonly authorization: string | undefined }[];
  rejected: number;
}

/** A browser with this remaining quota, for beacons and fetches together. */
function browserWith(quotaBytes: number, answer: (ids: string[]) => object): Browser {
  let left = quotaBytes;
  const browser: Browser = { beacons: [], fetches: [], rejected: 0 };
  const takes = (body: string) => {
    const fits = body.length <= left;
    if (fits) left -= body.length;
    else browser.rejected++;
    return fits;
  };
  const sendBeacon = (_: string, body: string) => takes(body) && browser.beacons.push(body) > 0;
  Object.defineProperty(globalThis, 'navigator', { value: { sendBeacon }, configurable: true });
  globalThis.fetch = (async (_: string, request: RequestInit) => {
    const body = request.body as string;
    assert.equal(request.keepalive, true);
    if (!takes(body)) throw new TypeError('Failed to fetch');
    const { Authorization } = request.headers as { Authorization?: string };
    browser.fetches.push({ body, authorization: Authorization });
    return new Response(JSON.stringify(answer(idsOf(body))));
  }) as typeof fetch;
  return browser;
}

const idsOf = (body: string) => (JSON.parse(body) as { id: string }[]).map(({ id }) => id);
const stored = (ids: readonly string[]) => ({ accepted: ids.length, errors: [] });

/** Events of these sizes in an outbox. */
function leavingWith(sizes: readonly number[], key?: string) {
  const outbox = new Outbox(10_000_000);
  const told: string[] = [];
  const entries = sizes.map((bytes, index): Entry => {
    const text = JSON.stringify({ id: `e${index}` }).padEnd(bytes);
    return { event: {}, text, bytes, ...progress(), stored() {}, failed() {} };
  });
  for (const entry of entries) outbox.add(entry);
  const fates: EntryEvents = {
    sent() {},
    stored: (entry) => {
      if (outbox.done(entry)) told.push((JSON.parse(entry.text) as { id: string }).id);
    },
    refused() {},
    stuck() {},
    left() {},
  };
  const given = new Key(key);
  const poster = new Poster(URL, given, outbox, fates);
  return { outbox, told, leaving: new KeepaliveSender(URL, given, outbox, poster, fates) };
}

for (const [count, bytes] of [
  [1, 100],
  [58, 1_000],
  [250, 1_000],
  [2_000, 100],
  [10, 15_000],
] as const) {
  for (const usedKib of [0, 8, 40, 60, 64]) {
    test(`${count} events of ${bytes} bytes with ${usedKib} kB in use: beacons take the oldest that fit, and they are not sent otherwise`, async () => {
      const quota = (64 - usedKib) * KIB;
      const browser = browserWith(quota, stored);
      const { leaving, outbox } = leavingWith(Array<number>(count).fill(bytes));
      leaving.last();
      const sent = browser.beacons.flatMap(idsOf);
      const room = Math.min(count, Math.floor((quota * 0.97) / (bytes + 1)));
      assert(sent.length >= room, `${sent.length} of ${room}`);
      assert.deepEqual(
        sent,
        [...sent].sort((a, b) => Number(a.slice(1)) - Number(b.slice(1))),
      );
      assert.deepEqual(
        sent,
        Array.from({ length: sent.length }, (_, at) => `e${at}`),
      );
      if (room < count) assert(browser.rejected > 0, 'the quota was met');
      assert(browser.rejected < 200, `${browser.rejected} were rejected`);
      // A second page exit event finds them gone.
      const { length } = browser.beacons;
      await until(() => leaving.unacknowledged === sent.length);
      leaving.last();
      assert.equal(browser.beacons.length, length);
      await until(() => leaving.unacknowledged === sent.length);
      assert.equal(outbox.waiting, count - sent.length, 'the others wait');
      leaving.back();
      assert.equal(outbox.waiting, count, 'a beacon may not have arrived');
      // Possible repeats, here those of a beacon, never share a request with other events.
      const again = [...outbox.take(count, 1e9), ...outbox.take(count, 1e9)];
      assert.deepEqual(
        again.map(({ place }) => place),
        Array.from({ length: count }, (_, at) => at + 1),
      );
    });

    test(`${count} events of ${bytes} bytes with ${usedKib} kB in use, with a key: fetches take those that fit, each reported stored once`, async () => {
      const quota = (64 - usedKib) * KIB;
      const browser = browserWith(quota, stored);
      const { leaving, outbox, told } = leavingWith(Array<number>(count).fill(bytes), 'k');
      leaving.last();
      // The page is gone: rejected pieces are not split any more.
      const atOnce = browser.fetches.flatMap(({ body }) => idsOf(body)).length;
      const room = Math.min(count, Math.floor((quota * 0.75) / (bytes + 1)));
      assert(atOnce >= room, `${atOnce} of ${room} at once`);
      await until(() => leaving.unacknowledged === 0);
      assert.equal(browser.beacons.length, 0);
      assert(browser.fetches.every(({ authorization }) => authorization === 'Bearer k'));
      assert.equal(new Set(told).size, told.length);
      assert(told.length >= room);
      assert.equal(outbox.waiting, count - told.length, 'the others wait');
    });
  }
}

test('an event that no browser accepts blocks no other', async () => {
  for (const key of [undefined, 'k']) {
    const browser = browserWith(64 * KIB, stored);
    const { leaving, outbox } = leavingWith([70_000, 100, 70_000, 100], key);
    leaving.last();
    await until(() => leaving.unacknowledged === (key ? 0 : 2));
    const sent = [...browser.beacons, ...browser.fetches.map(({ body }) => body)].flatMap(idsOf);
    assert.deepEqual(sent.sort(), ['e1', 'e3']);
    assert.equal(outbox.waiting, 2);
  }
});

test('events in flight of another transport are sent too, and reported stored once', async () => {
  const browser = browserWith(64 * KIB, stored);
  const { leaving, outbox, told } = leavingWith([100, 100, 100], 'k');
  const onTheirWay = outbox.take(2, 1_000);
  leaving.last();
  assert.equal(browser.fetches.flatMap(({ body }) => idsOf(body)).length, 3);
  await until(() => leaving.unacknowledged === 0);
  assert.deepEqual(told, ['e0', 'e1', 'e2']);
  outbox.putBack(onTheirWay);
  assert.equal(outbox.waiting, 0);
});

for (const [what, isBack, afterMs] of [
  ['half a minute later', false, 30_000],
  ['some seconds after the page is back', true, 5_000],
] as const) {
  test(`an unanswered fetch is aborted ${what}: its events wait again, in order`, async (t) => {
    const clock = new VirtualClock(t);
    let open = 0;
    clock.fetch = ((_: string, { signal }: RequestInit) =>
      new Promise((_, reject) => {
        open++;
        signal?.addEventListener('abort', () => reject(signal.reason));
      })) as typeof fetch;
    const { leaving, outbox } = leavingWith([9_000, 9_000, 100], 'k');
    leaving.last();
    const fetches = open;
    assert(fetches > 1, 'they went');
    assert.equal(outbox.waiting, 0);
    if (isBack) leaving.back();
    await clock.run(() => false, afterMs - 100);
    assert.deepEqual([outbox.waiting, leaving.unacknowledged], [0, 3]);
    await clock.run(() => false, 200);
    assert.deepEqual([outbox.waiting, leaving.unacknowledged], [3, 0]);
    assert.deepEqual(
      outbox.take(9, 1e9).map(({ place }) => place),
      [1, 2, 3],
    );
    assert.equal(open, fetches, 'none is sent in parts');
  });
}
