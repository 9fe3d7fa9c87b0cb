import assert from 'node:assert/strict';
import { test } from 'node:test';
import { ServerFrames } from '../../../bench/load/server-frames.ts';

/** All callbacks in order. */
function reader() {
  const calls: unknown[][] = [];
  const note =
    (what: string) =>
    (...facts: unknown[]) =>
      void calls.push([what, ...facts]);
  const frames = new ServerFrames({
    hello: note('hello'),
    ack: note('ack'),
    nack: note('nack'),
    credit: note('credit'),
    ping: (payload) => void calls.push(['ping', payload.toString()]),
    ended: note('ended'),
  });
  return { calls, frames };
}

function frameOf(text: string, opcode = 1): Buffer {
  const payload = Buffer.from(text);
  const head =
    payload.length < 126
      ? [0x80 | opcode, payload.length]
      : [0x80 | opcode, 126, payload.length >> 8, payload.length & 0xff];
  return Buffer.concat([Buffer.from(head), payload]);
}

const ERRORS = [{ code: 'schema', retry: false, events: [[3, 7]], message: 'x'.repeat(150) }];
const CREDIT = { frames: 64, bytes: 262_144 };
const STREAM = Buffer.concat([
  frameOf(JSON.stringify({ hello: { maxFrameBytes: 1, maxFrameEvents: 1, credit: CREDIT } })),
  frameOf('{"ack":1}'),
  frameOf('{"ack":4294967297}'),
  frameOf(JSON.stringify({ nack: 17, errors: ERRORS })),
  frameOf('', 9),
  frameOf('{"credit":{"frames":96,"bytes":300000}}'),
  frameOf('{"acks":"of a later protocol"}'),
  frameOf('{}'),
  frameOf('are you there', 9),
  frameOf('{"goaway":{"reason":"restart","reconnectMs":1}}'),
]);
const EXPECTED = [
  ['hello', CREDIT],
  ['ack', 1],
  ['ack', 4_294_967_297],
  ['nack', 17, ERRORS],
  ['ping', ''],
  ['credit', { frames: 96, bytes: 300_000 }],
  ['ping', 'are you there'],
  ['ended', 'goaway restart'],
];

test('each frame is reported once, wherever the bytes are split', () => {
  for (const size of [1, 2, 3, 7, 64, STREAM.length]) {
    const { calls, frames } = reader();
    for (let at = 0; at < STREAM.length; at += size) {
      const chunk = Buffer.from(STREAM.subarray(at, at + size));
      frames.push(chunk);
      // The caller reads the next bytes into the same buffer.
      chunk.fill(0);
    }
    assert.deepEqual(calls, EXPECTED, `cut every ${size} bytes`);
  }
});

test('a close frame ends the connection, with its code', () => {
  const { calls, frames } = reader();
  const payload = Buffer.concat([Buffer.from([3, 240]), Buffer.from('slow_consumer')]);
  frames.push(Buffer.concat([Buffer.from([0x88, payload.length]), payload]));
  assert.deepEqual(calls, [['ended', 'close 1008 slow_consumer']]);
});
