import assert from 'node:assert/strict';
import { test } from 'node:test';
import { LIMITS } from '../../../../src/config/limits.ts';
import { BodySlots } from '../../../../src/worker/ingress/http/body-slots.ts';

/** Slots that `sender` gets if it acquires all that it can. */
function takeAll(slots: BodySlots, sender: string): number {
  let taken = 0;
  while (slots.acquire(sender)) taken++;
  return taken;
}

test('one sender gets half of the slots, the next one half of the rest', () => {
  const slots = new BodySlots();
  const shares = ['a', 'b', 'c', 'd', 'e', 'f', 'g', 'h'].map((sender) => takeAll(slots, sender));
  assert.deepEqual(shares, [32, 16, 8, 4, 2, 1, 1, 0]);
  assert.equal(slots.used, LIMITS.waitingBodies);
});

test('concurrent senders have equal shares', () => {
  const slots = new BodySlots();
  const held = [0, 0, 0];
  for (let round = 0; round < 100; round++) {
    for (const sender of held.keys()) if (slots.acquire(`${sender}`)) held[sender]!++;
  }
  assert.deepEqual(held, [16, 16, 16]);
});

test('released slots are free for any sender, and senders without a slot are not kept', () => {
  const slots = new BodySlots();
  for (let round = 0; round < 3; round++) {
    const taken = takeAll(slots, 'a');
    assert.equal(taken, 32);
    for (let count = 0; count < taken; count++) slots.release('a');
    assert.equal(slots.used, 0);
  }
  assert.throws(() => slots.release('a'), /only a sender with a slot/);
});
