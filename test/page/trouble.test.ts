/** What the test page says when events are not stored, and when it says nothing. */
import assert from 'node:assert/strict';
import { test } from 'node:test';

interface Facts {
  readonly gateway: { ready: boolean; reasons: string[]; rejected?: string } | undefined;
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

test('Kafka is unavailable when an event has waited on a connection and none was stored', () => {
  const time = new Date(LONG_AGO).toLocaleTimeString();
  const text = `Kafka is unavailable, nothing was stored since ${time}. Events wait for it.`;
  assert.equal(troubleOf(facts({ oldestAt: LONG_AGO })), text);
  assert.equal(troubleOf(facts({ oldestAt: LONG_AGO, now: NOW + 9_000 })), text, 'it stays so');
  const away = { gateway: unready('Kafka cannot be reached'), oldestAt: LONG_AGO };
  assert.match(
    troubleOf(facts(away)),
    /^Kafka is unavailable, .*: Kafka cannot be reached\. Events/,
  );
});

test('no trouble is told of an event that is new, or had no connection, or while others are stored', () => {
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

test('a gateway that is not ready, stops, or cannot check keys is told so at once', () => {
  const told = (gateway: Facts['gateway']) => troubleOf(facts({ gateway }));
  const missing = told(unready('the topic does not exist'));
  assert.equal(missing, 'The gateway is not ready: the topic does not exist.');
  assert.match(told(unready('draining')), /^The gateway is stopping/);
  assert.match(told({ ...ready, rejected: 'identity_unavailable' }), /cannot check keys/);
  assert.equal(told({ ...ready, rejected: 'unauthorized' }), '', 'the form asks for a key');
});
