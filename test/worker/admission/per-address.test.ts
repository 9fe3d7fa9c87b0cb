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
  assert.throws(() => perAddress.leave('1'), /only a used connection leaves/);
});

test('quiet connections and used ones share twice the bound; what ends or asks gives its place up', () => {
  const perAddress = new PerAddress(3);
  perAddress.enter('a');
  for (let count = 0; count < 5; count++) assert(perAddress.accept('a'), `${count} are quiet`);
  assert(!perAddress.accept('a'), 'the seventh');
  assert(perAddress.accept('b'), 'another address');
  assert(!perAddress.isFull('a'), 'quiet ones take no place of a used one');
  perAddress.markActive('a');
  assert(perAddress.accept('a'));
  assert(!perAddress.accept('a'));
});

test('an answer ends its connection where its address has as many as it may', () => {
  const perAddress = new PerAddress(3);
  for (let count = 0; count < 3; count++) assert(perAddress.keepAlive('a'), `${count} stay`);
  assert(!perAddress.keepAlive('a'));
  perAddress.markActive('a');
  assert(perAddress.keepAlive('a'));
  assert(!perAddress.keepAlive('a'));
  assert(perAddress.accept('a'), 'a new one may still ask');
});

test('a quiet connection counts for a period at least, and for two at most', () => {
  const perAddress = new PerAddress(1);
  assert(perAddress.keepAlive('a'));
  perAddress.nextPeriod();
  assert(!perAddress.keepAlive('a'), 'it may be there');
  perAddress.nextPeriod();
  assert.equal(perAddress.size, 0);
  assert(perAddress.keepAlive('a'));
  perAddress.markActive('a');
  perAddress.markActive('a');
  assert.equal(perAddress.size, 0, 'one that is not counted any more changes nothing');
});
