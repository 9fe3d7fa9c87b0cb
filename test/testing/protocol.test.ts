import assert from 'node:assert/strict';
import { test } from 'node:test';
import { Incoming } from '../../testing/protocol.ts';

const credit = { frames: 4, bytes: 100_000 };
const hello = { hello: { maxFrameBytes: 65_536, maxFrameEvents: 1_000, credit } };
const nack = { nack: 1, errors: [{ code: 'schema', retry: false, message: 'no' }] };

/** Violations found in these consecutive frames, after three frames were sent. */
function violations(...frames: object[]): string[] {
  const incoming = new Incoming();
  const found = frames.flatMap((frame) => incoming.take(JSON.stringify(frame), 3).violations);
  return found.map((line) => line.replace(/: .*/, ''));
}

test('a server that follows the rules', () => {
  const rising = { credit: { frames: 5, bytes: 100_100 } };
  const refusals = [nack, { ack: 1 }, rising, { ...nack, nack: 3 }, { ack: 3 }];
  assert.deepEqual(
    violations(hello, ...refusals, { goaway: { reason: 'restart' } }, { new: 1 }),
    [],
  );
});

for (const [what, frames] of [
  ['hello is not the first frame', [{ ack: 1 }]],
  ['second hello', [hello, hello]],
  ['first grant below a frame', [{ hello: { ...hello.hello, maxFrameBytes: 100_001 } }]],
  ['credit decreased', [hello, { credit: { frames: 4, bytes: 99_999 } }]],
  ['ack outside of the frames in flight', [hello, { ack: 2 }, { ack: 2 }]],
  ['ack outside of the frames in flight', [hello, { ack: 4 }]],
  ['nack outside of the frames in flight', [hello, { ack: 1 }, nack]],
  ['second nack of a frame', [hello, nack, nack]],
  ['nack without errors', [hello, { nack: 1, errors: [] }]],
  ['duplicate code in a nack', [hello, { nack: 1, errors: [nack.errors[0], nack.errors[0]] }]],
  [
    'retryAfterMs without retry',
    [hello, { nack: 1, errors: [{ code: 'buffer_full', retry: true, message: '' }] }],
  ],
  ['long message', [hello, { nack: 1, errors: [{ ...nack.errors[0], message: 'x'.repeat(201) }] }]],
] as [string, object[]][]) {
  test(`detects: ${what} (${JSON.stringify(frames.at(-1)).slice(0, 40)})`, () => {
    assert.deepEqual(violations(...frames), [what]);
  });
}
