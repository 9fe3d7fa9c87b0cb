import assert from 'node:assert/strict';
import { test } from 'node:test';
import { setImmediate as turn } from 'node:timers/promises';
import { StartError } from '../../src/common/errors.ts';
import type { ToPrimary, ToWorker } from '../../src/ipc.ts';
import { InProcessWorker, type RunWorker } from '../../src/micro/in-process-worker.ts';

/** Starts a worker. @returns it, and what its primary sees */
function start(run: RunWorker) {
  const messages: ToPrimary[] = [];
  const ends: unknown[] = [];
  const worker = new InProcessWorker(
    {},
    (message) => messages.push(message),
    (ending) => ends.push(ending),
    run,
  );
  return { worker, messages, ends };
}

test('messages arrive later, in order, and as copies', async () => {
  const received: ToWorker[] = [];
  const sent = { type: 'topicMissing', topic: 'one' } as { type: 'topicMissing'; topic: string };
  const { worker, messages } = start(async (channel) => {
    channel.onMessage((message) => received.push(message));
    void channel.send(sent);
    void channel.send({ type: 'hello' });
  });
  sent.topic = 'changed after it was sent';
  const values = { type: 'drain', timeoutMs: Number.POSITIVE_INFINITY } as const;
  worker.send(values);
  assert.deepEqual([messages, received], [[], []]);
  await turn();
  assert.deepEqual(messages, [{ type: 'topicMissing', topic: 'one' }, { type: 'hello' }]);
  assert.deepEqual(received, [values]);
});

test('it ends once, after its last message, with the code of its exit or as killed', async () => {
  const { worker, messages, ends } = start(async (channel) => {
    await channel.send({ type: 'drained', left: 0 });
    channel.exit(0);
  });
  await turn();
  await turn();
  worker.kill();
  await turn();
  assert.deepEqual(messages, [{ type: 'drained', left: 0 }]);
  assert.deepEqual(ends, [{ exitCode: 0, signal: null }]);
  const killed = start(async () => {});
  killed.worker.kill();
  await turn();
  assert.deepEqual(killed.ends, [{ exitCode: null, signal: 'SIGKILL' }]);
  assert.notEqual(killed.worker.id, worker.id);
});

test('a worker that fails to start reports why before it ends', async () => {
  const { messages, ends } = start(async () => {
    throw new StartError('FOREBAY_PORT: cannot listen', 1);
  });
  await turn();
  await turn();
  await turn();
  assert.deepEqual(messages, [
    { type: 'fatal', message: 'FOREBAY_PORT: cannot listen', exitCode: 1 },
  ]);
  assert.deepEqual(ends, [{ exitCode: 1, signal: null }]);
});
