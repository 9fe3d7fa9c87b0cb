import assert from 'node:assert/strict';
import { test } from 'node:test';
import { type OpenFrame, OpenFrames } from '../../../bench/yardsticks/open-frames.ts';

/** Frames with these numbers of events, in the order of arrival. */
function framesOf(events: readonly number[]): { open: OpenFrames; frames: OpenFrame[] } {
  const open = new OpenFrames();
  const frames = events.map((missing, index) => ({ number: index + 1, missing }));
  for (const frame of frames) open.add(frame);
  return { open, frames };
}

test('a frame is acknowledged once all of its events are stored', () => {
  const { open, frames } = framesOf([3]);
  const found = [0, 0, 0].map((index) => open.stored(frames[index]!));
  assert.deepEqual(found, [undefined, undefined, 1]);
});

test('a frame that completes early waits for those before it, and is acknowledged with them', () => {
  const { open, frames } = framesOf([1, 2, 1, 1]);
  const found = [2, 1, 0, 1, 3].map((index) => open.stored(frames[index]!));
  assert.deepEqual(found, [undefined, undefined, 1, 3, 4]);
});
