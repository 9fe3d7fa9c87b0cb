import assert from 'node:assert/strict';
import { test } from 'node:test';
import { LIMITS } from '../../../../src/config/limits.ts';
import { BodySlots } from '../../../../src/worker/ingress/http/body-slots.ts';

/** Places that `sender` gets if it takes all that it can. */
function takeAll(places: BodySlots, sender: string): number {
  let taken = 0;
  while (places.acquire(sender)) taken++;
  return taken;
}

test('one sender gets half of the places, the next half of what is left', () => {
  const places = new BodySlots();
  const shares = ['a', 'b', 'c', 'd', 'e', 'f', 'g', 'h'].map((sender) => takeAll(places, sender));
  assert.deepEqual(shares, [32, 16, 8, 4, 2, 1, 1, 0]);
  assert.equal(places.used, LIMITS.waitingBodies);
});

test('senders that come together have the same share', () => {
  const places = new BodySlots();
  const held = [0, 0, 0];
  for (let round = 0; round < 100; round++) {
    for (const sender of held.keys()) if (places.acquire(`${sender}`)) held[sender]!++;
  }
  assert.deepEqual(held, [16, 16, 16]);
});

test('what is left is free for any sender, and who has none is not kept', () => {
  const places = new BodySlots();
  for (let round = 0; round < 3; round++) {
    const taken = takeAll(places, 'a');
    assert.equal(taken, 32);
    for (let count = 0; count < taken; count++) places.release('a');
    assert.equal(places.used, 0);
  }
  assert.throws(() => places.release('a'), /only who has a place/);
});
