import assert from 'node:assert/strict';
import { test } from 'node:test';
import {
  type Beside,
  casesOf,
  controlOf,
  flawsOf,
  measurementsOf,
} from '../../../bench/chaos/hostile.ts';
import { attackOf, LOOP_KINDS, ordinaryOf } from '../../../testing/attack-kinds.ts';

const felt = { longestMs: 12.4, p99Ms: 3.6 };
const calm: Beside = {
  ...{ seconds: 2, bytes: 5_000_000, turnMs: 40.2, corelessMs: 6 },
  ...{ ws: felt, post: felt, plain: felt },
};
const attack = { name: 'deep', kinds: ['deep'], connections: 30 } as const;

test('each kind runs alone and all run as a mix, with each number of connections', () => {
  const cases = casesOf(['deep', 'gzip'], [30, 100]);
  assert.deepEqual(
    cases.map(({ name, kinds, connections }) => [name, kinds.join(), connections]),
    [30, 100].flatMap((connections) => [
      ['deep', 'deep', connections],
      ['gzip', 'gzip', connections],
      ['mix', 'deep,gzip', connections],
    ]),
  );
});

test('the control sends ordinary events over the transports of the attack', () => {
  const control = controlOf({ name: 'mix', kinds: ['deep', 'gzip'], connections: 30 });
  assert.deepEqual(control.kinds, ['ordinaryFrames', 'ordinaryBodies']);
  assert.equal(control.connections, 30);
});

test('a row has the rate, the turn, and the waits of each client, beside those of the control', () => {
  const refused = { ...felt, failure: 'refused' };
  const control = { ...calm, bytes: 4_000_000, post: refused };
  const both = measurementsOf([{ attack, attacked: calm, control }]);
  assert.deepEqual(both.rows, [
    ['deep', '30', '2.5', '40', '6', '12 / 4', '12 / 4', '12 / 4'].concat(
      ...[['2.0', '40', '6', '12 / 4', '12 / 4 *', '12 / 4']],
    ),
  ]);
  assert.equal(both.head.length, both.rows[0]?.length);
  assert.equal(both.head.at(-1), 'control: plain');
  const alone = measurementsOf([{ attack, attacked: calm }]);
  assert.deepEqual(alone.rows, [both.rows[0]?.slice(0, 8)]);
  assert.equal(alone.head.length, 8);
});

test('a long turn is a flaw where it has a bound, and so is a client that was ended', () => {
  assert.deepEqual(flawsOf({ attack, attacked: calm }, 100), []);
  const late = { attack, attacked: { ...calm, turnMs: 100.6 } };
  assert.deepEqual(flawsOf(late, undefined), []);
  assert.deepEqual(flawsOf(late, 100), [
    'deep, 30 connections: the event loop was late by 101 ms; the worker had no core for 6 ms in all',
  ]);
  assert.equal(flawsOf({ attack, attacked: { ...calm, turnMs: Number.NaN } }, 100).length, 1);
  const ended = { attack, attacked: { ...calm, plain: { ...felt, failure: 'closed' } } };
  assert.deepEqual(flawsOf(ended, 100), [
    'deep, 30 connections: the plain client that obeys: closed',
  ]);
});

test('every kind carries the headers that let it in, in its handshake or its request', () => {
  const kinds = [...LOOP_KINDS, 'heldBodies', 'heldMessages'] as const;
  for (const kind of kinds) {
    const { handshake, bytes } = attackOf(kind, { Authorization: 'Bearer x' });
    const head = String((handshake ?? bytes).subarray(0, 500));
    assert.match(head, /^[A-Z]+ \/\S+ HTTP\/1\.1\r\n(.+\r\n)*Authorization: Bearer x\r\n/, kind);
    assert.match(head, /\r\n\r\n/, kind);
  }
});

test('what is held lacks its last byte alone, and is sent once', () => {
  const body = attackOf('heldBodies');
  const [head = ''] = String(body.bytes.subarray(0, 500)).split('\r\n\r\n');
  const length = Number(/Content-Length: (\d+)/.exec(head)?.[1]);
  assert.equal(body.bytes.length, head.length + 4 + length - 1);
  const message = attackOf('heldMessages');
  assert.equal(message.bytes.length, 14 + Number(message.bytes.readBigUInt64BE(2)) - 1);
  assert.deepEqual([body.again, message.again], ['never', 'never']);
});

test('ordinary events come by frames for frames, and by bodies for bodies', () => {
  assert.deepEqual(
    ['deep', 'pings', 'lines', 'short'].map((kind) => ordinaryOf(kind as 'deep')),
    ['ordinaryFrames', 'ordinaryFrames', 'ordinaryBodies', 'ordinaryBodies'],
  );
});
