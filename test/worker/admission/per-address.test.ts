import assert from 'node:assert/strict';
import { test } from 'node:test';
import { PerAddress } from '../../../src/worker/admission/per-address.ts';

test('up to the limit per address; leaving frees a connection; other addresses are independent', () => {
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
    assert(!perAddress.isFull(`${address}`), 'checking keeps nothing');
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

test('idle and used connections share twice the limit; a request or an end frees an idle one', () => {
  const perAddress = new PerAddress(3);
  perAddress.enter('a');
  for (let count = 0; count < 5; count++) assert(perAddress.accept('a'), `${count} are quiet`);
  assert(!perAddress.accept('a'), 'the seventh');
  assert(perAddress.accept('b'), 'another address');
  assert(!perAddress.isFull('a'), 'idle connections do not count as used');
  perAddress.markActive('a');
  assert(perAddress.accept('a'));
  assert(!perAddress.accept('a'));
});

test('a response closes its connection if its address is at the limit', () => {
  const perAddress = new PerAddress(3);
  for (let count = 0; count < 3; count++) assert(perAddress.keepAlive('a'), `${count} stay`);
  assert(!perAddress.keepAlive('a'));
  perAddress.markActive('a');
  assert(perAddress.keepAlive('a'));
  assert(!perAddress.keepAlive('a'));
  assert(perAddress.accept('a'), 'a new one may still send a request');
});

test('an idle connection counts for one to two periods', () => {
  const perAddress = new PerAddress(1);
  assert(perAddress.keepAlive('a'));
  perAddress.nextPeriod();
  assert(!perAddress.keepAlive('a'), 'it may still exist');
  perAddress.nextPeriod();
  assert.equal(perAddress.size, 0);
  assert(perAddress.keepAlive('a'));
  perAddress.markActive('a');
  perAddress.markActive('a');
  assert.equal(perAddress.size, 0, 'an uncounted one changes nothing');
});
