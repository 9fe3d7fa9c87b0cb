import assert from 'node:assert/strict';
import { test } from 'node:test';
import { LIMITS } from '../../../../src/config/limits.ts';
import { PartialMessage } from '../../../../src/worker/ingress/transport/node/partial-message.ts';
import { OPCODE, wsFrame } from '../../../../testing/ws-frame.ts';

const OVERHEAD = LIMITS.chunkOverheadBytes;

const { text: TEXT, continuation: CONTINUATION, ping: PING } = OPCODE;

/** Returns a frame with a payload of this length. */
function frame(opcode: number, length: number, fin = true): Buffer {
  return wsFrame(opcode, Buffer.alloc(length), { fin });
}

/** Cuts bytes into chunks. */
function* chunksOf(bytes: Buffer, length: number): Generator<Buffer> {
  for (let at = 0; at < bytes.length; at += length) yield bytes.subarray(at, at + length);
}

const MESSAGES = Buffer.concat([
  frame(TEXT, 0),
  frame(TEXT, 125),
  frame(PING, 3),
  frame(TEXT, 126),
  frame(TEXT, 70_000),
  frame(TEXT, 10, false),
  frame(PING, 0),
  frame(CONTINUATION, 300, false),
  frame(CONTINUATION, 0),
]);

test('complete messages take no memory, however they are cut', () => {
  for (const length of [1, 2, 3, 7, 100, 65_536, MESSAGES.length]) {
    const partial = new PartialMessage();
    let bytes = 0;
    for (const chunk of chunksOf(MESSAGES, length)) bytes = partial.add(chunk);
    assert.equal(bytes, 0, `chunks of ${length}`);
  }
});

test('each chunk with a part of the incomplete message counts, entirely', () => {
  const partial = new PartialMessage();
  const both = Buffer.concat([frame(TEXT, 1_000), frame(TEXT, 1_000)]);
  const first = both.subarray(0, both.length - 1);
  assert.equal(partial.add(first), first.length + OVERHEAD, 'ws keeps a view of it');
  assert.equal(partial.add(both.subarray(-1)), 0);
  const one = frame(TEXT, 10);
  for (let at = 0; at < one.length - 1; at++) {
    assert.equal(partial.add(one.subarray(at, at + 1)), (at + 1) * (1 + OVERHEAD));
  }
  assert.equal(partial.add(one.subarray(-1)), 0);
});

test('fragments count until the message is complete, pings among them do not', () => {
  const partial = new PartialMessage();
  const first = frame(TEXT, 10, false);
  const held = first.length + 2 * OVERHEAD;
  assert.equal(partial.add(first), held);
  const pings = Buffer.concat([frame(PING, 125), frame(PING, 0)]);
  assert.equal(partial.add(pings), held);
  const next = Buffer.concat(Array.from({ length: 50 }, () => frame(CONTINUATION, 1, false)));
  assert.equal(partial.add(next), held + next.length + 51 * OVERHEAD);
  assert.equal(partial.add(frame(CONTINUATION, 0)), 0);
  const half = frame(PING, 100).subarray(0, 50);
  assert.equal(partial.add(half), half.length + OVERHEAD, 'an incomplete ping');
});
