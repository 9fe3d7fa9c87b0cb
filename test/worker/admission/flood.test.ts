import assert from 'node:assert/strict';
import { test } from 'node:test';
import { LIMITS } from '../../../src/limits.ts';
import { Flood } from '../../../src/worker/admission/flood.ts';

const turnOver = () => new Promise<void>((done) => setImmediate(done));

test('so many messages in a turn of the loop and no more; in the next one as many again', async () => {
  const flood = new Flood();
  for (let turn = 0; turn < 2; turn++) {
    for (let message = 0; message < LIMITS.turnMessages; message++) {
      assert(!flood.isFlooded(1), `message ${message + 1}`);
    }
    if (turn === 0) await turnOver();
  }
  assert(flood.isFlooded(1), 'one more');
});

test('so many bytes in a turn of the loop and no more', async () => {
  const flood = new Flood();
  assert(!flood.isFlooded(LIMITS.turnBytes), 'as many as one may');
  await turnOver();
  assert(!flood.isFlooded(LIMITS.turnBytes), 'as many again');
  assert(flood.isFlooded(1), 'one more');
});
