import assert from 'node:assert/strict';
import { test } from 'node:test';
import {
  type AttackResult,
  casesOf,
  controlOf,
  measurementsOf,
  problemsOf,
} from '../../../bench/chaos/hostile.ts';
import { attackOf, LOOP_KINDS, ordinaryOf } from '../../../testing/attack-kinds.ts';

const felt = { longestMs: 12.4, p99Ms: 3.6 };
const calm: AttackResult = {
  ...{ seconds: 2, bytes: 5_000_000, lagMs: 40.2, cpuWaitMs: 6 },
  ...{ ws: felt, post: felt, plain: felt },
};
const attack = { name: 'deep', kinds: ['deep'], connections: 30 } as const;

test('cases: each kind alone and all as a mix, with each number of connections', () => {
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

test('a control sends ordinary events over the transports of the attack', () => {
  const control = controlOf({ name: 'mix', kinds: ['deep', 'gzip'], connections: 30 });
  assert.deepEqual(control.kinds, ['ordinaryFrames', 'ordinaryBodies']);
  assert.equal(control.connections, 30);
});

test('a row has rate, lag and the latency of each client, for the attack and the control', () => {
  const refused = { ...felt, failure: 'refused' };
  const control = { ...calm, bytes: 4_000_000, post: refused };
  const both = measurementsOf([{ attack, result: calm, control }]);
  assert.deepEqual(both.rows, [
    ['deep', '30', '2.5', '40', '6', '12 / 4', '12 / 4', '12 / 4'].concat(
      ...[['2.0', '40', '6', '12 / 4', '12 / 4 *', '12 / 4']],
    ),
  ]);
  assert.equal(both.head.length, both.rows[0]?.length);
  assert.equal(both.head.at(-1), 'control: plain');
  const alone = measurementsOf([{ attack, result: calm }]);
  assert.deepEqual(alone.rows, [both.rows[0]?.slice(0, 8)]);
  assert.equal(alone.head.length, 8);
});

test('lag above its bound and a disconnected client are problems', () => {
  assert.deepEqual(problemsOf({ attack, result: calm }, 100), []);
  const late = { attack, result: { ...calm, lagMs: 100.6 } };
  assert.deepEqual(problemsOf(late, undefined), []);
  assert.deepEqual(problemsOf(late, 100), [
    'deep, 30 connections: event loop lag 101 ms, CPU wait 6 ms',
  ]);
  assert.equal(problemsOf({ attack, result: { ...calm, lagMs: Number.NaN } }, 100).length, 1);
  const ended = { attack, result: { ...calm, plain: { ...felt, failure: 'closed' } } };
  assert.deepEqual(problemsOf(ended, 100), [
    'deep, 30 connections: well-behaved plain client failed: closed',
  ]);
});

test('every kind sends its credentials, in the handshake or the request', () => {
  const kinds = [...LOOP_KINDS, 'heldBodies', 'heldMessages'] as const;
  for (const kind of kinds) {
    const { handshake, bytes } = attackOf(kind, { Authorization: 'Bearer x' });
    const head = String((handshake ?? bytes).subarray(0, 500));
    assert.match(head, /^[A-Z]+ \/\S+ HTTP\/1\.1\r\n(.+\r\n)*Authorization: Bearer x\r\n/, kind);
    assert.match(head, /\r\n\r\n/, kind);
  }
});

test('an attack on a stream has its name in the path', () => {
  const frames = attackOf('invalid', {}, 'copied');
  assert.match(String(frames.handshake), /^GET \/ws\/copied HTTP\/1\.1\r\n/);
  for (const kind of ['lines', 'chunks', 'heldBodies'] as const) {
    const { bytes } = attackOf(kind, {}, 'copied');
    assert.match(String(bytes.subarray(0, 100)), /^POST \/events\/copied HTTP\/1\.1\r\n/, kind);
  }
});

test('a held message or body lacks only its last byte, and is sent once', () => {
  const body = attackOf('heldBodies');
  const [head = ''] = String(body.bytes.subarray(0, 500)).split('\r\n\r\n');
  const length = Number(/Content-Length: (\d+)/.exec(head)?.[1]);
  assert.equal(body.bytes.length, head.length + 4 + length - 1);
  const message = attackOf('heldMessages');
  assert.equal(message.bytes.length, 14 + Number(message.bytes.readBigUInt64BE(2)) - 1);
  assert.deepEqual([body.again, message.again], ['never', 'never']);
});

test('the control of frames sends frames, that of bodies sends bodies', () => {
  assert.deepEqual(
    ['deep', 'pings', 'lines', 'short'].map((kind) => ordinaryOf(kind as 'deep')),
    ['ordinaryFrames', 'ordinaryFrames', 'ordinaryBodies', 'ordinaryBodies'],
  );
});
