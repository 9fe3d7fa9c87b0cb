import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import { xerialChunks, xerialFrame } from '../../../src/kafka/compression/xerial.ts';

const HEADER = '82534e4150505900' + '00000001' + '00000001';
const anyBytes = fc.uint8Array({ maxLength: 300, size: 'max' }).map((bytes) => Buffer.from(bytes));

test('a frame is Java’s header, a length, and the raw bytes', () => {
  const frame = xerialFrame(Buffer.from('raw'));
  assert.equal(frame.toString('hex'), `${HEADER}00000003${Buffer.from('raw').toString('hex')}`);
});

test('all chunks of a frame are restored', () => {
  fc.assert(
    fc.property(fc.array(anyBytes, { minLength: 1 }), (chunks) => {
      const frames = chunks.map((chunk, index) => {
        const frame = xerialFrame(chunk);
        return index === 0 ? frame : frame.subarray(HEADER.length / 2);
      });
      assert.deepEqual(xerialChunks(Buffer.concat(frames)), chunks);
    }),
  );
});

test('data without a header is raw Snappy', () => {
  const raw = Buffer.from([3, 8, 97, 98, 99]);
  assert.deepEqual(xerialChunks(raw), [raw]);
});

test('a truncated frame, or one with an invalid length, is rejected', () => {
  const frame = xerialFrame(Buffer.from('raw'));
  for (const bytes of [frame.length - 1, frame.length - 5]) {
    assert.throws(() => xerialChunks(frame.subarray(0, bytes)));
  }
  frame.writeInt32BE(-4, HEADER.length / 2);
  assert.throws(() => xerialChunks(frame), assert.AssertionError);
});
