/** Messages of the test page about events that are not stored. */
import assert from 'node:assert/strict';
import { test } from 'node:test';

interface Facts {
  readonly gateway:
    | { ready: boolean; reasons: string[]; rejected?: string; outage?: object }
    | undefined;
  readonly connectedAt: number | undefined;
  readonly oldestAt: number | undefined;
  readonly storedAt?: number;
  readonly now: number;
}
const file = new URL('../../src/page/static/trouble.js', import.meta.url);
const { troubleOf, STUCK_MS } = (await import(file.href)) as {
  troubleOf(facts: Facts): string;
  STUCK_MS: number;
};

const ready = { ready: true, reasons: [] };
const unready = (...reasons: string[]) => ({ ready: false, reasons });
const NOW = 1_000_000;
const LONG_AGO = NOW - STUCK_MS - 1;
const facts = (other: Partial<Facts>): Facts => ({
  gateway: ready,
  connectedAt: LONG_AGO,
  oldestAt: undefined,
  now: NOW,
  ...other,
});

const REASON = 'Kafka cannot be reached: connection refused';
const outage = (scope: 'all' | 'some') => ({ scope, reason: REASON, sinceMs: LONG_AGO });
const time = new Date(LONG_AGO).toLocaleTimeString();

test('an outage reported by the gateway is shown, also if the page sends nothing', () => {
  const all = `Kafka is unavailable, nothing was stored since ${time}: ${REASON}. Events wait for it.`;
  const some = `Kafka stores only some events since ${time}: ${REASON}. The others wait for it.`;
  for (const other of [{}, { oldestAt: LONG_AGO }, { oldestAt: NOW }, { storedAt: NOW - 10 }]) {
    const told = (scope: 'all' | 'some') =>
      troubleOf(facts({ ...other, gateway: { ...ready, outage: outage(scope) } }));
    assert.equal(told('all'), all, JSON.stringify(other));
    assert.equal(told('some'), some, JSON.stringify(other));
  }
  const gateway = { ...unready('Kafka cannot be reached'), outage: outage('all') };
  assert.equal(troubleOf(facts({ gateway })), all);
});

test('without a reported outage the page says that there is no answer, and does not blame Kafka', () => {
  const text = `No answer since ${time}. Events wait for it.`;
  assert.equal(troubleOf(facts({ oldestAt: LONG_AGO })), text);
  assert.equal(troubleOf(facts({ oldestAt: LONG_AGO, now: NOW + 9_000 })), text, 'it stays so');
  const away = { gateway: unready('the topic does not exist'), oldestAt: LONG_AGO };
  const why = `No answer since ${time}: the topic does not exist. Events wait for it.`;
  assert.equal(troubleOf(facts(away)), why);
});

test('nothing is shown for a new event, without a connection, or while others are stored', () => {
  for (const other of [
    {},
    { oldestAt: NOW - STUCK_MS },
    { oldestAt: LONG_AGO, storedAt: NOW - 10 },
    { oldestAt: LONG_AGO, connectedAt: NOW - 10 },
    { oldestAt: LONG_AGO, connectedAt: undefined },
    { oldestAt: LONG_AGO, gateway: undefined },
  ]) {
    assert.equal(troubleOf(facts(other)), '', JSON.stringify(other));
  }
});

test('a gateway that is not ready, stops, or cannot verify keys is shown immediately', () => {
  const told = (gateway: Facts['gateway']) => troubleOf(facts({ gateway }));
  const missing = told(unready('the topic does not exist'));
  assert.equal(missing, 'The gateway is not ready: the topic does not exist.');
  assert.match(told(unready('draining')), /^The gateway is stopping/);
  assert.match(told({ ...ready, rejected: 'identity_unavailable' }), /cannot verify keys/);
  assert.equal(told({ ...ready, rejected: 'unauthorized' }), '', 'the form asks for a key');
});
