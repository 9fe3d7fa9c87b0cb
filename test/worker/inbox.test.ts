import assert from 'node:assert/strict';
import { test } from 'node:test';
import type { ToWorker } from '../../src/ipc.ts';
import { IMPLICIT_SLOTS } from '../../src/metrics/slots.ts';
import { Inbox } from '../../src/worker/inbox.ts';

/** Delivers a message as the primary's channel does. */
const receive = (message: ToWorker) => process.emit('message', message, undefined as never);

const streams = (version: number): ToWorker => ({
  type: 'streams',
  version,
  file: { routing: { field: undefined, unknown: 'refuse' }, deadLetter: undefined, streams: [] },
  slots: IMPLICIT_SLOTS,
});

test('messages that arrive before a listener are kept, also of a type that was waited for', async () => {
  const inbox = new Inbox();
  receive({ type: 'drain', timeoutMs: 1 });
  const first = inbox.first('streams');
  receive({ type: 'drain', timeoutMs: 2 });
  receive(streams(1));
  receive(streams(2));
  assert.equal((await first).version, 1);
  receive({ type: 'drain', timeoutMs: 3 });
  const found: unknown[] = [];
  const nameOf = (message: ToWorker) =>
    message.type === 'streams' ? message.version : (message as { timeoutMs: number }).timeoutMs;
  inbox.listen((message) => found.push([message.type, nameOf(message)]));
  receive(streams(3));
  assert.deepEqual(found, [
    ['drain', 1],
    ['drain', 2],
    ['streams', 2],
    ['drain', 3],
    ['streams', 3],
  ]);
});

test('the first message of a type is found among those already kept', async () => {
  const inbox = new Inbox();
  receive(streams(1));
  receive(streams(2));
  assert.equal((await inbox.first('streams')).version, 1);
  const found: ToWorker[] = [];
  inbox.listen((message) => found.push(message));
  assert.deepEqual(
    found.map(({ type }) => type),
    ['streams'],
  );
});
