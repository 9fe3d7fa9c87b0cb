import assert from 'node:assert/strict';
import { test } from 'node:test';
import { LIMITS } from '../../../../src/config/limits.ts';
import { BodyPlaces } from '../../../../src/worker/ingress/http/body-places.ts';

/** Places that `sender` gets if it takes all that it can. */
function takeAll(places: BodyPlaces, sender: string): number {
  let taken = 0;
  while (places.take(sender)) taken++;
  return taken;
}

test('one sender gets half of the places, the next half of what is left', () => {
  const places = new BodyPlaces();
  const shares = ['a', 'b', 'c', 'd', 'e', 'f', 'g', 'h'].map((sender) => takeAll(places, sender));
  assert.deepEqual(shares, [32, 16, 8, 4, 2, 1, 1, 0]);
  assert.equal(places.taken, LIMITS.waitingBodies);
});

test('senders that come together have the same share', () => {
  const places = new BodyPlaces();
  const held = [0, 0, 0];
  for (let round = 0; round < 100; round++) {
    for (const sender of held.keys()) if (places.take(`${sender}`)) held[sender]!++;
  }
  assert.deepEqual(held, [16, 16, 16]);
});

test('what is left is free for any sender, and who has none is not kept', () => {
  const places = new BodyPlaces();
  for (let round = 0; round < 3; round++) {
    const taken = takeAll(places, 'a');
    assert.equal(taken, 32);
    for (let count = 0; count < taken; count++) places.leave('a');
    assert.equal(places.taken, 0);
  }
  assert.throws(() => places.leave('a'), /only who has a place/);
});
