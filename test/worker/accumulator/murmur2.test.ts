import assert from 'node:assert/strict';
import { test } from 'node:test';
import { murmur2, partitionOfHash } from '../../../src/worker/accumulator/murmur2.ts';
import fixture from './fixtures/murmur2.json' with { type: 'json' };

/** Test vectors of Kafka's UtilsTest. */
const KNOWN: readonly [string, number][] = [
  ['21', -973932308],
  ['foobar', -790332482],
  ['a-little-bit-long-string', -985981536],
  ['a-little-bit-longer-string', -1486304829],
  ['lkjh234lh9fiuh90y23oiuhsafujhadof229phr9h19h89h8', -58897971],
  ['abc', 479470107],
];

test('murmur2 of the test vectors equals the result in Java', () => {
  for (const [text, hash] of KNOWN) {
    const bytes = Buffer.from(text);
    assert.equal(murmur2(bytes, 0, bytes.length), hash, text);
  }
});

test('murmur2 of 200 random UTF-8 keys equals the result of Kafka’s Java client', () => {
  const hashes = Object.entries(fixture.hashes);
  assert.equal(hashes.length, 200);
  const tails = new Set<number>();
  for (const [text, hash] of hashes) {
    const bytes = Buffer.from(text);
    tails.add(bytes.length % 4);
    assert.equal(murmur2(bytes, 0, bytes.length), hash, JSON.stringify(text));
  }
  assert.equal(tails.size, 4);
});

test('bytes after the key do not count: keys of any length share the buffer', () => {
  const bytes = Buffer.from('foobar and the rest of a longer key');
  assert.equal(murmur2(bytes, 0, 6), -790332482);
});

test('a negative hash gives the partition of Java’s toPositive', () => {
  for (const [text, hash] of KNOWN) {
    const bytes = Buffer.from(text);
    for (const partitions of [1, 2, 12, 1000]) {
      const expected = Number((BigInt(hash) & 0x7fffffffn) % BigInt(partitions));
      assert.equal(partitionOfHash(murmur2(bytes, 0, bytes.length), partitions), expected);
    }
  }
});
