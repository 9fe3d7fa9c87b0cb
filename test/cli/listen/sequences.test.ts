import assert from 'node:assert/strict';
import { test } from 'node:test';
import { Sequences } from '../../../src/cli/listen/sequences.ts';

const BOUNDS = { clientsMax: 100, rangesMax: 100 };
const key = (name: string) => Buffer.from(name);
const send = (sequences: Sequences, client: string, ...values: unknown[]) =>
  values.map((value) => sequences.check(key(client), value));

test('each client is tracked separately', () => {
  const sequences = new Sequences(BOUNDS);
  send(sequences, 'a', 1, 2);
  send(sequences, 'b', 50, 51);
  assert.deepEqual(send(sequences, 'a', 3), [undefined]);
  const summary = { clients: 2, missing: 0, repeats: 0, markedRepeats: 0 };
  assert.deepEqual(sequences.summary, { ...summary, late: 0, unfollowed: 0 });
});

test('gaps and repeats are reported; late numbers are counted, and no longer missing', () => {
  const sequences = new Sequences(BOUNDS);
  const found = send(sequences, 'a', 1, 3, 6, 6, 2);
  assert.deepEqual(found, [
    undefined,
    '2 is missing before 3 of "a"',
    '4 to 5 are missing before 6 of "a"',
    'repeat of 6 of "a"',
    undefined,
  ]);
  assert.equal(
    sequences.describe(),
    'sequences of 1 client: 2 missing, 1 repeat, 1 late, 0 not tracked',
  );
});

test('strings of digits are numbers; anything else, and a missing key, is not tracked', () => {
  const sequences = new Sequences(BOUNDS);
  const none = [undefined, undefined];
  assert.deepEqual(send(sequences, 'a', '41', '42'), none);
  const others = [1.5, 'x7', '', null, undefined, true, {}, 2 ** 53, '99999999999999999'];
  assert.deepEqual(new Set(send(sequences, 'a', ...others)), new Set([undefined]));
  assert.equal(sequences.check(null, 43), undefined);
  assert.equal(sequences.summary.unfollowed, others.length + 1);
  assert.deepEqual(send(sequences, 'a', 43), [undefined], 'they left no trace');
});

test('a client’s name is escaped for the terminal', () => {
  const sequences = new Sequences(BOUNDS);
  assert.deepEqual(
    send(sequences, '\u001b[2J\u009b\u202e', 1, 1)[1],
    'repeat of 1 of "\\u001b[2J\\x9b\\u202e"',
  );
});

test('clients above the limit are counted, not tracked', () => {
  const sequences = new Sequences({ ...BOUNDS, clientsMax: 1 });
  send(sequences, 'a', 1);
  assert.deepEqual(send(sequences, 'b', 1, 1, 9), [undefined, undefined, undefined]);
  assert.equal(sequences.summary.clients, 1);
  assert.equal(sequences.summary.unfollowed, 3);
});

test('above the limit of ranges the oldest stay missing, without false repeats', () => {
  const sequences = new Sequences({ ...BOUNDS, rangesMax: 2 });
  send(sequences, 'a', 1, 3, 5, 7);
  assert.equal(sequences.summary.missing, 3);
  assert.deepEqual(send(sequences, 'a', 2, 4, 6), [undefined, undefined, undefined]);
  const { missing, repeats, late } = sequences.summary;
  assert.deepEqual({ missing, repeats, late }, { missing: 1, repeats: 0, late: 3 });
});
