import assert from 'node:assert/strict';
import { test } from 'node:test';
import { PerAddress } from '../../../src/worker/admission/per-address.ts';

test('so many of one address and no more; one leaves, one enters; others are not concerned', () => {
  const perAddress = new PerAddress(3);
  for (let count = 0; count < 3; count++) {
    assert(!perAddress.isFull('a'), `${count} are there`);
    perAddress.enter('a');
  }
  assert(perAddress.isFull('a'), 'the fourth');
  assert(!perAddress.isFull('b'), 'another address');
  perAddress.leave('a');
  assert(!perAddress.isFull('a'), 'one has left');
  perAddress.enter('a');
  assert(perAddress.isFull('a'), 'one has entered');
});

test('addresses without connections are not kept', () => {
  const perAddress = new PerAddress(3);
  for (let address = 0; address < 1_000; address++) {
    assert(!perAddress.isFull(`${address}`), 'asking keeps nothing');
    perAddress.enter(`${address}`);
    perAddress.enter(`${address}`);
  }
  assert.equal(perAddress.size, 1_000);
  for (let address = 0; address < 1_000; address++) {
    perAddress.leave(`${address}`);
    perAddress.leave(`${address}`);
  }
  assert.equal(perAddress.size, 0);
  assert.throws(() => perAddress.leave('1'), /only who entered leaves/);
});
