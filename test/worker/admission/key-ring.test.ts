import assert from 'node:assert/strict';
import { test } from 'node:test';
import type { KeyEntry } from '../../../src/api-keys/format.ts';
import { tokenHash } from '../../../src/api-keys/token.ts';
import { KeyRing } from '../../../src/worker/admission/key-ring.ts';

const NEVER = Number.POSITIVE_INFINITY;
const entry = (token: string, fields: Partial<KeyEntry> = {}): KeyEntry => ({
  name: token,
  sha256: tokenHash(token),
  endsAtMs: NEVER,
  rate: undefined,
  ...fields,
});

test('a token finds its key only', () => {
  const ring = new KeyRing();
  assert.equal(ring.find('a'), undefined);
  ring.replace([entry('a'), entry('b')]);
  assert.equal(ring.find('a')?.name, 'a');
  for (const token of ['', 'A', 'a ', tokenHash('a'), '__proto__', 'constructor']) {
    assert.equal(ring.find(token), undefined, token);
  }
});

test('a key may write to the streams it lists; the set is a new object only if it changes', () => {
  const ring = new KeyRing();
  ring.replace([entry('a', { streams: ['x', 'y'] })]);
  const key = ring.find('a')!;
  const { streams } = key;
  assert.deepEqual([...streams!], ['x', 'y']);
  ring.replace([entry('a', { streams: ['y', 'x'] })]);
  assert.equal(key.streams, streams);
  ring.replace([entry('a', { streams: [] })]);
  assert.deepEqual([...key.streams!], []);
  ring.replace([entry('a')]);
  assert.equal(ring.find('a'), key);
  assert.equal(key.streams, undefined);
});

test('a remaining key keeps its identity, which its connections share', () => {
  const ring = new KeyRing();
  const rate = { eventsPerSecond: 5, burst: 5 };
  ring.replace([entry('a', { rate }), entry('b')]);
  const [a, b] = [ring.find('a')!, ring.find('b')!];
  ring.replace([entry('c'), entry('a', { rate: { ...rate }, endsAtMs: 9 })]);
  assert.equal(ring.find('a'), a);
  assert.equal(a.rate, rate, 'an equal rate is not a new one');
  assert.equal(a.isExpired(8), false);
  assert.equal(a.isExpired(9), true);
  assert.equal(b.isExpired(), true, 'a removed key is expired');
  assert.equal(ring.find('b'), undefined);
  ring.replace([entry('a', { rate: { eventsPerSecond: 6, burst: 6 } })]);
  assert.deepEqual(a.rate, { eventsPerSecond: 6, burst: 6 });
  assert.equal(a.isExpired(), false);
});

test('a token with another name is another identity', () => {
  const ring = new KeyRing();
  ring.replace([entry('a')]);
  const old = ring.find('a')!;
  ring.replace([entry('a', { name: 'renamed' })]);
  assert.equal(old.isExpired(), true);
  assert.equal(ring.find('a')?.name, 'renamed');
});
